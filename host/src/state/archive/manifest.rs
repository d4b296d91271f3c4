//! What an archive says of itself.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{ArchiveError, MANIFEST, SEGMENTS};
use crate::protocol::segment;
use crate::state::runs::JOURNAL;

/// The format that this host writes. A newer one is refused, never guessed at.
pub const FORMAT: u32 = 1;
const KIND: &str = "pytest-host run";
/// What a manifest may have at most.
pub const MANIFEST_BYTES: u64 = 1 << 20;

/// What an archive says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    kind: String,
    format: u32,
    /// The host that made it.
    host: String,
    pub run: String,
    /// Behind the manifest, in this order.
    pub members: Vec<Member>,
}

/// One file of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Member {
    pub name: String,
    pub size: u64,
    pub sha256: String,
}

/// What every format's manifest begins with.
#[derive(Deserialize)]
struct Beginning {
    kind: String,
    format: u32,
    host: String,
}

impl Manifest {
    #[must_use]
    pub fn new(run: &str, members: Vec<Member>) -> Self {
        Self {
            kind: KIND.to_owned(),
            format: FORMAT,
            host: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.to_owned(),
            members,
        }
    }

    /// Reads a manifest and checks all that it says.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, ArchiveError> {
        let beginning: Beginning = serde_json::from_slice(text)
            .map_err(|_| ArchiveError::Foreign("its manifest is another's"))?;
        if beginning.kind != KIND {
            return Err(ArchiveError::Foreign("its manifest is another's"));
        }
        if beginning.format > FORMAT {
            return Err(ArchiveError::Newer {
                host: crate::text::printable(&beginning.host),
                found: beginning.format,
                known: FORMAT,
            });
        }
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|error| ArchiveError::Damaged(format!("{MANIFEST}: {error}")))?;
        check_name(&manifest.run)?;
        let mut names = HashSet::new();
        for member in &manifest.members {
            if !is_known(&member.name) {
                return Err(ArchiveError::Damaged(format!(
                    "{:?} does not belong in it",
                    member.name
                )));
            }
            if !names.insert(member.name.as_str()) {
                return Err(ArchiveError::Damaged(format!(
                    "{:?} is in it twice",
                    member.name
                )));
            }
        }
        if !names.contains(JOURNAL) {
            return Err(ArchiveError::Damaged("it has no journal".to_owned()));
        }
        Ok(manifest)
    }

    /// The bytes of all members.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.members
            .iter()
            .fold(0, |sum, member| sum.saturating_add(member.size))
    }
}

/// Names are compared with those that a run has, and never taken for paths.
fn is_known(name: &str) -> bool {
    name == JOURNAL
        || name
            .strip_prefix(SEGMENTS)
            .is_some_and(|file| parse_segment(file).is_some())
}

/// The process and number of a segment whose name is nothing but that.
pub fn parse_segment(file: &str) -> Option<(&str, u32)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    segment::parse_name(file)
        .filter(|(process, _)| !process.is_empty() && process.chars().all(plain))
}

/// Whether `name` is a run's: `2026-11-21T10-10-42-3f9a`.
pub fn check_name(name: &str) -> Result<(), ArchiveError> {
    const LIKE: &str = "0000-00-00T00-00-00-xxxx";
    let fits = name.len() == LIKE.len()
        && name.chars().zip(LIKE.chars()).all(|(c, like)| match like {
            '0' => c.is_ascii_digit(),
            'x' => matches!(c, '0'..='9' | 'a'..='f'),
            other => c == other,
        });
    if fits {
        Ok(())
    } else {
        Err(ArchiveError::Name(name.to_owned()))
    }
}
