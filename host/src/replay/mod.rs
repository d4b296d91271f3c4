//! A recorded run, played into a journal of its own: from there on it is
//! delivered like any other. Sinks see the session and the numbers that they saw
//! the first time, and so know what they have got already.

mod pace;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::guest::bindings::events::Envelope;
use crate::intake::Command;
use crate::journal::{BatchLimit, Draft, Head, Intake, Journal, JournalError, JournalReader, Seq};

use pace::Pace;

/// What is read, and written, at once.
const BATCH: BatchLimit = BatchLimit {
    events: 1000,
    bytes: 4 << 20,
};
/// Longest wait between two looks whether anybody is still there.
const LOOK: Duration = Duration::from_secs(1);

/// A run as far as it had come when this was opened; whoever works on it is not
/// disturbed.
pub struct Recording {
    reader: JournalReader,
    head: Head,
}

impl Recording {
    /// Opens the journal in `file`; none where it holds nothing.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn open(file: &Path) -> Result<Option<Self>, JournalError> {
        let Some(reader) = JournalReader::open(file)? else {
            return Ok(None);
        };
        let head = reader.head()?;
        Ok((head.last > 0).then_some(Self { reader, head }))
    }

    /// Its last event, and whether that is the run's.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Appends all of it to `journal`, telling `head`, in one go or at `speed`
    /// times the speed of the run; until nobody is left to give commands.
    ///
    /// # Errors
    ///
    /// Where it cannot be read any further, or the journal not be written.
    pub fn play(
        &self,
        journal: &Arc<dyn Journal>,
        head: &watch::Sender<Head>,
        speed: Option<f64>,
        commands: &Receiver<Command>,
    ) -> Result<(), JournalError> {
        let mut pace = match speed {
            Some(speed) => Some(Pace::new(speed, self.end()?)),
            None => None,
        };
        let mut played: Seq = 0;
        while played < self.head.last {
            let mut due = Vec::new();
            let events = self.reader.read(played, BATCH)?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                if event.seq > self.head.last {
                    break;
                }
                let at = pace.as_mut().map(|pace| pace.due(&event));
                if let Some(at) = at.filter(|at| *at > Instant::now()) {
                    append(journal, head, std::mem::take(&mut due), false)?;
                    if !is_wanted_until(at, commands) {
                        return Ok(());
                    }
                }
                played = event.seq;
                due.push(event);
            }
            let is_last = played == self.head.last;
            append(journal, head, due, is_last && self.head.closed)?;
            if matches!(commands.try_recv(), Err(TryRecvError::Disconnected)) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<Option<Envelope>, JournalError> {
        let last = self.reader.read(self.head.last - 1, BATCH)?;
        Ok(last.into_iter().next())
    }
}

fn append(
    journal: &Arc<dyn Journal>,
    head: &watch::Sender<Head>,
    events: Vec<Envelope>,
    closed: bool,
) -> Result<(), JournalError> {
    if events.is_empty() && !closed {
        return Ok(());
    }
    let draft = |event: Envelope| Draft {
        time: event.time,
        worker: event.worker,
        event: event.event,
    };
    let intake = Intake {
        drafts: events.into_iter().map(draft).collect(),
        closed,
        ..Intake::default()
    };
    head.send_replace(journal.append(&intake)?);
    Ok(())
}

/// Waits until `at`; answers whether anybody is still there by then.
fn is_wanted_until(at: Instant, commands: &Receiver<Command>) -> bool {
    loop {
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if let Err(RecvTimeoutError::Disconnected) = commands.recv_timeout(left.min(LOOK)) {
            return false;
        }
    }
}

#[cfg(test)]
mod tests;
