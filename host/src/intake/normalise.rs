//! From what each process says to what happened in the session.
//!
//! Indices become tests again, a passing test's two frames the events that they
//! stand for, and what several workers say of one thing is said once.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::convert;
use crate::guest::bindings::events::{
    self, Event, Failure, Gap, SessionEnd, TestEnd, Verdict, Warning,
};
use crate::journal::{Draft, Intake, Item, Items, Journal, JournalError, Position};
use crate::protocol::frame::{Frame, ItemRef, Phase, Report};

/// Tests of a `collected` event at most, as the contract says.
const TESTS_AN_EVENT: usize = 1000;

/// A test that runs, or ran: worker, node id, attempt.
type Run = (Option<String>, String, u32);

/// What is known of a session.
#[derive(Debug, Default)]
pub struct Normaliser {
    run: String,
    collections: HashMap<String, Vec<Item>>,
    /// Collections that were announced, so that the next worker's is not.
    complete: HashSet<String>,
    /// In order of announcement.
    announced: Vec<String>,
    started: HashSet<String>,
    running: BTreeMap<Run, f64>,
    seen: HashSet<(&'static str, String)>,
    begun: bool,
    finish: Option<(Option<i32>, Option<String>)>,
}

impl Normaliser {
    /// Knows nothing of the session `run` yet.
    #[must_use]
    pub fn new(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            ..Self::default()
        }
    }

    /// Knows what the journal has of the session.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn recover(run: &str, journal: &dyn Journal) -> Result<Self, JournalError> {
        let mut known = Self::new(run);
        for items in journal.items()? {
            known
                .collections
                .entry(items.collection)
                .or_default()
                .extend(items.items);
        }
        for position in journal.positions()?.into_values() {
            known.complete.extend(position.collection);
        }
        let limit = crate::journal::BatchLimit {
            events: 1000,
            bytes: 8 << 20,
        };
        let mut cursor = 0;
        loop {
            let events = journal.read(cursor, limit)?;
            let Some(last) = events.last() else {
                return Ok(known);
            };
            cursor = last.seq;
            for event in events {
                known.note(event.worker, event.time, event.event);
            }
        }
    }

    /// Takes in what an event in the journal says.
    fn note(&mut self, worker: Option<String>, time: f64, event: Event) {
        match event {
            Event::SessionStarted(_) => self.begun = true,
            Event::Collected(tests) => {
                self.announced
                    .extend(tests.into_iter().map(|test| test.nodeid));
            }
            Event::CollectFailed((nodeid, _)) => {
                self.seen.insert(("failed", nodeid));
            }
            Event::CollectSkipped((nodeid, _)) => {
                self.seen.insert(("skipped", nodeid));
            }
            Event::Deselected(nodeids) => {
                self.seen
                    .extend(nodeids.into_iter().map(|nodeid| ("deselected", nodeid)));
            }
            Event::TestStarted((nodeid, attempt)) => {
                self.started.insert(nodeid.clone());
                self.running.insert((worker, nodeid, attempt), time);
            }
            Event::TestFinished(end) => {
                self.running.remove(&(worker, end.nodeid, end.attempt));
            }
            _ => {}
        }
    }

    /// Turns one frame of a process into what it means.
    pub fn take(&mut self, frame: Frame, process: &mut Position, now: f64, intake: &mut Intake) {
        let worker = process.worker.clone();
        let mut say = |time: f64, event: Event| {
            intake.drafts.push(Draft {
                time,
                worker: worker.clone(),
                event,
            });
        };
        match frame {
            Frame::Session { t, session } => {
                self.begun = true;
                say(
                    t,
                    Event::SessionStarted(convert::session(&self.run, session)),
                );
            }
            Frame::Items { c, first, tests } => self.items(c, first, tests, now, intake),
            Frame::Collected { t, c, count } => {
                process.collection = Some(c.clone());
                if self.complete.insert(c) {
                    say(t, Event::CollectionFinished(count));
                }
            }
            Frame::CollectFailed { t, nodeid, failure } => {
                if self.seen.insert(("failed", nodeid.clone())) {
                    say(t, Event::CollectFailed((nodeid, convert::failure(failure))));
                }
            }
            Frame::CollectSkipped { t, nodeid, reason } => {
                if self.seen.insert(("skipped", nodeid.clone())) {
                    say(t, Event::CollectSkipped((nodeid, reason)));
                }
            }
            Frame::Deselected { t, nodeids } => {
                let new: Vec<String> = nodeids
                    .into_iter()
                    .filter(|nodeid| self.seen.insert(("deselected", nodeid.clone())))
                    .collect();
                if !new.is_empty() {
                    say(t, Event::Deselected(new));
                }
            }
            Frame::Start { t, i, a } => {
                let item = self.item(process, &i);
                self.started.insert(item.nodeid.clone());
                self.running
                    .insert((worker.clone(), item.nodeid.clone(), a), t);
                say(t, Event::TestStarted((item.nodeid, a)));
            }
            Frame::Phase {
                t,
                i,
                a,
                passed,
                report,
            } => {
                let item = self.item(process, &i);
                for (time, event) in silent(&item, a, passed) {
                    say(time, event);
                }
                say(t, Event::PhaseFinished(convert::report(&item, a, *report)));
            }
            Frame::End {
                t,
                i,
                a,
                verdict,
                passed,
            } => {
                let item = self.item(process, &i);
                for (time, event) in silent(&item, a, passed) {
                    say(time, event);
                }
                say(
                    t,
                    self.end(worker.clone(), item.nodeid, a, convert::verdict(verdict), t),
                );
            }
            Frame::Crash {
                t,
                nodeid,
                worker,
                message,
            } => self.crash(t, nodeid, worker, message, intake),
            Frame::WorkerLost { t, worker, reason } => say(t, Event::WorkerLost((worker, reason))),
            Frame::Warning {
                t,
                category,
                message,
                path,
                line,
                stage,
                nodeid,
            } => {
                say(
                    t,
                    Event::Warning(Warning {
                        category,
                        message,
                        path,
                        line,
                        stage,
                        nodeid,
                    }),
                );
            }
            Frame::Interrupted { t, reason } => say(t, Event::Interrupted(reason)),
            Frame::Gap {
                t,
                first,
                count,
                reason,
            } => say(
                t,
                Event::Gap(Gap {
                    first,
                    count,
                    reason,
                }),
            ),
            Frame::Finish {
                exitstatus, reason, ..
            } => self.finish = Some((exitstatus, reason)),
            Frame::Bye => process.ended = true,
            Frame::Unknown => tracing::debug!("passed over a frame of an unknown kind"),
        }
    }

    /// A frame that could not be understood, or was torn when its process died.
    pub fn lost(&self, process: &Position, now: f64, reason: String) -> Draft {
        Draft {
            time: now,
            worker: process.worker.clone(),
            event: Event::Gap(Gap {
                first: 0,
                count: 1,
                reason,
            }),
        }
    }

    /// Nothing follows: says what became of everything that was left open.
    ///
    /// `died` tells whether the process that the user started went without a word.
    pub fn close(&mut self, died: bool, now: f64) -> Vec<Draft> {
        let mut drafts = Vec::new();
        let died = died || self.finish.is_none();
        let verdict = if died {
            Verdict::Crashed
        } else {
            Verdict::Interrupted
        };
        for ((worker, nodeid, attempt), start) in std::mem::take(&mut self.running) {
            drafts.push(Draft {
                time: now,
                worker,
                event: Event::TestFinished(TestEnd {
                    nodeid,
                    attempt,
                    verdict,
                    duration: now - start,
                }),
            });
        }
        let (exitstatus, reason) = self.finish.take().unwrap_or((None, None));
        let reason = reason.or_else(|| died.then(|| "aborted".to_owned()));
        let said = |event| Draft {
            time: now,
            worker: None,
            event,
        };
        let why = reason.clone().unwrap_or_else(|| "not started".to_owned());
        for nodeid in std::mem::take(&mut self.announced) {
            if !self.started.contains(&nodeid) {
                drafts.push(said(Event::NotRun((nodeid, why.clone()))));
            }
        }
        if self.begun {
            drafts.push(said(Event::SessionFinished(SessionEnd {
                exitstatus,
                reason,
            })));
        }
        drafts
    }

    fn items(
        &mut self,
        collection: String,
        first: u32,
        tests: Vec<crate::protocol::frame::Test>,
        now: f64,
        intake: &mut Intake,
    ) {
        if self.complete.contains(&collection) {
            return;
        }
        let known = self.collections.entry(collection.clone()).or_default();
        // Another worker has sent these already.
        if usize::try_from(first).is_ok_and(|first| first < known.len()) {
            return;
        }
        let items: Vec<Item> = tests
            .iter()
            .map(|test| Item {
                nodeid: test.nodeid.clone(),
                name: test.name.clone(),
                group: test.group.clone(),
            })
            .collect();
        known.extend(items.iter().cloned());
        self.announced
            .extend(items.iter().map(|item| item.nodeid.clone()));
        intake.items.push(Items {
            collection,
            first,
            items,
        });
        let mut tests = tests.into_iter().map(convert::test).peekable();
        while tests.peek().is_some() {
            let some: Vec<events::Test> = tests.by_ref().take(TESTS_AN_EVENT).collect();
            intake.drafts.push(Draft {
                time: now,
                worker: None,
                event: Event::Collected(some),
            });
        }
    }

    fn item(&self, process: &Position, item: &ItemRef) -> Item {
        let unknown = |nodeid: String| Item {
            // What pytest puts before the name has neither a parameter's `[` nor its `::`.
            name: name_in(&nodeid).to_owned(),
            nodeid,
            group: None,
        };
        match item {
            ItemRef::Nodeid(nodeid) => unknown(nodeid.clone()),
            ItemRef::Index(index) => process
                .collection
                .as_ref()
                .and_then(|collection| self.collections.get(collection))
                .and_then(|items| items.get(usize::try_from(*index).ok()?))
                .cloned()
                .unwrap_or_else(|| unknown(format!("#{index}"))),
        }
    }

    fn end(
        &mut self,
        worker: Option<String>,
        nodeid: String,
        attempt: u32,
        verdict: Verdict,
        t: f64,
    ) -> Event {
        let key = (worker, nodeid.clone(), attempt);
        let duration = self.running.remove(&key).map_or(0.0, |start| t - start);
        Event::TestFinished(TestEnd {
            nodeid,
            attempt,
            verdict,
            duration,
        })
    }

    /// A test took its worker down: the controller says so in the worker's place.
    fn crash(
        &mut self,
        t: f64,
        nodeid: String,
        worker: String,
        message: String,
        intake: &mut Intake,
    ) {
        let worker = Some(worker);
        let running = self
            .running
            .range((worker.clone(), nodeid.clone(), 0)..=(worker.clone(), nodeid.clone(), u32::MAX))
            .next_back();
        let (attempt, start) =
            running.map_or((1, t), |((_, _, attempt), start)| (*attempt, *start));
        let item = self.item(&Position::default(), &ItemRef::Nodeid(nodeid.clone()));
        let group = self
            .collections
            .values()
            .flatten()
            .find(|item| item.nodeid == nodeid);
        let report = Report {
            phase: Phase::Call,
            outcome: crate::protocol::frame::Outcome::Failed,
            xfail_reason: None,
            start,
            stop: t,
            duration: t - start,
            failure: None,
            sections: Vec::new(),
            properties: Vec::new(),
            subtest: None,
        };
        let mut report = convert::report(group.unwrap_or(&item), attempt, report);
        report.failure = Some(Failure {
            kind: "WorkerCrash".to_owned(),
            message: message.clone(),
            traceback: Vec::new(),
            longrepr: message,
        });
        let end = self.end(worker.clone(), nodeid, attempt, Verdict::Crashed, t);
        for event in [Event::PhaseFinished(report), end] {
            intake.drafts.push(Draft {
                time: t,
                worker: worker.clone(),
                event,
            });
        }
    }
}

/// The phases that passed without a word, in order, each when it ended.
fn silent(
    item: &Item,
    attempt: u32,
    passed: BTreeMap<Phase, (f64, f64, f64)>,
) -> impl Iterator<Item = (f64, Event)> {
    passed.into_iter().map(move |(phase, times)| {
        let report = convert::passed(item, attempt, phase, times);
        (times.1, Event::PhaseFinished(report))
    })
}

/// The item's name in a node id that was never announced.
fn name_in(nodeid: &str) -> &str {
    let parameters = nodeid.find('[').unwrap_or(nodeid.len());
    let before = nodeid.get(..parameters).unwrap_or(nodeid);
    let start = before.rfind("::").map_or(0, |at| at + 2);
    nodeid.get(start..).unwrap_or(nodeid)
}

#[cfg(test)]
mod tests;
