//! What a run has come to so far, made of its events one after another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::counts::Counts;
use super::failure::{Failure, Stage};
use super::orchestrated::{self, Orchestrated};
use crate::guest::bindings::events::{
    Envelope, Event, Level, Outcome, Phase, Report, Session, SessionEnd, TestEnd, Verdict,
};
use crate::text::printable;

/// Failures that are kept; of older ones, how many there were.
pub const FAILURES: usize = 1000;
/// Of lost workers and the like.
const OTHERS: usize = 100;

/// A test that runs, or ran: worker, node id, attempt. The same test runs on
/// several workers under `--dist each`.
pub type Key = (Option<String>, String, u32);

/// What is worth a line, when it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    Failed(Failure),
    WorkerLost { worker: String, reason: String },
    Gap { count: u64, reason: String },
    Interrupted { reason: String },
    Orchestration { name: String, message: String },
}

/// One pytest invocation. Names are as pytest has them: whoever shows them makes
/// them [`printable`].
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub started: Option<f64>,
    pub rootdir: String,
    pub args: Vec<String>,
    pub pytest: String,
    pub pid: u32,
    pub dist: Option<String>,
    /// What the session says of itself, such as the job that it is.
    pub labels: BTreeMap<String, String>,
    pub workers: BTreeSet<String>,
    /// Tests announced so far.
    pub announced: u64,
    /// All of them were.
    pub is_collected: bool,
    /// Since when each runs.
    pub running: HashMap<Key, f64>,
    pub counts: Counts,
    /// The newest, oldest first.
    pub failures: VecDeque<Failure>,
    pub failures_left_out: u64,
    pub subtests_failed: u64,
    pub collect_failures: u64,
    pub warnings: u64,
    pub deselected: u64,
    pub not_run: u64,
    /// Events that were lost.
    pub gaps: u64,
    pub lost_workers: Vec<(String, String)>,
    pub interrupted: Option<String>,
    pub end: Option<End>,
    pub orchestrated: Vec<Orchestrated>,
    /// Tests that are not over and of which a failure was told.
    failed: HashSet<Key>,
    /// Of running tests, those whose end may be among the events that were lost.
    doubtful: HashSet<Key>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub time: f64,
    pub exitstatus: Option<i32>,
    pub reason: Option<String>,
}

impl Run {
    /// Takes in what happened next, and tells what of it is worth a line.
    pub fn take(&mut self, envelope: Envelope) -> Option<Note> {
        let Envelope {
            time,
            worker,
            event,
            ..
        } = envelope;
        if let Some(worker) = &worker
            && !self.workers.contains(worker)
        {
            self.workers.insert(worker.clone());
        }
        match event {
            Event::SessionStarted(session) => self.begin(session),
            Event::Collected(tests) => self.announced += tests.len() as u64,
            Event::CollectionFinished(_) => self.is_collected = true,
            Event::CollectFailed((nodeid, failure)) => {
                self.collect_failures += 1;
                return Some(self.failed(Failure::of(
                    time,
                    (worker, nodeid, 1),
                    Stage::Collect,
                    Some(&failure),
                )));
            }
            Event::Deselected(nodeids) => self.deselected += nodeids.len() as u64,
            Event::TestStarted((nodeid, attempt)) => self.start(worker, nodeid, attempt, time),
            Event::PhaseFinished(report) => return self.report(worker, time, report),
            Event::TestFinished(end) => return self.end(worker, time, end),
            Event::NotRun(_) => self.not_run += 1,
            Event::Warning(_) => self.warnings += 1,
            Event::WorkerLost((worker, reason)) => {
                let reason = printable(&reason);
                if self.lost_workers.len() < OTHERS {
                    self.lost_workers.push((worker.clone(), reason.clone()));
                }
                return Some(Note::WorkerLost { worker, reason });
            }
            Event::Interrupted(reason) => {
                let reason = printable(&reason);
                self.interrupted = Some(reason.clone());
                return Some(Note::Interrupted { reason });
            }
            Event::Gap(gap) => {
                self.gaps += gap.count;
                let theirs = self.running.keys().filter(|key| key.0 == worker);
                self.doubtful.extend(theirs.cloned());
                return Some(Note::Gap {
                    count: gap.count,
                    reason: printable(&gap.reason),
                });
            }
            Event::SessionFinished(SessionEnd { exitstatus, reason }) => {
                self.end = Some(End {
                    time,
                    exitstatus,
                    reason: reason.as_deref().map(printable),
                });
            }
            Event::Extension(extension) => {
                orchestrated::take(&mut self.orchestrated, time, &extension);
            }
            Event::OrchestrationReported((name, Level::Warning | Level::Error, message)) => {
                return Some(Note::Orchestration {
                    name: printable(&name),
                    message: printable(&message),
                });
            }
            _ => {}
        }
        None
    }

    /// Tests that will have run at the end, as far as is known.
    #[must_use]
    pub fn expected(&self) -> u64 {
        match self.dist.as_deref() {
            Some("each") => self.announced * self.workers.len().max(1) as u64,
            _ => self.announced,
        }
    }

    /// Tests that are over; one that is run again is not.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.counts.total() - self.counts.get(Verdict::Rerun)
    }

    /// What runs, the longest first.
    #[must_use]
    pub fn oldest_first(&self) -> Vec<(&Key, f64)> {
        let mut running: Vec<(&Key, f64)> = self
            .running
            .iter()
            .map(|(key, since)| (key, *since))
            .collect();
        running.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(b.0)));
        running
    }

    /// Seconds from its start to its end, or to `now`.
    #[must_use]
    pub fn duration(&self, now: f64) -> Option<f64> {
        let until = self.end.as_ref().map_or(now, |end| end.time);
        self.started.map(|started| (until - started).max(0.0))
    }

    fn begin(&mut self, session: Session) {
        self.started = Some(session.started);
        self.rootdir = session.rootdir;
        self.args = session.args;
        self.pytest = session.pytest_version;
        self.pid = session.pid;
        self.dist = session.dist;
        self.labels = session.labels.into_iter().collect();
    }

    fn start(&mut self, worker: Option<String>, nodeid: String, attempt: u32, time: f64) {
        if !self.doubtful.is_empty() {
            // A process goes on only once the test before is over.
            let Self {
                doubtful, running, ..
            } = self;
            doubtful.retain(|key| {
                let over = key.0 == worker;
                if over {
                    running.remove(key);
                }
                !over
            });
        }
        self.running.insert((worker, nodeid, attempt), time);
    }

    fn report(&mut self, worker: Option<String>, time: f64, report: Report) -> Option<Note> {
        if report.outcome != Outcome::Failed {
            return None;
        }
        let key = (worker, report.nodeid, report.attempt);
        let stage = match &report.subtest {
            Some(subtest) => {
                self.subtests_failed += 1;
                Stage::Subtest(printable(subtest))
            }
            None => Stage::Phase(report.phase),
        };
        self.failed.insert(key.clone());
        Some(self.failed(Failure::of(time, key, stage, report.failure.as_ref())))
    }

    fn end(&mut self, worker: Option<String>, time: f64, end: TestEnd) -> Option<Note> {
        self.counts.add(end.verdict);
        let key = (worker, end.nodeid, end.attempt);
        self.running.remove(&key);
        self.doubtful.remove(&key);
        let told = self.failed.remove(&key);
        // There is no report where pytest died, or where it is among lost events.
        let stage = match end.verdict {
            _ if told => return None,
            Verdict::Crashed => Stage::Crash,
            Verdict::Failed => Stage::Phase(Phase::Call),
            Verdict::Error => Stage::Phase(Phase::Setup),
            _ => return None,
        };
        Some(self.failed(Failure::of(time, key, stage, None)))
    }

    fn failed(&mut self, failure: Failure) -> Note {
        if self.failures.len() == FAILURES {
            self.failures.pop_front();
            self.failures_left_out += 1;
        }
        self.failures.push_back(failure.clone());
        Note::Failed(failure)
    }
}

#[cfg(test)]
mod tests;
