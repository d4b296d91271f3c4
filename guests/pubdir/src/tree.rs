//! How a result gets into the tree: once, whole, and beside those of other runs.
//!
//! A test's folder holds what the published plugin leaves there, `.lock`, `count` and one folder a result,
//! `<index>.<outcome>`. Any number of runs may write into one tree at the same time, and each may die at any
//! moment. So a result goes through these steps, each of which happens or does not:
//!
//! 1. A *draft* is made on the session's [`Workbench`]: a folder with an empty file, named after session and
//!    `seq`, and the folder `result/` with the result's files (without, where the filter drops the result).
//! 2. The draft is renamed to `.claim-<index>` in the test's folder, and thereby the index is claimed: renaming
//!    a folder onto one that is not empty fails. A claim whose index is used up moves on to a later one.
//! 3. `.claim-<index>/result` is renamed to `<index>.<outcome>`: the claim is *settled*.
//! 4. `count` is raised above the index, by renaming a file as well.
//! 5. The result is recorded on the workbench.
//! 6. The claim is renamed back to the workbench, to be the next draft.
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
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use pytest_host_results::Outcome;

use crate::{
    files::{Files, Unless as _, at},
    names,
    pages::Page,
    workbench::{Workbench, is_taken},
};

#[derive(Debug)]
pub struct Tree<F> {
    files: F,
    top: PathBuf,
    session: String,
    /// None before the first result and after an error: what is on disk is looked at anew.
    workbench: Option<Workbench>,
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

/// How far an event got that is delivered again.
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
            workbench: None,
            made: HashSet::new(),
        }
    }

    /// Puts a result into the tree, unless it is there.
    pub fn put(&mut self, entry: &Entry) -> io::Result<()> {
        let mut workbench = match self.workbench.take() {
            Some(workbench) => workbench,
            None => {
                self.made.clear();
                Workbench::open(&self.files, &self.top, &self.session)?
            }
        };
        self.put_once(&mut workbench, entry)?;
        self.workbench = Some(workbench);
        Ok(())
    }

    /// Removes what only serves to recognise events that are delivered again.
    pub fn close(&mut self) -> io::Result<()> {
        self.workbench = None;
        Workbench::remove(&self.files, &self.top, &self.session)
    }

    fn put_once(&mut self, workbench: &mut Workbench, entry: &Entry) -> io::Result<()> {
        let folder = self.folder(&entry.folder)?;
        let owner = format!("{}.{}", self.session, entry.seq);
        let found = if workbench.is_resumed() {
            self.look(workbench, &folder, &owner, entry.seq)?
        } else {
            Found::Nothing
        };
        let claim = match found {
            Found::Recorded => return Ok(()),
            Found::Settled(claim) => claim,
            Found::Nothing => {
                let draft = workbench.draft(&self.files, &owner, entry.pages.as_deref())?;
                let claim = self.claim(&folder, draft)?;
                if entry.pages.is_some() {
                    self.settle(&folder, &claim, entry.outcome)?;
                }
                claim
            }
        };
        self.raise_count(workbench, &folder, &claim)?;
        workbench.record(&self.files, entry.seq)?;
        workbench.take_back(&self.files, &claim.path, &owner)
    }

    /// The folder of a test, with the file `.lock` that the published plugin leaves in it.
    fn folder(&mut self, names: &[String]) -> io::Result<PathBuf> {
        let path = self.top.join(PathBuf::from_iter(names));
        if !self.made.contains(&path) {
            let there = ErrorKind::AlreadyExists;
            let mut level = self.top.clone();
            for name in names {
                level.push(name);
                let made = self.files.create_dir(&level);
                made.unless(there).map_err(at(&level))?;
            }
            let lock = path.join(".lock");
            let made = self.files.create_file(&lock);
            made.unless(there).map_err(at(&lock))?;
            self.made.insert(path.clone());
        }
        Ok(path)
    }

    /// Finds how far an event got that may have been delivered before, and throws away what is of no use.
    fn look(
        &self,
        workbench: &mut Workbench,
        folder: &Path,
        owner: &str,
        seq: u64,
    ) -> io::Result<Found> {
        let is_recorded = workbench.has_done(seq);
        let mut found = if is_recorded {
            Found::Recorded
        } else {
            Found::Nothing
        };
        for name in self.list(folder)? {
            let Some(index) = name.strip_prefix(".claim-").and_then(names::index) else {
                continue;
            };
            let path = folder.join(&name);
            if !self.exists(&path.join(owner))? {
                // One that is empty was left by somebody who died while removing it; the others stay.
                let _ = self.files.remove_dir(&path);
            } else if is_recorded {
                workbench.take_back(&self.files, &path, owner)?;
            } else if self.exists(&path.join("result"))? {
                workbench.throw_away(&self.files, &path)?;
            } else {
                found = Found::Settled(Claim { path, index });
            }
        }
        Ok(found)
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
        let indexes = names.iter().filter_map(|name| names::result_index(name));
        let above = indexes.max().map_or(0, |index| index + 1);
        Ok(above.max(self.count(folder)?))
    }

    fn settle(&self, folder: &Path, claim: &Claim, outcome: Outcome) -> io::Result<()> {
        let result = folder.join(result_name(claim.index, outcome));
        let renamed = self.files.rename(&claim.path.join("result"), &result);
        renamed.map_err(at(&result))
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

    fn raise_count(&self, workbench: &Workbench, folder: &Path, claim: &Claim) -> io::Result<()> {
        let path = folder.join("count");
        let mut next = claim.index + 1;
        while self.count(folder)? < next {
            workbench.replace(&self.files, &path, next.to_string().as_bytes())?;
            if !self.has_result(folder, next)? {
                break;
            }
            // Between our look and our rename another run raised it higher, for a result that is there now.
            next = self.first_unused(folder)?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.files.list(path).map_err(at(path))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.files.exists(path).map_err(at(path))
    }
}

fn result_name(index: u64, outcome: Outcome) -> String {
    format!("{index}.{outcome}")
}

#[cfg(test)]
mod disks;
#[cfg(test)]
mod tests;
