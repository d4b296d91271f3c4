//! A test took its worker down: the controller says so in the worker's place.

use std::collections::{BTreeMap, HashSet};

use super::attempts::lasted;
use super::{Draft, Failure, Item, Normaliser, Phase, Report, Verdict, convert, unknown};
use crate::guest::bindings::events::{Event, TestEnd};
use crate::protocol::frame;

/// What the controller says of a worker's end.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Crash {
    pub t: f64,
    pub nodeid: String,
    pub worker: String,
    pub message: String,
}

/// By worker.
pub type EarlyCrashes = BTreeMap<String, Vec<Crash>>;

/// Crashes of tests whose start was not read, since a worker's words and its
/// controller's are in different files.
#[derive(Debug, Default)]
pub struct Crashes {
    pub early: EarlyCrashes,
    /// Workers of which everything was read.
    ended: HashSet<String>,
}

impl Normaliser {
    pub(super) fn crash(&mut self, crash: Crash, drafts: &mut Vec<Draft>) {
        let Crash { nodeid, worker, .. } = &crash;
        if self.attempts.running(worker, nodeid).is_some() || self.crashes.ended.contains(worker) {
            self.tell_crash(crash, drafts);
        } else {
            let early = self.crashes.early.entry(worker.clone()).or_default();
            early.push(crash);
        }
    }

    /// All that a process wrote was read, and it will not write any more.
    pub fn worker_ended(&mut self, worker: &str, drafts: &mut Vec<Draft>) {
        self.crashes.ended.insert(worker.to_owned());
        for crash in self.crashes.early.remove(worker).unwrap_or_default() {
            self.tell_crash(crash, drafts);
        }
    }

    pub(super) fn tell_early_crashes(&mut self, drafts: &mut Vec<Draft>) {
        for (_, crashes) in std::mem::take(&mut self.crashes.early) {
            for crash in crashes {
                self.tell_crash(crash, drafts);
            }
        }
    }

    fn tell_crash(&mut self, crash: Crash, drafts: &mut Vec<Draft>) {
        let Crash {
            t,
            nodeid,
            worker,
            message,
        } = crash;
        let mut say = |event| {
            drafts.push(Draft {
                time: t,
                worker: Some(worker.clone()),
                event,
            });
        };
        let running = self.attempts.running(&worker, &nodeid);
        let (attempt, start) = running.unwrap_or_else(|| {
            // xdist blames the test that would have been next.
            let own = self.attempts.last(Some(&worker), &nodeid).saturating_add(1);
            let worker = Some(worker.clone());
            let attempt = self.attempts.start(t, worker, nodeid.clone(), own);
            say(Event::TestStarted((nodeid.clone(), attempt)));
            (attempt, t)
        });
        let report = Report {
            phase: Phase::Call,
            outcome: frame::Outcome::Failed,
            xfail_reason: None,
            start,
            stop: t,
            duration: lasted(start, t),
            failure: None,
            sections: Vec::new(),
            properties: Vec::new(),
            subtest: None,
        };
        let mut report = convert::report(&self.item_of(&nodeid), attempt, report);
        report.failure = Some(Failure {
            kind: "WorkerCrash".to_owned(),
            message: message.clone(),
            traceback: Vec::new(),
            longrepr: message,
        });
        say(Event::PhaseFinished(report));
        let duration = self
            .attempts
            .end(t, Some(worker.clone()), nodeid.clone(), attempt);
        say(Event::TestFinished(TestEnd {
            nodeid,
            attempt,
            verdict: Verdict::Crashed,
            duration,
        }));
    }

    fn item_of(&self, nodeid: &str) -> Item {
        self.collections
            .values()
            .flat_map(BTreeMap::values)
            .find(|item| item.nodeid == nodeid)
            .cloned()
            .unwrap_or_else(|| unknown(nodeid.to_owned()))
    }
}
