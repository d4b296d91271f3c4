//! A job as others see it, from what its host knows.

use std::path::PathBuf;

use super::model::{Job, State};
use super::record::{Phase, Record, run_folder};
use super::text;

/// What those who wait for a job are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub state: State,
    pub run: u32,
    pub phase: Phase,
}

impl Seen {
    pub fn of(record: &Record) -> Self {
        Self {
            state: record.state,
            run: record.run,
            phase: record.phase,
        }
    }

    /// Whether the `run`th process has ended; 0 is one that was not started yet.
    pub fn is_over(&self, run: u32) -> bool {
        match run {
            0 => self.phase == Phase::Ended,
            _ => self.run > run || self.phase != Phase::Running,
        }
    }
}

/// Everything but the text, which takes a while to read.
#[derive(Debug)]
pub struct View {
    id: String,
    state: State,
    returncode: Option<i32>,
    outcome: Option<(Option<PathBuf>, Vec<String>)>,
}

impl View {
    pub fn of(record: &Record, folder: &std::path::Path) -> Self {
        let outcome = record.outcome.as_ref();
        Self {
            id: record.id.clone(),
            state: record.state,
            returncode: outcome.and_then(|outcome| outcome.returncode),
            outcome: outcome.map(|outcome| {
                let run = (outcome.run > 0).then(|| run_folder(folder, outcome.run));
                (run, outcome.notes.clone())
            }),
        }
    }

    /// Without the text.
    pub fn brief(self) -> Job {
        Job {
            id: self.id,
            state: self.state,
            returncode: self.returncode,
            text: None,
        }
    }

    /// Reads the text, at most about `limit` bytes of it.
    pub fn read(self, limit: u64) -> Job {
        let text = self
            .outcome
            .map(|(run, notes)| text::text(run.as_deref(), &notes, &self.id, limit));
        Job {
            id: self.id,
            state: self.state,
            returncode: self.returncode,
            text,
        }
    }
}
