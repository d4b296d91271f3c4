//! A run as one file, to be moved between machines.
//!
//! A tar archive, compressed with gzip:
//!
//! ```text
//! manifest.json        what follows, with sizes and digests
//! journal.db           the events; neither sinks nor their settings
//! segments/main-7.1.seg  what is not in the journal yet
//! ```

mod export;
mod import;
mod manifest;

use std::io;

pub use export::{Exported, export};
pub use import::import;

use crate::journal::{CopyError, JournalError};

/// What an import may take on the disk, unless told otherwise.
pub const MOST: u64 = 4 << 30;

const MANIFEST: &str = "manifest.json";
const SEGMENTS: &str = "segments/";

/// A run that cannot be written to a file, or read from one.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("{what}: {error}")]
    Io {
        what: &'static str,
        error: io::Error,
    },
    #[error("not a run that was exported: {0}")]
    Foreign(&'static str),
    #[error("damaged: {0}")]
    Damaged(String),
    #[error("made by host {host}, in format {found}; this host knows up to {known}")]
    Newer {
        host: String,
        found: u32,
        known: u32,
    },
    #[error("would take {found}, more than {most}")]
    TooLarge { found: String, most: String },
    #[error("a run is named {0} already; take another name with --as")]
    Exists(String),
    #[error("{0:?} is no name of a run; they are like 2026-11-21T10-10-42-3f9a")]
    Name(String),
    #[error("nothing of it is in its journal yet")]
    Empty,
    #[error("{0}")]
    Journal(#[from] JournalError),
}

impl ArchiveError {
    /// Nothing was wrong but what was given.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Journal(_))
    }
}

impl From<CopyError> for ArchiveError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Journal(error) if error.is_of_the_disk() => Self::Journal(error),
            error => Self::Damaged(error.to_string()),
        }
    }
}

fn io_error(what: &'static str) -> impl Fn(io::Error) -> ArchiveError {
    move |error| ArchiveError::Io { what, error }
}

#[cfg(test)]
mod tests;
