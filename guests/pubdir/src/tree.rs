//! How a result gets into the tree: once, whole, and beside those of other runs.
//!
//! A test's folder holds what the published plugin leaves there, `.lock`, `count` and one folder a result,
//! `<index>.<outcome>`. Any number of runs may write into one tree at the same time, and each may die at any
//! moment. So a result goes through these steps, each of which happens or does not:
//!
//! 1. A *draft*, `.draft-<owner>/`, is made, where `<owner>` is session and `seq`. It holds an empty file
//!    `<owner>` and the folder `result/` with the result's files, or nothing where the filter drops it.
//! 2. The draft is renamed to `.claim-<index>`, and thereby the index is claimed: renaming a folder onto one
//!    that is not empty fails. A claim whose index turns out to be used up moves on to a later one.
//! 3. `.claim-<index>/result` is renamed to `<index>.<outcome>`, or removed where the result is dropped. The
//!    claim is now *settled*.
//! 4. `count` is raised above the index, by renaming a file from inside the claim.
//! 5. The result is recorded in the session's [`Journal`].
//! 6. The claim is removed: the file `<owner>` first, which leaves an empty folder, which is anyone's to remove.
//!
//! An index is used up once it has a result, and whoever claims one looks for that after the claim, so it does
//! not matter what happened between choosing and claiming. `count` says where to look first, and no result
//! depends on it: of two runs that raise it at once the lower may win, which is seen and mended. A result that
//! the filter drops takes up an index by `count` alone; two runs at once may count one too few of those.
//!
//! When an event is delivered again, by a new instance or after an error, what is there says how far it got:
//! recorded, and maybe not yet cleaned up; settled, and steps 4 to 6 are repeated; anything before that is
//! thrown away.

use std::{
    collections::HashSet,
    fmt::Display,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use pytest_host_results::Outcome;

use crate::{
    files::{Files, Unless as _, at, remove_all},
    journal::Journal,
    names,
    pages::Page,
};

#[derive(Debug)]
pub struct Tree<F> {
    files: F,
    top: PathBuf,
    session: String,
    /// None before the first result and after an error: what is on disk is looked at anew.
    journal: Option<Journal>,
    /// Folders known to be there.
    made: HashSet<PathBuf>,
}

/// A result to put into the tree.
#[derive(Clone, Debug)]
pub struct Entry {
    pub seq: u64,
    /// Below the tree's top, one name a level.
    pub folder: Vec<String>,
    pub outcome: Outcome,
    /// None where the filter drops the result, which then takes up its index and leaves nothing else.
    pub pages: Option<Vec<Page>>,
}

/// An index of a folder that is ours.
struct Claim {
    path: PathBuf,
    index: u64,
}

enum Found {
    Nothing,
    Settled(Claim),
    Recorded,
}

impl<F: Files> Tree<F> {
    pub fn new(files: F, top: PathBuf, session: &str) -> Self {
        Self {
            files,
            top,
            session: names::encode(session),
            journal: None,
            made: HashSet::new(),
        }
    }

    /// Puts a result into the tree, unless it is there.
    pub fn put(&mut self, entry: &Entry) -> io::Result<()> {
        let mut journal = match self.journal.take() {
            Some(journal) => journal,
            None => {
                self.made.clear();
                Journal::begin(&self.files, &self.top, &self.session)?
            }
        };
        self.put_once(&mut journal, entry)?;
        self.journal = Some(journal);
        Ok(())
    }

    /// Removes what only serves to recognise events that are delivered again.
    pub fn close(&mut self) -> io::Result<()> {
        self.journal = None;
        Journal::end(&self.files, &self.top, &self.session)
    }

    fn put_once(&mut self, journal: &mut Journal, entry: &Entry) -> io::Result<()> {
        let folder = self.folder(&entry.folder)?;
        let owner = format!("{}.{}", self.session, entry.seq);
        let draft = folder.join(format!(".draft-{owner}"));
        let found = if journal.resumed() {
            self.look(&folder, &owner, &draft, journal.has(entry.seq))?
        } else {
            Found::Nothing
        };
        let claim = match found {
            Found::Recorded => return Ok(()),
            Found::Settled(claim) => claim,
            Found::Nothing => {
                self.draft(&draft, &owner, entry.pages.as_deref())?;
                let claim = self.claim(&folder, draft)?;
                self.settle(&folder, &claim, entry)?;
                claim
            }
        };
        self.raise_count(&folder, &claim)?;
        journal.record(&self.files, entry.seq)?;
        self.release(&claim, &owner)
    }

    /// The folder of a test, with the file `.lock` that the published plugin leaves in it.
    fn folder(&mut self, names: &[String]) -> io::Result<PathBuf> {
        let path = self.top.join(PathBuf::from_iter(names));
        if !self.made.contains(&path) {
            let mut level = self.top.clone();
            for name in names {
                level.push(name);
                self.files
                    .create_dir(&level)
                    .unless(ErrorKind::AlreadyExists)
                    .map_err(at(&level))?;
            }
            let lock = path.join(".lock");
            self.files
                .create_file(&lock)
                .unless(ErrorKind::AlreadyExists)
                .map_err(at(&lock))?;
            self.made.insert(path.clone());
        }
        Ok(path)
    }

    /// Finds how far an event got that may have been delivered before, and throws away what is of no use.
    fn look(&self, folder: &Path, owner: &str, draft: &Path, recorded: bool) -> io::Result<Found> {
        let mut found = if recorded {
            Found::Recorded
        } else {
            Found::Nothing
        };
        for name in self.list(folder)? {
            let Some(index) = name
                .strip_prefix(".claim-")
                .and_then(|index| index.parse().ok())
            else {
                continue;
            };
            let path = folder.join(&name);
            if !self.exists(&path.join(owner))? {
                // An empty one is an owner's that died between the two halves of step 6; others stay.
                let _ = self.files.remove_dir(&path);
            } else if recorded {
                self.release(&Claim { path, index }, owner)?;
            } else if self.exists(&path.join("result"))? {
                remove_all(&self.files, draft)?;
                self.files.rename(&path, draft).map_err(at(&path))?;
            } else {
                found = Found::Settled(Claim { path, index });
            }
        }
        remove_all(&self.files, draft).map_err(at(draft))?;
        Ok(found)
    }

    fn draft(&self, draft: &Path, owner: &str, pages: Option<&[Page]>) -> io::Result<()> {
        self.files.create_dir(draft).map_err(at(draft))?;
        let owner = draft.join(owner);
        self.files.create_file(&owner).map_err(at(&owner))?;
        let result = draft.join("result");
        self.files.create_dir(&result).map_err(at(&result))?;
        for page in pages.unwrap_or_default() {
            let path = result.join(page.name);
            self.files.write(&path, &page.content).map_err(at(&path))?;
        }
        Ok(())
    }

    /// Claims the first index that nobody has.
    fn claim(&self, folder: &Path, draft: PathBuf) -> io::Result<Claim> {
        let mut from = draft;
        let mut index = self.count(folder)?;
        loop {
            let path = folder.join(format!(".claim-{index}"));
            match self.files.rename(&from, &path) {
                Ok(()) if !self.has_result(folder, index)? => return Ok(Claim { path, index }),
                Ok(()) => {
                    from = path;
                    index = self.first_unused(folder)?.max(index + 1);
                }
                Err(error) if is_taken(&error) => index += 1,
                Err(error) => return Err(at(&path)(error)),
            }
        }
    }

    fn has_result(&self, folder: &Path, index: u64) -> io::Result<bool> {
        for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Skip] {
            if self.exists(&folder.join(result_name(index, outcome)))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn first_unused(&self, folder: &Path) -> io::Result<u64> {
        let names = self.list(folder)?;
        let above = names
            .iter()
            .filter_map(|name| names::result_index(name))
            .max()
            .map_or(0, |index| index + 1);
        Ok(above.max(self.count(folder)?))
    }

    fn settle(&self, folder: &Path, claim: &Claim, entry: &Entry) -> io::Result<()> {
        let result = claim.path.join("result");
        if entry.pages.is_some() {
            self.files.rename(
                &result,
                &folder.join(result_name(claim.index, entry.outcome)),
            )
        } else {
            self.files.remove_dir(&result)
        }
        .map_err(at(&result))
    }

    /// The index that the next result may have; 0 where there is no such file, or no number in it.
    fn count(&self, folder: &Path) -> io::Result<u64> {
        let path = folder.join("count");
        match self.files.read(&path) {
            Ok(content) => Ok(str::from_utf8(&content)
                .ok()
                .and_then(names::index)
                .unwrap_or(0)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(at(&path)(error)),
        }
    }

    fn raise_count(&self, folder: &Path, claim: &Claim) -> io::Result<()> {
        let new = claim.path.join("count");
        let mut next = claim.index + 1;
        while self.count(folder)? < next {
            self.files
                .write(&new, next.to_string().as_bytes())
                .map_err(at(&new))?;
            self.files
                .rename(&new, &folder.join("count"))
                .map_err(at(&new))?;
            if !self.has_result(folder, next)? {
                break;
            }
            // Between our look and our rename another run raised it higher, for a result that is there now.
            next = self.first_unused(folder)?;
        }
        Ok(())
    }

    fn release(&self, claim: &Claim, owner: &str) -> io::Result<()> {
        let new_count = claim.path.join("count");
        self.files
            .remove_file(&new_count)
            .unless(ErrorKind::NotFound)
            .map_err(at(&new_count))?;
        let owner = claim.path.join(owner);
        self.files.remove_file(&owner).map_err(at(&owner))?;
        match self.files.remove_dir(&claim.path) {
            // Empty as it was, another run has put its own claim there.
            Err(error) if error.kind() == ErrorKind::NotFound || is_taken(&error) => Ok(()),
            done => done.map_err(at(&claim.path)),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.files.list(path).map_err(at(path))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.files.exists(path).map_err(at(path))
    }
}

fn result_name(index: u64, outcome: impl Display) -> String {
    format!("{index}.{outcome}")
}

/// Whether a folder could not be replaced, or removed, because it is not empty.
fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
    )
}

#[cfg(test)]
mod disks;
#[cfg(test)]
mod tests;
