//! Recorded sessions: those that come with the host, and runs of the user's own.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::guest::bindings::events::{Envelope, Event, Session};
use crate::journal::{BatchLimit, JournalReader};

/// Batches that a recording comes in, about: a sink is killed in each of them.
const BATCHES: usize = 8;
/// What is read of a journal at once.
const READ: BatchLimit = BatchLimit {
    events: 1000,
    bytes: 8 << 20,
};

/// Those that come with the host: name, what is in it, and its events.
const SHIPPED: [(&str, &str, &[u8]); 7] = [
    (
        "outcomes",
        "every outcome, subtests, warnings, properties, captured output",
        include_bytes!("../../recordings/outcomes.jsonl.gz"),
    ),
    (
        "xdist",
        "two workers, one of which is lost",
        include_bytes!("../../recordings/xdist.jsonl.gz"),
    ),
    (
        "reruns",
        "tests that are run again, with and without luck",
        include_bytes!("../../recordings/reruns.jsonl.gz"),
    ),
    (
        "unicode",
        "names, messages and output in many scripts, control characters, markup",
        include_bytes!("../../recordings/unicode.jsonl.gz"),
    ),
    (
        "large-output",
        "tests that print megabytes",
        include_bytes!("../../recordings/large-output.jsonl.gz"),
    ),
    (
        "interrupted",
        "Ctrl-C in a test",
        include_bytes!("../../recordings/interrupted.jsonl.gz"),
    ),
    (
        "broken",
        "files that cannot be collected",
        include_bytes!("../../recordings/broken.jsonl.gz"),
    ),
];

/// A session, as every sink gets it.
#[derive(Clone, Debug)]
pub struct Recording {
    pub name: String,
    pub session: Session,
    pub events: Vec<Envelope>,
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("no recording is named {name:?}; there are {known}")]
    Unknown { name: String, known: String },
    #[error("{name}: {error}")]
    Unreadable { name: String, error: String },
    #[error("{0} does not begin with a session")]
    NoSession(String),
}

/// A line of a recording.
#[derive(Serialize, Deserialize)]
struct Line {
    seq: u64,
    time: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    event: Event,
}

/// Names of those that come with the host, and what is in them.
pub fn shipped() -> impl Iterator<Item = (&'static str, &'static str)> {
    SHIPPED.iter().map(|(name, about, _)| (*name, *about))
}

impl Recording {
    /// One that comes with the host, or one in a file.
    ///
    /// # Errors
    ///
    /// Where there is none, or it cannot be read.
    pub fn named(name: &str) -> Result<Self, RecordingError> {
        if let Some((_, _, bytes)) = SHIPPED.iter().find(|(known, ..)| *known == name) {
            return Self::read(name, *bytes);
        }
        if !name.contains(['/', '.']) {
            let known: Vec<&str> = shipped().map(|(known, _)| known).collect();
            return Err(RecordingError::Unknown {
                name: name.to_owned(),
                known: known.join(", "),
            });
        }
        let file = std::fs::File::open(name).map_err(unreadable(name))?;
        Self::read(name, file)
    }

    fn read(name: &str, compressed: impl Read) -> Result<Self, RecordingError> {
        let mut events = Vec::new();
        for line in BufReader::new(GzDecoder::new(compressed)).lines() {
            let line = line.map_err(unreadable(name))?;
            let Line {
                seq,
                time,
                worker,
                event,
            } = serde_json::from_str(&line).map_err(unreadable(name))?;
            events.push(Envelope {
                seq,
                time,
                worker,
                event,
            });
        }
        Self::of(name, events)
    }

    /// A run that is kept in a journal.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or has no events.
    pub fn of_journal(name: &str, file: &Path) -> Result<Self, RecordingError> {
        let empty = || RecordingError::NoSession(name.to_owned());
        let reader = JournalReader::open(file).map_err(unreadable(name))?;
        let reader = reader.ok_or_else(empty)?;
        let last = reader.head().map_err(unreadable(name))?.last;
        let mut events: Vec<Envelope> = Vec::new();
        while (events.len() as u64) < last {
            let more = reader
                .read(events.len() as u64, READ)
                .map_err(unreadable(name))?;
            if more.is_empty() {
                break;
            }
            events.extend(more);
        }
        Self::of(name, events)
    }

    fn of(name: &str, events: Vec<Envelope>) -> Result<Self, RecordingError> {
        let Some(Event::SessionStarted(session)) = events.first().map(|first| &first.event) else {
            return Err(RecordingError::NoSession(name.to_owned()));
        };
        Ok(Self {
            name: name.to_owned(),
            session: session.clone(),
            events,
        })
    }

    /// Writes it as a file that [`Self::named`] reads; `change` may change each line's text.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn write(&self, to: impl Write, change: impl Fn(String) -> String) -> io::Result<()> {
        let mut compressed = GzEncoder::new(to, Compression::best());
        for event in &self.events {
            let line = serde_json::to_string(&Line {
                seq: event.seq,
                time: event.time,
                worker: event.worker.clone(),
                event: event.event.clone(),
            })?;
            writeln!(compressed, "{}", change(line))?;
        }
        compressed.finish()?;
        Ok(())
    }

    /// As the host would deliver it, in smaller batches: the session's end comes alone.
    #[must_use]
    pub fn batches(&self) -> Vec<Vec<Envelope>> {
        let is_end = |event: &Envelope| matches!(event.event, Event::SessionFinished(_));
        let size = self.events.len().div_ceil(BATCHES).max(1);
        let mut batches: Vec<Vec<Envelope>> = Vec::new();
        let mut batch = Vec::new();
        for event in &self.events {
            if (is_end(event) || batch.len() == size) && !batch.is_empty() {
                batches.push(std::mem::take(&mut batch));
            }
            batch.push(event.clone());
            if is_end(event) {
                batches.push(std::mem::take(&mut batch));
            }
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        batches
    }
}

fn unreadable<E: std::fmt::Display>(name: &str) -> impl FnOnce(E) -> RecordingError {
    move |error| RecordingError::Unreadable {
        name: name.to_owned(),
        error: error.to_string(),
    }
}
