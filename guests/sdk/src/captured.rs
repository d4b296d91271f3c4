//! What a test has captured, kept from one phase to the next.
//!
//! A report has only what its own phase captured; this is for sinks that say, as pytest does, what a test has
//! captured so far.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    Envelope, Event, Opening,
    delivery::Lane,
    events::{Capture, Phase, Report, Section},
    state::State,
};

/// Captured text by stream, without pytest's other sections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    pub out: String,
    pub err: String,
    pub log: String,
}

impl Texts {
    fn add(&mut self, sections: &[Section]) {
        for section in sections {
            match &section.capture {
                Capture::Out => self.out.push_str(&section.content),
                Capture::Err => self.err.push_str(&section.content),
                Capture::Log => {
                    // pytest takes the line break off the end of a phase's log, and only there.
                    if !self.log.is_empty() && !section.content.is_empty() {
                        self.log.push('\n');
                    }
                    self.log.push_str(&section.content);
                }
                Capture::Other(_) => {}
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.out.is_empty() && self.err.is_empty() && self.log.is_empty()
    }
}

/// The texts of tests under way, in the sink's state, so that they outlive the instance.
///
/// Most tests capture nothing and cost no call to the host: an instance that saw the session from its start
/// knows which did.
#[derive(Debug)]
pub struct Captured<S> {
    state: S,
    kept: HashSet<String>,
    /// Whether an instance before this one may have kept some.
    inherited: bool,
}

impl<S: State> Captured<S> {
    pub fn new(state: S, why: Opening) -> Self {
        Self {
            state,
            kept: HashSet::new(),
            inherited: why != Opening::Fresh,
        }
    }

    pub fn into_state(self) -> S {
        self.state
    }

    /// What the test has captured up to and including this report.
    pub fn so_far(&self, report: &Report, lane: &Lane) -> Texts {
        let mut texts = match report.phase {
            Phase::Setup => Texts::default(),
            Phase::Call | Phase::Teardown => self.get(&key(lane, report.attempt)),
        };
        texts.add(&report.sections);
        texts
    }

    /// Takes note of an event that needs no more doing.
    pub fn done(&mut self, envelope: &Envelope, lane: &Lane) {
        match &envelope.event {
            Event::PhaseFinished(report) if carries_on(report) => {
                self.put(key(lane, report.attempt), &self.so_far(report, lane));
            }
            Event::TestFinished(end) => self.remove(&key(lane, end.attempt)),
            _ => {}
        }
    }

    fn get(&self, key: &str) -> Texts {
        if !self.inherited && !self.kept.contains(key) {
            return Texts::default();
        }
        let stored = self.state.get(key);
        stored
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default()
    }

    fn put(&mut self, key: String, texts: &Texts) {
        if texts.is_empty() {
            return;
        }
        if let Ok(json) = serde_json::to_vec(texts) {
            self.state.set(&key, &json);
            self.kept.insert(key);
        }
    }

    fn remove(&mut self, key: &str) {
        if self.kept.remove(key) || self.inherited {
            self.state.delete(key);
        }
    }
}

/// Whether what a report captured belongs to later results of its test too. A subtest's text is its own: the
/// call's report does not repeat it, and nor do we.
fn carries_on(report: &Report) -> bool {
    !report.sections.is_empty() && report.subtest.is_none() && report.phase != Phase::Teardown
}

/// Names one attempt's texts in the sink's state.
fn key(lane: &Lane, attempt: u32) -> String {
    format!(
        "texts\n{}\n{attempt}\n{}",
        lane.worker.as_deref().unwrap_or_default(),
        lane.nodeid
    )
}
