//! What is known of a run, read once.

use std::collections::BTreeMap;

use crate::guest::bindings::events::{Envelope, Event, TestEnd};
use crate::journal::{JournalError, JournalReader};
use crate::state::StateFolder;
use crate::state::prune::bytes_of;
use crate::watch::{State, VERDICTS, Watched};

/// Tests that never ran, of which the names are kept.
const NAMES: usize = 1000;

/// A run that is kept.
#[derive(Default)]
pub struct Kept {
    pub watched: Watched,
    pub python: String,
    /// The slowest first.
    pub slowest: Vec<Slow>,
    /// Those that never ran, with the reasons; the first of them.
    pub not_run: Vec<NotRun>,
    /// All of them, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// On the disk.
    pub bytes: u64,
}

/// A test that is over.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Slow {
    pub nodeid: String,
    pub attempt: u32,
    pub worker: Option<String>,
    pub verdict: &'static str,
    pub seconds: f64,
}

/// A test that was collected and never ran.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NotRun {
    pub nodeid: String,
    pub reason: String,
}

/// Reads the run `id` as it is now, with the `slowest` tests of it.
pub fn look(state: &StateFolder, id: &str, slowest: usize) -> Kept {
    let mut kept = Kept {
        watched: Watched::new(id),
        bytes: bytes_of(&state.folder_of(id)),
        ..Kept::default()
    };
    // Asked before the journal is: a core closes it, and goes after that.
    kept.watched.is_owned = state.is_owned(id);
    kept.watched.state = match kept.read(state, id, slowest) {
        Ok(is_closed) => State::of(is_closed, kept.watched.is_owned),
        Err(error) => State::Unreadable(error.to_string()),
    };
    kept
}

impl Kept {
    /// Answers whether the journal is closed.
    fn read(
        &mut self,
        state: &StateFolder,
        id: &str,
        slowest: usize,
    ) -> Result<bool, JournalError> {
        let Some(reader) = JournalReader::open(&state.journal_of(id))? else {
            return Ok(false);
        };
        let is_closed = reader.head()?.closed;
        reader.outline(|envelope| self.take(envelope, slowest))?;
        self.watched.sinks = reader.sinks()?;
        self.keep_slowest(slowest);
        Ok(is_closed)
    }

    fn take(&mut self, envelope: Envelope, slowest: usize) {
        match &envelope.event {
            Event::SessionStarted(session) => self.python.clone_from(&session.python_version),
            Event::TestFinished(end) if slowest > 0 => self.ended(&envelope, end, slowest),
            Event::NotRun((nodeid, reason)) => {
                *self.reasons.entry(reason.clone()).or_default() += 1;
                if self.not_run.len() < NAMES {
                    self.not_run.push(NotRun {
                        nodeid: nodeid.clone(),
                        reason: reason.clone(),
                    });
                }
            }
            _ => {}
        }
        self.watched.run.take(envelope);
    }

    fn ended(&mut self, envelope: &Envelope, end: &TestEnd, slowest: usize) {
        let mut words = VERDICTS.iter().filter(|(of, _)| *of == end.verdict);
        self.slowest.push(Slow {
            nodeid: end.nodeid.clone(),
            attempt: end.attempt,
            worker: envelope.worker.clone(),
            verdict: words.next().map_or("", |(_, word)| *word),
            seconds: end.duration,
        });
        // Not after each: there may be many.
        if self.slowest.len() > slowest.saturating_mul(2).saturating_add(1000) {
            self.keep_slowest(slowest);
        }
    }

    fn keep_slowest(&mut self, slowest: usize) {
        self.slowest.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        self.slowest.truncate(slowest);
    }
}
