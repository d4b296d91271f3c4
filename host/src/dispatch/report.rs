//! How far a sink has come.

use crate::journal::{self, BEYOND, Head, Progress, Seq};
use crate::protocol::message::SinkReport;

/// What a sink's worker is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Delivering, or waiting for events.
    #[default]
    Working,
    /// Everything that can be delivered now was; the rest waits to be tried again.
    BackingOff,
    /// The session is over and all of it was delivered or set aside.
    Done,
    /// Given up on; what is left stays in the journal.
    Failed,
}

/// A worker's own account, updated with each commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    pub name: String,
    pub phase: Phase,
    cursor: Seq,
    waiting: u64,
    delivered: u64,
    set_aside: u64,
    /// How often another module or other settings took over.
    swapped: u64,
    /// It was taken out of the run.
    removed: bool,
    /// The last thing that went wrong.
    pub error: Option<String>,
}

impl Standing {
    /// As the journal has it.
    #[must_use]
    pub fn new(name: &str, known: &journal::Standing) -> Self {
        Self {
            name: name.to_owned(),
            phase: Phase::default(),
            cursor: known.cursor,
            waiting: known.pending.len() as u64,
            delivered: known.delivered,
            set_aside: known.set_aside,
            swapped: 0,
            removed: false,
            error: known.error.clone(),
        }
    }

    /// As the journal has it, for a worker that begins anew.
    pub fn renew(&mut self, known: &journal::Standing) {
        *self = Self {
            swapped: self.swapped,
            removed: self.removed,
            ..Self::new(&self.name, known)
        };
    }

    /// Another one goes on with the sink's work.
    pub fn swapped(&mut self) {
        self.swapped += 1;
        if self.set_aside == 0 {
            // What went wrong went wrong with the one before.
            self.error = None;
        }
    }

    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.removed
    }

    #[must_use]
    pub fn has_set_aside(&self) -> bool {
        self.set_aside > 0
    }

    /// Counts what was committed; `waiting` events are to be tried again.
    pub fn count(&mut self, progress: &Progress, waiting: usize) {
        self.cursor = self.cursor.max(progress.cursor);
        self.waiting = waiting as u64;
        self.delivered += progress.delivered;
        self.set_aside += progress.dead.len() as u64;
        self.error.clone_from(&progress.error);
        if progress.removed {
            self.cursor = BEYOND;
            self.removed = true;
        }
    }

    /// For people: against the journal as it is now.
    #[must_use]
    pub fn report(&self, head: Head) -> SinkReport {
        SinkReport {
            name: self.name.clone(),
            delivered: self.delivered,
            set_aside: self.set_aside,
            left: head.last.saturating_sub(self.cursor) + self.waiting,
            lost: head.lost,
            swapped: self.swapped,
            removed: self.removed,
            error: self.error.clone(),
        }
    }
}
