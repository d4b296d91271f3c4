//! The journal of a run: what intake appends and every sink reads behind a
//! cursor of its own. The only thing between the two.
//!
//! The trait is the seam for another store; keep it narrow.

mod copy;
mod mode;
mod reader;
mod rows;
mod schema;
mod sound;
mod sqlite;
mod sum;
mod tail;

use std::collections::BTreeMap;

pub use copy::{CopyError, adopt, copy_events};
pub use reader::{JournalReader, SinkProgress};
pub use sqlite::SqliteJournal;
pub use tail::Tail;

use crate::config::SinkSpec;
use crate::guest::bindings::events::{Envelope, Event};
use crate::guest::capability::state::Write;

/// Position of an event in its run: from 1, without holes.
pub type Seq = u64;

/// The cursor of a sink that gets no more events, whatever is appended.
pub const BEYOND: Seq = (1 << 53) - 1;

/// A journal that does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal cannot be used: {0}")]
    Store(#[from] rusqlite::Error),
    #[error("the journal cannot be used: {0}")]
    Read(#[from] std::io::Error),
    #[error("the journal holds what this host cannot read: {0}")]
    Content(#[from] serde_json::Error),
    #[error("the journal has format {found}; this host knows up to {known}")]
    Newer { found: u32, known: u32 },
    #[error("the journal is damaged: events are missing, {0} is the first")]
    Missing(Seq),
    #[error("the journal is damaged: {0}")]
    Damaged(String),
}

/// An event on its way into the journal, which gives it its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Seconds since the epoch.
    pub time: f64,
    /// The xdist worker that it comes from.
    pub worker: Option<String>,
    pub event: Event,
}

/// How far intake has read what one process wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The segment's number.
    pub file: u32,
    /// Bytes of it that were taken in.
    pub offset: u64,
    /// The process said that nothing follows.
    pub ended: bool,
    pub pid: u32,
    pub worker: Option<String>,
    /// The collection that its indices refer to.
    pub collection: Option<String>,
    /// What was taken in and is to be told later: intake's own, kept for whoever goes on.
    pub unsaid: Option<String>,
}

/// What a frame's index stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub nodeid: String,
    pub name: String,
    pub group: Option<String>,
}

/// Items of a collection, from the index `first` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items {
    pub collection: String,
    pub first: u32,
    pub items: Vec<Item>,
}

/// What one look at the segments came to; committed as one.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    pub drafts: Vec<Draft>,
    pub items: Vec<Items>,
    pub positions: BTreeMap<String, Position>,
    /// Nothing will ever be appended again.
    pub closed: bool,
}

/// An event that a sink asked to get again.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub seq: Seq,
    /// Seconds since the epoch before which it is not delivered again.
    pub due: f64,
    /// How often it was delivered.
    pub attempts: u32,
    pub why: String,
    /// Events with equal keys are delivered in order.
    pub key: Option<String>,
}

/// Where a sink stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Every event up to here was offered to the sink at least once, or waits in `pending`.
    pub cursor: Seq,
    pub delivered: u64,
    pub set_aside: u64,
    /// `close` returned.
    pub closed: bool,
    /// It was given up on (`on-failure = "disable"`).
    pub disabled: bool,
    /// The last thing that went wrong.
    pub error: Option<String>,
    pub pending: Vec<Pending>,
    pub state: BTreeMap<String, Vec<u8>>,
}

/// An event that a sink can never handle.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    pub seq: Seq,
    pub why: String,
    /// Seconds since the epoch.
    pub time: f64,
}

/// What one call of a sink changes; committed as one, its `state` with it.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub cursor: Seq,
    pub delivered: u64,
    pub closed: bool,
    pub disabled: bool,
    /// It is taken out of the run: its cursor is [`BEYOND`] all events from here on.
    pub removed: bool,
    pub error: Option<String>,
    /// To be put in, or changed.
    pub pending: Vec<Pending>,
    /// To be taken out of `pending`.
    pub settled: Vec<Seq>,
    pub dead: Vec<DeadLetter>,
    pub state: Vec<Write>,
}

/// Events up to a number and a size.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    pub events: usize,
    pub bytes: usize,
}

/// A run's journal. Shared by intake and all sinks; every method is one transaction.
pub trait Journal: Send + Sync {
    /// Appends what intake read, and how far it has read.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then none of it was.
    fn append(&self, intake: &Intake) -> Result<Head, JournalError>;

    /// The last event, and whether more may follow.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn head(&self) -> Result<Head, JournalError>;

    /// Events after `cursor`; the first one whatever its size.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn read(&self, cursor: Seq, limit: BatchLimit) -> Result<Vec<Envelope>, JournalError>;

    /// The events with these numbers, in order, up to a size; the first one whatever its size.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn pick(&self, seqs: &[Seq], bytes: usize) -> Result<Vec<Envelope>, JournalError>;

    /// Where intake was when it last committed, by process.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn positions(&self) -> Result<BTreeMap<String, Position>, JournalError>;

    /// All items of all collections.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn items(&self) -> Result<Vec<Items>, JournalError>;

    /// Makes a sink known; where it is already, only how it is configured changes.
    /// One that was removed goes on from where it was then.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    fn register(&self, spec: &SinkSpec) -> Result<(), JournalError>;

    /// The sinks of the run, as configured, in the order they were made known.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn sinks(&self) -> Result<Vec<SinkSpec>, JournalError>;

    /// Where a sink stands.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn standing(&self, sink: &str) -> Result<Standing, JournalError>;

    /// Commits what a call of a sink came to.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then none of it was.
    fn commit(&self, sink: &str, progress: &Progress) -> Result<(), JournalError>;

    /// The events that were set aside for a sink, in order.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn dead_letters(&self, sink: &str) -> Result<Vec<DeadLetter>, JournalError>;

    /// Makes dead letters of a sink wait for delivery again, and opens the sink
    /// where it was closed or given up on.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then none of it was.
    fn put_back(&self, sink: &str, letters: &[Pending]) -> Result<(), JournalError>;

    /// Writes down a call of an orchestrator, JSON, before anything comes of it.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    fn note_call(&self, orchestration: &str, number: u64, call: &str) -> Result<(), JournalError>;

    /// The calls of an orchestrator, in order.
    ///
    /// # Errors
    ///
    /// Where they cannot be read.
    fn calls(&self, orchestration: &str) -> Result<Vec<String>, JournalError>;
}

/// The end of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub last: Seq,
    /// Nothing follows.
    pub closed: bool,
    /// Events that this process could not keep, or knows to be lost.
    pub lost: u64,
}
