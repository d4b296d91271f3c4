//! What a sink is to get next, and what becomes of it: order, retries, dead letters.
//!
//! Events of one test are offered in order: while one of them waits to be tried
//! again, the later ones of that test wait behind it and those of other tests
//! go on. The session's end is offered by itself, when nothing else waits.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::guest::bindings::events::{Envelope, Event};
use crate::guest::bindings::exported::{Refusal, Undone};
use crate::journal::{BatchLimit, DeadLetter, Journal, JournalError, Pending, Progress, Seq};
use crate::text::one_line;

/// What `handle` gets at once, as the contract says.
pub const BATCH: BatchLimit = BatchLimit {
    events: 256,
    bytes: 1 << 20,
};
/// Events that wait to be tried again, beyond which nothing new is read.
const WINDOW: usize = 1024;
/// The first wait; doubled with each attempt.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait of our own; a sink may ask for a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The longest that a sink may ask for: an event that is never due is lost.
const LONGEST_ASKED: Duration = Duration::from_hours(24);
/// The key of the session's end, which no other event has.
const END: &str = "session-finished";

/// The events to offer, and what their reading alone changes.
#[derive(Debug, Default)]
pub struct Batch {
    pub events: Vec<Envelope>,
    /// The cursor once these are dealt with.
    cursor: Seq,
    /// Read, and put behind an earlier event of the same test.
    parked: Vec<Pending>,
}

impl Batch {
    /// Nothing to offer and nothing to write down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.parked.is_empty()
    }
}

/// A sink's cursor and what waits behind it.
#[derive(Debug, Default)]
pub struct Outbox {
    cursor: Seq,
    pending: BTreeMap<Seq, Pending>,
}

impl Outbox {
    /// As the journal has it.
    #[must_use]
    pub fn new(cursor: Seq, pending: Vec<Pending>) -> Self {
        Self {
            cursor,
            pending: pending
                .into_iter()
                .map(|event| (event.seq, event))
                .collect(),
        }
    }

    #[must_use]
    pub fn cursor(&self) -> Seq {
        self.cursor
    }

    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// When the next event that waits is due, in seconds since the epoch.
    #[must_use]
    pub fn next_due(&self) -> Option<f64> {
        self.fronts().map(|event| event.due).min_by(f64::total_cmp)
    }

    /// What waits is offered at once: why it was put off was another's to say.
    pub fn hurry(&mut self, now: f64) {
        for event in self.pending.values_mut() {
            event.due = event.due.min(now);
        }
    }

    /// What comes of leaving everything that waits undelivered: it is set aside,
    /// and nothing more is offered.
    #[must_use]
    pub fn abandon(&self, now: f64) -> Progress {
        let letter = |event: &Pending| DeadLetter {
            seq: event.seq,
            why: if event.why.is_empty() {
                "its sink was removed while it waited".to_owned()
            } else {
                format!("its sink was removed while it waited: {}", event.why)
            },
            time: now,
        };
        Progress {
            removed: true,
            settled: self.pending.keys().copied().collect(),
            dead: self.pending.values().map(letter).collect(),
            ..Progress::default()
        }
    }

    /// What can be offered at `now`: first what is due again, then what is new.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn next(&self, journal: &dyn Journal, now: f64) -> Result<Batch, JournalError> {
        let due: Vec<Seq> = self
            .fronts()
            .filter(|event| event.due <= now)
            .map(|event| event.seq)
            .take(BATCH.events)
            .collect();
        let mut batch = Batch {
            events: journal.pick(&due, BATCH.bytes)?,
            cursor: self.cursor,
            parked: Vec::new(),
        };
        if !due.is_empty() || self.pending.len() >= WINDOW {
            return Ok(batch);
        }
        let blocked: HashSet<&str> = self
            .pending
            .values()
            .filter_map(|event| event.key.as_deref())
            .collect();
        for event in journal.read(self.cursor, BATCH)? {
            let is_end = matches!(event.event, Event::SessionFinished(_));
            if is_end && !(self.pending.is_empty() && batch.events.is_empty()) {
                break;
            }
            batch.cursor = event.seq;
            match key(&event).filter(|key| blocked.contains(key.as_str())) {
                None => batch.events.push(event),
                Some(key) => batch.parked.push(parked_behind(event.seq, key)),
            }
        }
        Ok(batch)
    }

    /// What comes of a batch that the sink has dealt with.
    #[must_use]
    pub fn settle(&self, batch: &Batch, undone: Vec<Undone>, now: f64) -> Progress {
        let mut refusals: BTreeMap<Seq, Refusal> = undone
            .into_iter()
            .map(|undone| (undone.seq, undone.why))
            .collect();
        let mut progress = Progress {
            cursor: batch.cursor,
            pending: batch.parked.clone(),
            ..Progress::default()
        };
        for event in &batch.events {
            let before = self.pending.get(&event.seq);
            match refusals.remove(&event.seq) {
                Some(Refusal::Retry((after, why))) => {
                    let attempts = before.map_or(0, |event| event.attempts) + 1;
                    progress.pending.push(Pending {
                        seq: event.seq,
                        due: now + wait(attempts, after),
                        attempts,
                        why: one_line(&why),
                        key: key(event),
                    });
                    continue;
                }
                Some(Refusal::Reject(why)) => progress.dead.push(DeadLetter {
                    seq: event.seq,
                    why: one_line(&why),
                    time: now,
                }),
                None => progress.delivered += 1,
            }
            if before.is_some() {
                progress.settled.push(event.seq);
            }
        }
        if !refusals.is_empty() {
            let (count, first) = (refusals.len(), refusals.keys().next());
            tracing::warn!("a sink refused {count} events that it was not given, {first:?} first");
        }
        progress
    }

    /// The journal has `progress`.
    pub fn committed(&mut self, progress: &Progress) {
        self.cursor = self.cursor.max(progress.cursor);
        for seq in &progress.settled {
            self.pending.remove(seq);
        }
        for event in &progress.pending {
            self.pending.insert(event.seq, event.clone());
        }
    }

    /// The part of `batch` that holds the event at `index` alone. The cursor moves
    /// past it, and past what was parked before it. Where an earlier event of its
    /// test has come to wait since the batch was made, it is parked as well.
    #[must_use]
    pub fn only(&self, batch: &Batch, index: usize) -> Option<Batch> {
        let event = batch.events.get(index)?.clone();
        let last = index + 1 == batch.events.len();
        let parked = batch
            .parked
            .iter()
            .filter(|parked| last || parked.seq < event.seq);
        let mut single = Batch {
            cursor: if last { batch.cursor } else { event.seq },
            parked: parked.cloned().collect(),
            events: Vec::new(),
        };
        match key(&event).filter(|key| self.is_behind(event.seq, key)) {
            Some(key) => single.parked.push(parked_behind(event.seq, key)),
            None => single.events.push(event),
        }
        Some(single)
    }

    /// Whether an event before `seq` waits that has the same key.
    fn is_behind(&self, seq: Seq, key: &str) -> bool {
        let mut before = self.pending.range(..seq);
        before.any(|(_, event)| event.key.as_deref() == Some(key))
    }

    /// The first event that waits, of each test; the session's end when it is alone.
    fn fronts(&self) -> impl Iterator<Item = &Pending> {
        let mut tests = HashSet::new();
        self.pending
            .values()
            .filter(move |event| match event.key.as_deref() {
                Some(END) => self.pending.len() == 1,
                Some(key) => tests.insert(key),
                None => true,
            })
    }
}

/// What an event has in common with those that it must stay in order with.
pub(super) fn key(event: &Envelope) -> Option<String> {
    let nodeid = match &event.event {
        Event::SessionFinished(_) => return Some(END.to_owned()),
        Event::TestStarted((nodeid, _)) => nodeid,
        Event::PhaseFinished(report) => &report.nodeid,
        Event::TestFinished(end) => &end.nodeid,
        Event::Warning(warning) => warning.nodeid.as_ref()?,
        _ => return None,
    };
    // Under `--dist each` every worker runs the same test.
    Some(format!(
        "{} {nodeid}",
        event.worker.as_deref().unwrap_or_default()
    ))
}

/// An event that was not offered yet, since another of its test waits.
fn parked_behind(seq: Seq, key: String) -> Pending {
    Pending {
        seq,
        due: 0.0,
        attempts: 0,
        why: String::new(),
        key: Some(key),
    }
}

/// Seconds until an event is tried again: what the sink asks for at the least,
/// growing, and spread so that what failed together does not come back together.
fn wait(attempts: u32, after: f64) -> f64 {
    let growth = 2_f64.powi(attempts.saturating_sub(1).min(16).cast_signed());
    let own = (FIRST_WAIT.as_secs_f64() * growth).min(LONGEST_WAIT.as_secs_f64());
    // Not a number, and what is negative, asks for nothing.
    let asked = after.max(0.0).min(LONGEST_ASKED.as_secs_f64());
    let jitter = own * 0.25 * fastrand::f64();
    own.max(asked) + jitter
}

#[cfg(test)]
mod tests;
