//! What a session has put into the tree already: a hidden file at its top, for as long as the session lasts.
//!
//! The host delivers an event again where it cannot know that the event was handled, say because the guest died
//! on the way out. The sink's `state` is no help there: it is committed with the acknowledgement, and it is the
//! acknowledgement that is missing.

use std::{
    collections::HashSet,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::files::{Files, Unless as _, at};

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// What an instance before this one had done.
    done: HashSet<u64>,
    /// Whether there was one.
    resumed: bool,
}

impl Journal {
    /// Begins the session's journal, or takes it up again.
    pub fn begin(files: &impl Files, top: &Path, session: &str) -> io::Result<Self> {
        let path = path(top, session);
        match files.create_file(&path) {
            Ok(()) => Ok(Self {
                path,
                done: HashSet::new(),
                resumed: false,
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let done = parse(&files.read(&path).map_err(at(&path))?);
                Ok(Self {
                    path,
                    done,
                    resumed: true,
                })
            }
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Whether there may be remains of an instance before this one.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    pub fn has(&self, seq: u64) -> bool {
        self.done.contains(&seq)
    }

    pub fn record(&mut self, files: &impl Files, seq: u64) -> io::Result<()> {
        files
            .append(&self.path, format!("\n{seq};").as_bytes())
            .map_err(at(&self.path))
    }

    /// Removes a session's journal, whether or not there is one.
    pub fn end(files: &impl Files, top: &Path, session: &str) -> io::Result<()> {
        let path = path(top, session);
        files
            .remove_file(&path)
            .unless(ErrorKind::NotFound)
            .map_err(at(&path))
    }
}

fn path(top: &Path, session: &str) -> PathBuf {
    top.join(format!(".pubdir-{session}"))
}

/// Reads entries. One that was cut short lacks its `;`, and the line break that begins the next one ends it.
fn parse(content: &[u8]) -> HashSet<u64> {
    let text = String::from_utf8_lossy(content);
    text.lines()
        .filter_map(|line| line.strip_suffix(';')?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_was_cut_short_does_not_count() {
        assert_eq!(parse(b"\n1;\n12\n13;\n14"), HashSet::from([1, 13]));
    }
}
