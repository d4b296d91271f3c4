//! What a run's messages begin with: `startTestRun` with every test, and a `stopTest` for each file that could
//! not be collected.
//!
//! Tests are announced a thousand at a time, and all of them leave in one message: they are kept in the sink's
//! state until then. So is how far it came, since other messages wait for it.

use std::time::{Duration, Instant};

use pytest_host_sdk::{Refusal, events, state::State};
use serde::{Deserialize, Serialize};

use crate::message::{Message, Messages};

/// How much may be announced.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Bytes that may be kept.
    kept: usize,
    /// Bytes that the tests may have in `startTestRun`.
    listed: usize,
}

/// A sink has 16 MiB of state and 64 MiB of memory.
const LIMITS: Limits = Limits {
    kept: 12 << 20,
    listed: 24 << 20,
};
/// Where the progress is kept.
const PROGRESS: &str = "prelude";

/// The event that the prelude is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    pub seq: u64,
    pub time: f64,
    /// Which of the event's messages `startTestRun` is.
    pub part: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// How many lists of tests are kept.
    lists: usize,
    /// How many messages about failed collectors.
    failures: usize,
    /// Bytes of all that is kept.
    kept: usize,
    /// Bytes of the tests in `startTestRun`.
    listed: usize,
    tests: u64,
    left_out: u64,
    /// Set once the tests are complete.
    trigger: Option<Trigger>,
    /// How many messages need no more doing.
    settled: usize,
    /// What the first of them was rejected for that was.
    rejected: Option<String>,
    done: bool,
}

#[derive(Debug)]
pub struct Prelude<S> {
    state: S,
    limits: Limits,
    progress: Progress,
    /// As it is in the state.
    saved: Progress,
    /// Not to be tried again before, and why.
    pause: Option<(Instant, String)>,
}

/// A test as it is kept: location, node id, description.
type Kept = (String, String, Option<String>);

impl<S: State> Prelude<S> {
    /// Goes on where an instance before this one left off.
    pub fn new(state: S) -> Self {
        let stored = state.get(PROGRESS);
        let progress: Progress = stored
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        Self {
            state,
            limits: LIMITS,
            saved: progress.clone(),
            progress,
            pause: None,
        }
    }

    /// Whether all of it was sent, or rejected.
    pub fn is_done(&self) -> bool {
        self.progress.done
    }

    /// The event that it is sent for, and what became of it.
    pub fn outcome(&self) -> (Option<Trigger>, Option<&str>) {
        (self.progress.trigger, self.progress.rejected.as_deref())
    }

    /// Keeps tests, as long as it is not settled which there are.
    pub fn announce(&mut self, tests: &[events::Test], messages: &Messages) {
        if self.progress.trigger.is_some() {
            return;
        }
        let mut list = Vec::new();
        let mut scratch = Vec::new();
        for test in tests {
            let kept =
                serde_json::to_vec(&(&test.domain, &test.nodeid, &test.doc)).unwrap_or_default();
            let Self {
                limits, progress, ..
            } = self;
            let listed = progress.listed + messages.size(test, &mut scratch);
            // Once one is left out, so are all that follow: what is there is in order.
            if progress.left_out > 0
                || progress.kept + kept.len() > limits.kept
                || listed > limits.listed
            {
                progress.left_out += 1;
                continue;
            }
            progress.listed = listed;
            progress.kept += kept.len();
            progress.tests += 1;
            list.extend(kept);
        }
        if !list.is_empty() {
            self.state.set(&list_key(self.progress.lists), &list);
            self.progress.lists += 1;
        }
    }

    /// Keeps a message that leaves after `startTestRun`; refuses it where there is no room.
    pub fn keep(&mut self, seq: u64, message: &Message) -> Option<Refusal> {
        let Ok(kept) = serde_json::to_vec(&(seq, &message.about)) else {
            return None;
        };
        let kept = [kept.as_slice(), b"\n", &message.json].concat();
        if self.progress.kept + kept.len() > self.limits.kept {
            let why = "more collection errors than can be kept until the run has started";
            return Some(Refusal::Reject(why.to_owned()));
        }
        self.state.set(&failure_key(self.progress.failures), &kept);
        self.progress.kept += kept.len();
        self.progress.failures += 1;
        None
    }

    /// The tests are complete, if they were not before; says what is to be said of them.
    pub fn complete(&mut self, trigger: Trigger) -> Option<String> {
        if self.progress.trigger.is_some() {
            return None;
        }
        self.progress.trigger = Some(trigger);
        let Progress {
            tests, left_out, ..
        } = self.progress;
        let all = tests + left_out;
        (left_out > 0).then(|| {
            format!("startTestRun names {tests} of {all} tests: there is no room for more")
        })
    }

    /// Sends what is still to be sent, with `post`, which gets the event's `seq` and the message's part of it.
    ///
    /// Refuses where that has to be tried again.
    pub fn send(
        &mut self,
        messages: &Messages,
        mut post: impl FnMut(u64, usize, Message) -> Option<Refusal>,
    ) -> Result<(), Refusal> {
        let Some(trigger) = self.progress.trigger.filter(|_| !self.progress.done) else {
            return Ok(());
        };
        if let Some((until, why)) = &self.pause {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(Refusal::Retry((left.as_secs_f64(), why.clone())));
            }
        }
        while self.progress.settled <= self.progress.failures {
            let refusal = match self.progress.settled.checked_sub(1) {
                None => post(trigger.seq, trigger.part, self.start(trigger, messages)),
                Some(failure) => self
                    .failure(failure)
                    .and_then(|(seq, message)| post(seq, 1, message)),
            };
            match refusal {
                Some(Refusal::Retry((after, why))) => {
                    let pause = Duration::try_from_secs_f64(after).unwrap_or_default();
                    self.pause = Some((Instant::now() + pause, why.clone()));
                    return Err(Refusal::Retry((after, why)));
                }
                Some(Refusal::Reject(why)) => {
                    self.progress.rejected.get_or_insert(why);
                }
                None => {}
            }
            self.progress.settled += 1;
        }
        self.forget();
        self.progress.done = true;
        Ok(())
    }

    /// Writes down what changed.
    pub fn save(&mut self) {
        if self.progress != self.saved
            && let Ok(json) = serde_json::to_vec(&self.progress)
        {
            self.state.set(PROGRESS, &json);
            self.saved = self.progress.clone();
        }
    }

    fn start(&self, trigger: Trigger, messages: &Messages) -> Message {
        let lists = (0..self.progress.lists).filter_map(|list| self.state.get(&list_key(list)));
        messages.run_started(self.progress.listed, trigger.time, |one| {
            for list in lists {
                let tests = serde_json::Deserializer::from_slice(&list).into_iter::<Kept>();
                for (location, nodeid, description) in tests.flatten() {
                    one(&location, &nodeid, description.as_deref());
                }
            }
        })
    }

    fn failure(&self, index: usize) -> Option<(u64, Message)> {
        let kept = self.state.get(&failure_key(index))?;
        let mut parts = kept.splitn(2, |byte| *byte == b'\n');
        let (seq, about) = serde_json::from_slice(parts.next()?).ok()?;
        let json = parts.next()?.to_owned();
        Some((seq, Message { about, json }))
    }

    fn forget(&mut self) {
        for list in 0..self.progress.lists {
            self.state.delete(&list_key(list));
        }
        for failure in 0..self.progress.failures {
            self.state.delete(&failure_key(failure));
        }
    }
}

fn list_key(index: usize) -> String {
    format!("tests\n{index}")
}

fn failure_key(index: usize) -> String {
    format!("failure\n{index}")
}

#[cfg(test)]
mod tests;
