//! A session's workbench: a hidden folder at the tree's top, for as long as the session lasts.
//!
//! It holds what the session has put into the tree already, and the draft of what comes next.
//!
//! The host delivers an event again where it cannot know that the event was handled, say because the guest died
//! on the way out. The sink's `state` is no help there: it is committed with the acknowledgement, and it is the
//! acknowledgement that is missing.

use std::{
    collections::HashSet,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::{
    files::{Files, at, remove_all},
    pages::Page,
};

#[derive(Debug)]
pub struct Workbench {
    path: PathBuf,
    /// What an instance before this one had done.
    done: HashSet<u64>,
    /// Whether there was one.
    resumed: bool,
    /// Whose draft is there, if there is one.
    owner: Option<String>,
}

impl Workbench {
    /// Sets up a session's workbench, or takes it over.
    pub fn open(files: &impl Files, top: &Path, session: &str) -> io::Result<Self> {
        let path = folder(top, session);
        let resumed = match files.create_dir(&path) {
            Ok(()) => false,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => true,
            Err(error) => return Err(at(&path)(error)),
        };
        let journal = path.join("done");
        let done = match files.read(&journal) {
            Ok(content) => parse(&content),
            Err(error) if error.kind() == ErrorKind::NotFound => HashSet::new(),
            Err(error) => return Err(at(&journal)(error)),
        };
        Ok(Self {
            path,
            done,
            resumed,
            owner: None,
        })
    }

    /// Removes a session's workbench, whether or not there is one.
    pub fn remove(files: &impl Files, top: &Path, session: &str) -> io::Result<()> {
        let path = folder(top, session);
        remove_all(files, &path).map_err(at(&path))
    }

    /// Whether there may be remains of an instance before this one.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    pub fn has_done(&self, seq: u64) -> bool {
        self.done.contains(&seq)
    }

    pub fn record(&self, files: &impl Files, seq: u64) -> io::Result<()> {
        let journal = self.path.join("done");
        let entry = format!("\n{seq};");
        files
            .append(&journal, entry.as_bytes())
            .map_err(at(&journal))
    }

    /// Puts content in place of a file's, with no moment in between.
    pub fn replace(&self, files: &impl Files, path: &Path, content: &[u8]) -> io::Result<()> {
        let new = self.path.join("new");
        files.write(&new, content).map_err(at(&new))?;
        files.rename(&new, path).map_err(at(path))
    }

    /// Makes a draft: an empty file with its owner's name, and the folder `result` where there are pages.
    pub fn draft(
        &mut self,
        files: &impl Files,
        owner: &str,
        pages: Option<&[Page]>,
    ) -> io::Result<PathBuf> {
        let draft = self.path.join("draft");
        let marker = draft.join(owner);
        match self.owner.take() {
            Some(previous) => files.rename(&draft.join(previous), &marker),
            None => {
                remove_all(files, &draft).map_err(at(&draft))?;
                files.create_dir(&draft).map_err(at(&draft))?;
                files.create_file(&marker)
            }
        }
        .map_err(at(&marker))?;
        if let Some(pages) = pages {
            let result = draft.join("result");
            files.create_dir(&result).map_err(at(&result))?;
            for page in pages {
                let path = result.join(page.name);
                files.write(&path, &page.content).map_err(at(&path))?;
            }
        }
        Ok(draft)
    }

    /// Takes a folder that was a draft back, with nothing in it but its owner's file: removing folders is what
    /// costs most on many a disk.
    pub fn take_back(&mut self, files: &impl Files, folder: &Path, owner: &str) -> io::Result<()> {
        match files.rename(folder, &self.path.join("draft")) {
            // There is another.
            Err(error) if is_taken(&error) => remove_all(files, folder).map_err(at(folder)),
            Err(error) => Err(at(folder)(error)),
            Ok(()) => {
                self.owner = Some(owner.to_owned());
                Ok(())
            }
        }
    }

    /// Takes a folder away that has more in it, so that it is not seen for anything else while it is removed.
    pub fn throw_away(&mut self, files: &impl Files, folder: &Path) -> io::Result<()> {
        let draft = self.path.join("draft");
        self.owner = None;
        remove_all(files, &draft).map_err(at(&draft))?;
        files.rename(folder, &draft).map_err(at(folder))
    }
}

/// Whether a folder could not be replaced, or removed, because it is not empty.
pub fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
    )
}

fn folder(top: &Path, session: &str) -> PathBuf {
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
