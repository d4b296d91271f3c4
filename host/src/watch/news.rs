//! What there is to tell of a run that was not told yet: one object an event, or
//! one line.

use std::collections::HashMap;

use serde::Serialize;

use super::document::{FailureDocument, TestDocument};
use super::model::{Key, Note};
use super::runs::{State, Watched};
use crate::journal::SinkProgress;

/// Seconds between two lines of progress, and between two about sinks.
const OFTEN: f64 = 5.0;
/// Seconds that collecting may take before a run is told of without its size.
const PATIENCE: f64 = 2.0;
/// Seconds that a sink may be behind before that is worth a line.
const BEHIND: f64 = 2.0;

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct News {
    #[serde(flatten)]
    pub what: What,
    pub run: String,
    /// Seconds since the epoch.
    pub time: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum What {
    Run {
        started: Option<f64>,
        rootdir: String,
        args: Vec<String>,
        pytest: String,
        pid: u32,
        dist: Option<String>,
        /// Unless it is still being found out.
        collected: Option<u64>,
        #[serde(skip)]
        words: String,
    },
    Failed(FailureDocument),
    Slow(TestDocument),
    Progress {
        collected: Option<u64>,
        expected: u64,
        done: u64,
        running: usize,
        counts: super::counts::Counts,
        #[serde(skip)]
        words: String,
    },
    Sinks {
        sinks: Vec<SinkProgress>,
    },
    WorkerLost {
        worker: String,
        reason: String,
    },
    Gap {
        count: u64,
        reason: String,
    },
    Interrupted {
        reason: String,
    },
    /// An orchestrated test says something that is worth a look.
    Orchestration {
        name: String,
        message: String,
    },
    Finished {
        exitstatus: Option<i32>,
        reason: Option<String>,
        duration: Option<f64>,
        counts: super::counts::Counts,
        #[serde(skip)]
        words: String,
    },
    Lost {
        reason: String,
    },
    Unreadable {
        reason: String,
    },
}

/// What was told of a run.
#[derive(Default)]
struct Told {
    since: Option<f64>,
    announced: bool,
    collected: bool,
    done: u64,
    progress: f64,
    /// The age at which a test gets its next line.
    slow: HashMap<Key, f64>,
    /// Since when a sink has something left.
    behind: Option<f64>,
    sinks: Vec<SinkProgress>,
    sinks_at: f64,
    state: State,
    delivered: bool,
}

/// Knows what was told, of every run.
pub struct Teller {
    slow: f64,
    told: HashMap<String, Told>,
}

impl Teller {
    /// Tells of tests that run for `slow` seconds, and again when they have run
    /// for twice as long.
    #[must_use]
    pub fn new(slow: f64) -> Self {
        Self {
            slow,
            told: HashMap::new(),
        }
    }

    /// What is new; takes the run's notes.
    pub fn tell(&mut self, watched: &mut Watched, now: f64) -> Vec<News> {
        let told = self.told.entry(watched.id.clone()).or_default();
        let notes = std::mem::take(&mut watched.notes);
        let mut news = Vec::new();
        let mut say = |time: f64, what: What| {
            news.push(News {
                what,
                run: watched.id.clone(),
                time,
            });
        };
        let since = *told.since.get_or_insert(now);
        let run = &watched.run;
        let is_due = run.started.is_some() && (run.is_collected || now - since > PATIENCE);
        if !told.announced && (is_due || !notes.is_empty() || watched.state != State::Running) {
            told.announced = true;
            told.collected = run.is_collected;
            told.progress = now;
            say(run.started.unwrap_or(now), announcement(watched));
        }
        if !told.announced {
            return news;
        }
        for note in notes {
            say_note(note, now, &mut say);
        }
        if watched.state == State::Running {
            told.tell_slow(watched, self.slow, now, &mut say);
        }
        let is_new = run.done() != told.done || run.is_collected != told.collected;
        let is_due = now - told.progress >= OFTEN || run.is_collected != told.collected;
        if watched.state == State::Running && is_new && is_due {
            told.done = run.done();
            told.collected = run.is_collected;
            told.progress = now;
            say(now, progress(watched));
        }
        if watched.state != told.state {
            told.state = watched.state.clone();
            match &watched.state {
                State::Running => {}
                State::Finished => say(
                    run.end.as_ref().map_or(now, |end| end.time),
                    finished(watched, now),
                ),
                State::Lost => say(
                    now,
                    What::Lost {
                        reason: super::words::state(watched),
                    },
                ),
                State::Unreadable(reason) => say(
                    now,
                    What::Unreadable {
                        reason: reason.clone(),
                    },
                ),
            }
        }
        told.tell_sinks(watched, now, &mut say);
        news
    }
}

impl Told {
    fn tell_slow(
        &mut self,
        watched: &Watched,
        slow: f64,
        now: f64,
        say: &mut impl FnMut(f64, What),
    ) {
        let running = &watched.run.running;
        self.slow.retain(|key, _| running.contains_key(key));
        for (key, since) in watched.run.oldest_first() {
            let age = now - since;
            if age < slow {
                break;
            }
            let next = self.slow.entry(key.clone()).or_insert(slow);
            if age < *next {
                continue;
            }
            while *next <= age {
                *next *= 2.0;
            }
            say(now, What::Slow(TestDocument::of(key, since, now)));
        }
    }

    fn tell_sinks(&mut self, watched: &Watched, now: f64, say: &mut impl FnMut(f64, What)) {
        let left = watched.sinks.iter().any(|sink| sink.left > 0);
        let behind = left.then(|| *self.behind.get_or_insert(now));
        self.behind = behind;
        let over = watched.is_over();
        let at_the_end = over && !self.delivered;
        let is_due = behind.is_some_and(|since| now - since >= BEHIND)
            && now - self.sinks_at >= OFTEN
            && self.sinks != watched.sinks;
        self.delivered = over;
        if (at_the_end || is_due) && !watched.sinks.is_empty() {
            self.sinks.clone_from(&watched.sinks);
            self.sinks_at = now;
            say(
                now,
                What::Sinks {
                    sinks: watched.sinks.clone(),
                },
            );
        }
    }
}

fn collected(watched: &Watched) -> Option<u64> {
    watched.run.is_collected.then_some(watched.run.announced)
}

fn announcement(watched: &Watched) -> What {
    let run = &watched.run;
    What::Run {
        started: run.started,
        rootdir: run.rootdir.clone(),
        args: run.args.clone(),
        pytest: run.pytest.clone(),
        pid: run.pid,
        dist: run.dist.clone(),
        collected: collected(watched),
        words: super::words::what(run),
    }
}

fn progress(watched: &Watched) -> What {
    let run = &watched.run;
    What::Progress {
        collected: collected(watched),
        expected: run.expected(),
        done: run.done(),
        running: run.running.len(),
        counts: run.counts,
        words: super::words::counts(run),
    }
}

fn finished(watched: &Watched, now: f64) -> What {
    let end = watched.run.end.as_ref();
    What::Finished {
        exitstatus: end.and_then(|end| end.exitstatus),
        reason: end.and_then(|end| end.reason.clone()),
        duration: watched.run.duration(now),
        counts: watched.run.counts,
        words: super::words::finished(watched, now),
    }
}

fn say_note(note: Note, now: f64, say: &mut impl FnMut(f64, What)) {
    match note {
        Note::Failed(failure) => say(failure.time, What::Failed(FailureDocument::of(&failure))),
        Note::WorkerLost { worker, reason } => say(now, What::WorkerLost { worker, reason }),
        Note::Gap { count, reason } => say(now, What::Gap { count, reason }),
        Note::Interrupted { reason } => say(now, What::Interrupted { reason }),
        Note::Orchestration { name, message } => say(now, What::Orchestration { name, message }),
    }
}

#[cfg(test)]
mod tests;
