//! Which jobs there are, and which is next.

use std::path::PathBuf;

use tokio::sync::watch;

use super::record::{Phase, Record};
use super::view::{Seen, View};

/// A job and where it is kept.
#[derive(Debug)]
pub struct Entry {
    pub record: Record,
    pub folder: PathBuf,
    pub seen: watch::Sender<Seen>,
}

impl Entry {
    pub fn new(record: Record, folder: PathBuf) -> Self {
        let seen = watch::Sender::new(Seen::of(&record));
        Self {
            record,
            folder,
            seen,
        }
    }

    pub fn view(&self) -> View {
        View::of(&self.record, &self.folder)
    }

    /// Writes down how far the job is, and tells those who wait for it.
    pub fn save(&self) {
        // What is in memory goes on being true.
        if let Err(error) = self.record.save(&self.folder) {
            tracing::warn!(
                "a host that is started again will not know how far the job {:?} is: {error}",
                self.record.id
            );
        }
        self.seen.send_replace(Seen::of(&self.record));
    }

    pub fn delete(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!("cannot be removed: {}: {error}", self.folder.display());
        }
    }
}

/// All jobs, oldest first.
#[derive(Debug, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
    /// For jobs and for places in the queue.
    next: u64,
}

impl Table {
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.record.number);
        let used = entries.iter().flat_map(|entry| {
            let ticket = match entry.record.phase {
                Phase::Waiting(ticket) => ticket,
                _ => 0,
            };
            let ended = entry
                .record
                .outcome
                .as_ref()
                .map_or(0, |outcome| outcome.ended);
            [entry.record.number, ticket, ended]
        });
        let next = used.max().map_or(1, |used| used + 1);
        Self { entries, next }
    }

    /// A number that is greater than those before.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// The job that is shown under this id.
    pub fn shown(&mut self, id: &str) -> Option<&mut Entry> {
        let mut entries = self.entries.iter_mut();
        entries.find(|entry| !entry.record.removed && entry.record.id == id)
    }

    pub fn numbered(&mut self, number: u64) -> Option<&mut Entry> {
        let mut entries = self.entries.iter_mut();
        entries.find(|entry| entry.record.number == number)
    }

    /// The job whose turn it is, where fewer than `most` run.
    pub fn next_to_run(&self, most: usize) -> Option<u64> {
        let running = |entry: &&Entry| entry.record.phase == Phase::Running;
        if self.entries.iter().filter(running).count() >= most {
            return None;
        }
        let waiting = self.entries.iter().filter_map(|entry| {
            let number = entry.record.number;
            match entry.record.phase {
                Phase::Waiting(ticket) => Some((ticket, number)),
                _ => None,
            }
        });
        waiting.min().map(|(_, number)| number)
    }

    /// How many wait for others to end.
    pub fn waiting(&self) -> usize {
        let waits = |entry: &&Entry| matches!(entry.record.phase, Phase::Waiting(_));
        self.entries.iter().filter(waits).count()
    }

    /// Forgets a job and deletes what is kept of it.
    pub fn discard(&mut self, number: u64) {
        let at = self
            .entries
            .iter()
            .position(|entry| entry.record.number == number);
        if let Some(at) = at {
            self.entries.remove(at).delete();
        }
    }

    /// Forgets those that ended longest ago, until `keep` of those that have ended are left.
    pub fn prune(&mut self, keep: usize) {
        let ended = self.entries.iter().filter_map(|entry| {
            let record = &entry.record;
            let outcome = record.outcome.as_ref();
            let ended = record.phase == Phase::Ended;
            ended.then(|| (outcome.map(|outcome| outcome.ended), record.number))
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable();
        let beyond = ended.len().saturating_sub(keep);
        for (_, number) in ended.into_iter().take(beyond) {
            self.discard(number);
        }
    }
}
