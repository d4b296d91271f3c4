//! The end of a journal in memory: sinks that keep up do not pay for reading it.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    BatchLimit, DeadLetter, Head, Intake, Items, Journal, JournalError, Pending, Position,
    Progress, Seq, SqliteJournal, Standing,
};
use crate::config::SinkSpec;
use crate::guest::bindings::events::Envelope;

/// What is kept: several batches of a sink, and one commit of intake.
const KEPT: BatchLimit = BatchLimit {
    events: 8192,
    bytes: 8 << 20,
};

/// An event, and its size as the journal counts it.
struct Entry {
    bytes: usize,
    event: Arc<Envelope>,
}

/// The newest events, without holes.
struct Newest {
    /// All events after this one are in `entries`.
    after: Seq,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Newest {
    fn push(&mut self, event: Envelope, bytes: usize, kept: BatchLimit) {
        self.bytes += bytes;
        let event = Arc::new(event);
        self.entries.push_back(Entry { bytes, event });
        while self.entries.len() > kept.events || self.bytes > kept.bytes {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes;
            self.after += 1;
        }
    }

    /// Events after `cursor`; none where some of them are not here any more.
    fn read(&self, cursor: Seq, limit: BatchLimit) -> Option<Vec<Arc<Envelope>>> {
        let skip = usize::try_from(cursor.checked_sub(self.after)?).ok()?;
        let mut bytes = 0;
        let events = self.entries.iter().skip(skip).take(limit.events);
        let fitting = events.enumerate().take_while(|(index, entry)| {
            bytes += entry.bytes;
            *index == 0 || bytes <= limit.bytes
        });
        Some(fitting.map(|(_, entry)| Arc::clone(&entry.event)).collect())
    }
}

/// A journal in a file, with its newest events in memory. Answers exactly what
/// the file would.
pub struct Tail {
    stored: SqliteJournal,
    /// Held while events are appended, so that they come here in their order.
    appending: Mutex<()>,
    newest: Mutex<Newest>,
    kept: BatchLimit,
    /// Bytes from which on the file takes no more than it has to.
    limit: u64,
    lost: AtomicU64,
}

impl Tail {
    /// In front of `stored`, which nobody else appends to, and which is full from
    /// `limit` bytes on.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn new(stored: SqliteJournal, limit: u64) -> Result<Self, JournalError> {
        Self::keeping(KEPT, stored, limit)
    }

    fn keeping(kept: BatchLimit, stored: SqliteJournal, limit: u64) -> Result<Self, JournalError> {
        let newest = Newest {
            after: stored.head()?.last,
            entries: VecDeque::new(),
            bytes: 0,
        };
        Ok(Self {
            stored,
            appending: Mutex::default(),
            newest: Mutex::new(newest),
            kept,
            limit,
            lost: AtomicU64::new(0),
        })
    }

    /// What of `intake` is kept in a file that is full; all of it in one that is not.
    fn fitting<'a>(&self, intake: &'a Intake) -> Result<Cow<'a, Intake>, JournalError> {
        if intake.drafts.is_empty() || self.stored.size()? < self.limit {
            return Ok(Cow::Borrowed(intake));
        }
        Ok(Cow::Owned(full::without_events(intake)))
    }

    /// `head`, with what is lost.
    fn with_lost(&self, head: Head) -> Head {
        let lost = self.lost.load(Ordering::Relaxed);
        Head { lost, ..head }
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Tail {
    fn append(&self, intake: &Intake) -> Result<Head, JournalError> {
        let _appending = self
            .appending
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let intake = self.fitting(intake)?;
        let (head, sizes) = self.stored.append_measured(&intake)?;
        let lost = intake.drafts.iter().map(full::lost).sum();
        let before = self.lost.fetch_add(lost, Ordering::Relaxed);
        if before == 0 && lost > 0 {
            tracing::error!("events are lost; the events `gap` say why");
        }
        let first = head.last - intake.drafts.len() as Seq + 1;
        let mut newest = self.newest();
        for ((seq, draft), bytes) in (first..).zip(&intake.drafts).zip(sizes) {
            let event = Envelope {
                seq,
                time: draft.time,
                worker: draft.worker.clone(),
                event: draft.event.clone(),
            };
            newest.push(event, bytes, self.kept);
        }
        Ok(self.with_lost(head))
    }

    fn head(&self) -> Result<Head, JournalError> {
        Ok(self.with_lost(self.stored.head()?))
    }

    fn read(&self, cursor: Seq, limit: BatchLimit) -> Result<Vec<Envelope>, JournalError> {
        let found = self.newest().read(cursor, limit);
        match found {
            Some(events) => Ok(events.into_iter().map(Arc::unwrap_or_clone).collect()),
            None => self.stored.read(cursor, limit),
        }
    }

    fn pick(&self, seqs: &[Seq], bytes: usize) -> Result<Vec<Envelope>, JournalError> {
        self.stored.pick(seqs, bytes)
    }

    fn positions(&self) -> Result<BTreeMap<String, Position>, JournalError> {
        self.stored.positions()
    }

    fn items(&self) -> Result<Vec<Items>, JournalError> {
        self.stored.items()
    }

    fn register(&self, spec: &SinkSpec) -> Result<(), JournalError> {
        self.stored.register(spec)
    }

    fn sinks(&self) -> Result<Vec<SinkSpec>, JournalError> {
        self.stored.sinks()
    }

    fn standing(&self, sink: &str) -> Result<Standing, JournalError> {
        self.stored.standing(sink)
    }

    fn commit(&self, sink: &str, progress: &Progress) -> Result<(), JournalError> {
        self.stored.commit(sink, progress)
    }

    fn dead_letters(&self, sink: &str) -> Result<Vec<DeadLetter>, JournalError> {
        self.stored.dead_letters(sink)
    }

    fn put_back(&self, sink: &str, letters: &[Pending]) -> Result<(), JournalError> {
        self.stored.put_back(sink, letters)
    }

    fn note_call(&self, orchestration: &str, number: u64, call: &str) -> Result<(), JournalError> {
        self.stored.note_call(orchestration, number, call)
    }

    fn calls(&self, orchestration: &str) -> Result<Vec<String>, JournalError> {
        self.stored.calls(orchestration)
    }
}

mod full;
#[cfg(test)]
mod tests;
