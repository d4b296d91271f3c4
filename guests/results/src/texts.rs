//! What a test has captured, kept from one phase to the next.

use std::collections::HashSet;

use pytest_host_sdk::{
    events::{Capture, Section},
    state::State,
};
use serde::{Deserialize, Serialize};

/// Captured text by stream. pytest's other sections have no place in a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Texts {
    pub out: String,
    pub err: String,
    pub log: String,
}

impl Texts {
    pub fn add(&mut self, sections: &[Section]) {
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
pub(crate) struct Shelf<S> {
    state: S,
    kept: HashSet<String>,
    /// Whether an instance before this one may have kept some.
    inherited: bool,
}

impl<S: State> Shelf<S> {
    pub fn new(state: S, inherited: bool) -> Self {
        Self {
            state,
            kept: HashSet::new(),
            inherited,
        }
    }

    #[cfg(test)]
    pub fn into_state(self) -> S {
        self.state
    }

    pub fn get(&self, key: &str) -> Texts {
        if !self.inherited && !self.kept.contains(key) {
            return Texts::default();
        }
        let stored = self.state.get(key);
        stored
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default()
    }

    pub fn put(&mut self, key: String, texts: &Texts) {
        if texts.is_empty() {
            return;
        }
        if let Ok(json) = serde_json::to_vec(texts) {
            self.state.set(&key, &json);
            self.kept.insert(key);
        }
    }

    pub fn remove(&mut self, key: &str) {
        if self.kept.remove(key) || self.inherited {
            self.state.delete(key);
        }
    }
}
