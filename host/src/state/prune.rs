//! Removes old runs.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::runs::{JOURNAL, LOCK};
use super::temporary::Wait;
use super::{RunFolder, StateFolder};
use crate::config::Keep;
use crate::journal::{JournalError, JournalReader, SinkProgress};

/// What a run is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    Age,
    Runs,
    Size,
}

/// A run that is beyond a limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Old {
    pub run: String,
    pub limit: Limit,
    /// Seconds since it came here, or since its last event where that is less.
    pub age: f64,
    /// On the disk.
    pub bytes: u64,
    /// What sinks have not got, in words.
    pub left: Option<String>,
    /// Why it could not be removed.
    pub error: Option<String>,
}

/// What became of old runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pruned {
    pub removed: Vec<Old>,
    /// Kept, since something of them is left to deliver, or they cannot be removed.
    pub kept: Vec<Old>,
}

/// Whether to remove them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Remove,
    /// Only tell.
    DryRun,
}

struct Entry {
    id: String,
    came: SystemTime,
    bytes: u64,
}

/// Removes runs beyond what is to be kept, oldest first. Never one that somebody
/// owns; one that has something left only when it is too old; the newest only then.
///
/// None where somebody else is at it and nobody wants to wait.
///
/// # Errors
///
/// Where the folder cannot be used.
pub fn prune(
    state: &StateFolder,
    keep: &Keep,
    now: SystemTime,
    mode: Mode,
    wait: Wait,
) -> io::Result<Option<Pruned>> {
    let Some(alone) = state.alone(wait)? else {
        return Ok(None);
    };
    let mut entries: Vec<Entry> = state
        .runs()
        .into_iter()
        .filter_map(|id| {
            let folder = state.folder_of(&id);
            let came = came(&folder)?;
            let bytes = bytes_of(&folder);
            Some(Entry { id, came, bytes })
        })
        .collect();
    entries.sort_by(|a, b| (a.came, &a.id).cmp(&(b.came, &b.id)));
    let mut count = entries.len() as u64;
    let mut size: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let newest = entries.last().map(|entry| entry.id.clone());
    let mut pruned = Pruned::default();
    for entry in entries {
        let mut age = now.duration_since(entry.came).unwrap_or(Duration::ZERO);
        let may_be_too_many = newest.as_ref() != Some(&entry.id);
        let limit = if keep.age.is_some_and(|limit| age > limit) {
            Limit::Age
        } else if may_be_too_many && keep.runs.is_some_and(|limit| count > limit) {
            Limit::Runs
        } else if may_be_too_many && keep.size.is_some_and(|limit| size > limit) {
            Limit::Size
        } else {
            continue;
        };
        let Ok(Some(folder)) = state.take_up(&entry.id) else {
            continue;
        };
        let Inside { left, last } = Inside::of(&folder);
        let last = Duration::try_from_secs_f64(last).unwrap_or_default();
        age = age.min(now.duration_since(UNIX_EPOCH + last).unwrap_or_default());
        if limit == Limit::Age && keep.age.is_some_and(|limit| age <= limit) {
            continue;
        }
        let mut old = Old {
            run: entry.id,
            limit,
            age: age.as_secs_f64(),
            bytes: entry.bytes,
            left,
            error: None,
        };
        if limit != Limit::Age && old.left.is_some() {
            pruned.kept.push(old);
            continue;
        }
        if mode == Mode::Remove
            && let Err(error) = alone.discard(&folder.path)
        {
            old.error = Some(error.to_string());
            pruned.kept.push(old);
            continue;
        }
        count -= 1;
        size = size.saturating_sub(old.bytes);
        pruned.removed.push(old);
    }
    Ok(Some(pruned))
}

/// Removes old runs and logs it.
fn prune_and_log(state: &StateFolder, keep: &Keep) {
    let now = SystemTime::now();
    let pruned = match prune(state, keep, now, Mode::Remove, Wait::No) {
        Ok(pruned) => pruned.unwrap_or_default(),
        Err(error) => {
            tracing::warn!("old runs cannot be removed: {error}");
            return;
        }
    };
    for Old { run, left, age, .. } in pruned.removed {
        let days = age / Duration::from_hours(24).as_secs_f64();
        match left {
            None => tracing::info!("removed the old run {run}"),
            Some(left) => tracing::warn!(
                "removed the run {run}, of {days:.0} days ago, which nobody has delivered: {left}"
            ),
        }
    }
    for Old { run, error, .. } in pruned.kept {
        if let Some(error) = error {
            tracing::warn!("the old run {run} cannot be removed: {error}");
        }
    }
}

/// When the run began or was imported. What was written to it last says little: to
/// try to deliver what is left writes too.
fn came(folder: &Path) -> Option<SystemTime> {
    let journal = std::fs::metadata(folder.join(JOURNAL)).ok()?;
    let lock = std::fs::metadata(folder.join(LOCK)).ok();
    lock.unwrap_or(journal).modified().ok()
}

/// What a folder takes on the disk, but for what readers of a journal leave.
#[must_use]
pub fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder);
    let entries = entries.into_iter().flatten().flatten();
    let kept = entries.filter(|entry| !entry.file_name().as_encoded_bytes().ends_with(b"-shm"));
    let sizes = kept.map(|entry| {
        let metadata = entry.metadata();
        match metadata {
            Ok(metadata) if metadata.is_dir() => bytes_of(&entry.path()),
            // Blocks of stat(2), whatever the file system's are.
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        }
    });
    sizes.sum()
}

/// What the journal of a run says.
#[derive(Default)]
struct Inside {
    /// What sinks have not got, in words.
    left: Option<String>,
    /// The time of the last event, 0 where there is none.
    last: f64,
}

impl Inside {
    /// Only asked of a run that this process has taken up: to look into another's
    /// journal could release its owner's locks.
    fn of(folder: &RunFolder) -> Self {
        let read = || {
            let Some(reader) = JournalReader::open(&folder.journal())? else {
                return Ok(Self::default());
            };
            Ok(Self {
                left: left(&reader.sinks()?),
                last: reader.last_time()?.unwrap_or_default(),
            })
        };
        read().unwrap_or_else(|error: JournalError| Self {
            left: Some(format!("cannot be read: {error}")),
            last: 0.0,
        })
    }
}

fn left(sinks: &[SinkProgress]) -> Option<String> {
    let open = sinks.iter().filter(|sink| !sink.closed);
    let words: Vec<String> = open
        .map(|sink| match sink.left {
            0 => format!("{}: the end", sink.name),
            1 => format!("{}: 1 event", sink.name),
            left => format!("{}: {left} events", sink.name),
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Removes old runs in the background.
///
/// # Errors
///
/// Where no thread can be started.
pub fn in_background(state: StateFolder, keep: Keep) -> io::Result<()> {
    std::thread::Builder::new()
        .name("prune".into())
        .spawn(move || prune_and_log(&state, &keep))
        .map(drop)
}

#[cfg(test)]
mod tests;
