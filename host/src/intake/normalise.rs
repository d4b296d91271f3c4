//! From what each process says to what happened in the session.
//!
//! Indices become tests again, a passing test's two frames the events that they
//! stand for, and what several workers say of one thing is said once.

use std::collections::{BTreeMap, HashMap, HashSet};

mod attempts;
mod crash;
mod lists;
mod names;
mod pauses;

use self::attempts::{Attempts, Recovery, lasted};
use self::crash::{Crash, Crashes, EarlyCrashes};
use self::names::unknown;
use self::pauses::Pauses;
use super::convert;
use crate::guest::bindings::events::{
    self, Event, Extension, Failure, Gap, SessionEnd, TestEnd, Verdict, Warning,
};
use crate::journal::{Draft, Intake, Item, Items, Journal, JournalError, Position};
use crate::protocol::frame::{Frame, ItemRef, Phase, Report};

/// Events that a process may say it lost: more than any has, and little enough to be
/// added up.
const MOST: u64 = 1 << 48;

/// What is known of a session.
#[derive(Debug, Default)]
pub struct Normaliser {
    run: String,
    /// By index, of which some may have been lost.
    collections: HashMap<String, BTreeMap<u32, Item>>,
    /// Collections that were announced, so that the next worker's is not.
    complete: HashSet<String>,
    /// In order of announcement, and each once.
    announced: Vec<String>,
    known: HashSet<String>,
    attempts: Attempts,
    crashes: Crashes,
    seen: HashSet<(&'static str, String)>,
    begun: bool,
    /// Some process left events out, so that what is missing may have happened.
    lossy: bool,
    finish: Option<Finish>,
    paused: Pauses,
}

/// Exit status and reason, as the session's process told them.
type Finish = (Option<i32>, Option<String>);

/// What was taken in and is in no event yet.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Unsaid {
    finish: Option<Finish>,
    early: EarlyCrashes,
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
            let collection = known.collections.entry(items.collection).or_default();
            collection.extend((items.first..=u32::MAX).zip(items.items));
        }
        for position in journal.positions()?.into_values() {
            known.complete.extend(position.collection);
            if let Some(text) = position.unsaid {
                let unsaid: Unsaid = serde_json::from_str(&text)?;
                known.finish = unsaid.finish;
                known.crashes.early = unsaid.early;
            }
        }
        let limit = crate::journal::BatchLimit {
            events: 1000,
            bytes: 8 << 20,
        };
        let mut cursor = 0;
        let mut attempts = Recovery::default();
        loop {
            let events = journal.read(cursor, limit)?;
            let Some(last) = events.last() else {
                known.attempts = attempts.finish();
                return Ok(known);
            };
            cursor = last.seq;
            for event in events {
                known.paused.note(event.worker.as_ref(), &event.event);
                match event.event {
                    Event::TestStarted((nodeid, attempt)) => {
                        attempts.started(event.time, event.worker, nodeid, attempt);
                    }
                    Event::TestFinished(end) => {
                        attempts.ended(event.worker, end.nodeid, end.attempt);
                    }
                    other => {
                        if let Event::SessionStarted(session) = &other {
                            attempts.distribute(session.dist.as_deref());
                        }
                        known.note(other);
                    }
                }
            }
        }
    }

    /// Takes in what an event in the journal says.
    fn note(&mut self, event: Event) {
        match event {
            Event::SessionStarted(_) => self.begun = true,
            Event::Collected(tests) => {
                for test in tests {
                    self.announce(&test.nodeid);
                }
            }
            Event::Gap(_) => self.lossy = true,
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
                self.attempts.distribute(session.dist.as_deref());
                say(
                    t,
                    Event::SessionStarted(convert::session(&self.run, session)),
                );
            }
            Frame::Items { c, first, tests } => self.items(c, first, tests, now, intake),
            Frame::Collected { t, c, .. } => {
                process.collection = Some(c.clone());
                if self.complete.insert(c) {
                    let count = u32::try_from(self.announced.len()).unwrap_or(u32::MAX);
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
                for some in lists::split(new, String::len) {
                    say(t, Event::Deselected(some));
                }
            }
            Frame::Start { t, i, a } => {
                let item = self.item(process, &i);
                let attempt = self
                    .attempts
                    .start(t, worker.clone(), item.nodeid.clone(), a);
                say(t, Event::TestStarted((item.nodeid, attempt)));
            }
            Frame::Phase {
                t,
                i,
                a,
                passed,
                report,
            } => {
                let item = self.item(process, &i);
                let attempt = self.attempts.number(worker.as_deref(), &item.nodeid, a);
                for (time, event) in silent(&item, attempt, passed) {
                    say(time, event);
                }
                let report = convert::report(&item, attempt, *report);
                say(t, Event::PhaseFinished(report));
            }
            Frame::End {
                t,
                i,
                a,
                verdict,
                passed,
            } => {
                let item = self.item(process, &i);
                let attempt = self.attempts.number(worker.as_deref(), &item.nodeid, a);
                for (time, event) in silent(&item, attempt, passed) {
                    say(time, event);
                }
                let verdict = convert::verdict(verdict);
                say(
                    t,
                    self.end(worker.clone(), item.nodeid, attempt, verdict, t),
                );
            }
            Frame::Crash {
                t,
                nodeid,
                worker,
                message,
            } => {
                let crash = Crash {
                    t,
                    nodeid,
                    worker,
                    message,
                };
                self.crash(crash, &mut intake.drafts);
            }
            Frame::WorkerLost { t, worker, reason } => say(t, Event::WorkerLost((worker, reason))),
            Frame::Warning {
                t,
                category,
                message,
                path,
                line,
                stage,
                nodeid,
                code,
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
                        code,
                    }),
                );
            }
            Frame::Interrupted { t, reason } => say(t, Event::Interrupted(reason)),
            Frame::Pause { t, pause, command } => {
                for event in self.paused.open(worker.as_ref(), *pause, &command) {
                    say(t, event);
                }
            }
            Frame::PauseEnd { t, end } => say(t, self.paused.close(*end)),
            Frame::Orchestration {
                t,
                name,
                level,
                message,
            } => {
                let level = convert::level(level);
                say(t, Event::OrchestrationReported((name, level, message)));
            }
            Frame::Extension { t, name, payload } => {
                let payload = payload.to_string();
                say(t, Event::Extension(Extension { name, payload }));
            }
            Frame::Gap {
                t,
                first,
                count,
                reason,
            } => {
                self.lossy = true;
                say(
                    t,
                    Event::Gap(Gap {
                        first: first.min(MOST),
                        count: count.min(MOST),
                        reason,
                    }),
                );
            }
            Frame::Finish {
                exitstatus, reason, ..
            } => self.finish = Some((exitstatus, reason)),
            Frame::Bye => process.ended = true,
            Frame::Unknown => tracing::debug!("passed over a frame of an unknown kind"),
        }
    }

    /// What has to be known to go on and is not in the events; [`Self::recover`] reads it.
    ///
    /// # Errors
    ///
    /// Where it cannot be written as JSON.
    pub fn unsaid(&self) -> Result<Option<String>, serde_json::Error> {
        if self.finish.is_none() && self.crashes.early.is_empty() {
            return Ok(None);
        }
        let unsaid = Unsaid {
            finish: self.finish.clone(),
            early: self.crashes.early.clone(),
        };
        serde_json::to_string(&unsaid).map(Some)
    }

    /// A frame that could not be understood, or was torn when its process died.
    pub fn lost(&mut self, process: &Position, now: f64, reason: String) -> Draft {
        self.lossy = true;
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
    /// `dead` are the processes that went without a word, each by its worker.
    pub fn close(&mut self, dead: &HashSet<Option<String>>, now: f64) -> Vec<Draft> {
        let mut drafts = Vec::new();
        self.tell_early_crashes(&mut drafts);
        drafts.extend(self.paused.abandon(now));
        let died = dead.contains(&None) || self.finish.is_none();
        for ((worker, nodeid, attempt), start) in self.attempts.take_running() {
            let verdict = if died || dead.contains(&worker) {
                Verdict::Crashed
            } else {
                Verdict::Interrupted
            };
            drafts.push(Draft {
                time: now,
                worker,
                event: Event::TestFinished(TestEnd {
                    nodeid,
                    attempt,
                    verdict,
                    duration: lasted(start, now),
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
        let unsaid = if self.lossy {
            "unknown: events were lost"
        } else {
            "not started"
        };
        let why = reason.clone().unwrap_or_else(|| unsaid.to_owned());
        let started = self.attempts.started();
        for nodeid in std::mem::take(&mut self.announced) {
            if !started.contains(nodeid.as_str()) {
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
        if known.contains_key(&first) {
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
        known.extend((first..=u32::MAX).zip(items.iter().cloned()));
        intake.items.push(Items {
            collection,
            first,
            items,
        });
        // Workers that collected something else have most of it in common.
        let new = tests
            .into_iter()
            .filter(|test| self.announce(&test.nodeid))
            .map(convert::test);
        for some in lists::split(new, text_of) {
            intake.drafts.push(Draft {
                time: now,
                worker: None,
                event: Event::Collected(some),
            });
        }
    }

    /// Whether the test was not announced before.
    fn announce(&mut self, nodeid: &str) -> bool {
        let is_new = self.known.insert(nodeid.to_owned());
        if is_new {
            self.announced.push(nodeid.to_owned());
        }
        is_new
    }

    fn item(&self, process: &Position, item: &ItemRef) -> Item {
        match item {
            ItemRef::Nodeid(nodeid) => unknown(nodeid.clone()),
            ItemRef::Index(index) => process
                .collection
                .as_ref()
                .and_then(|collection| self.collections.get(collection))
                .and_then(|items| items.get(index))
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
        let duration = self.attempts.end(t, worker, nodeid.clone(), attempt);
        Event::TestFinished(TestEnd {
            nodeid,
            attempt,
            verdict,
            duration,
        })
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

/// Bytes of what a test may have much of.
fn text_of(test: &events::Test) -> usize {
    let keywords: usize = test.keywords.iter().map(String::len).sum();
    let doc = test.doc.as_ref().map_or(0, String::len);
    test.nodeid.len() + test.path.len() + test.name.len() + test.domain.len() + doc + keywords
}

#[cfg(test)]
mod tests;
