//! `temporary/`: what is on its way in or out. A run is put together here and
//! then renamed to where it is kept; one that goes is renamed to here and then
//! deleted. So a process that dies on the way leaves no half of a run.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::{StateFolder, private_folder};

/// A folder of one's own; removed with this.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    /// Shared with others that put something together; who holds it alone finds
    /// only what nobody is at work on.
    _lock: File,
}

impl Staging {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Whether to wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Yes,
    No,
}

/// The right to remove runs: whoever counts them has to be the only one.
#[derive(Debug)]
pub struct Alone {
    temporary: PathBuf,
    _lock: File,
}

impl Alone {
    /// Removes a run's folder, at once for whoever looks.
    ///
    /// # Errors
    ///
    /// Where it cannot be renamed; what cannot be deleted then is a leftover.
    pub fn discard(&self, folder: &Path) -> io::Result<()> {
        let gone = self.temporary.join(unlike("gone"));
        std::fs::rename(folder, &gone)?;
        if let Err(error) = std::fs::remove_dir_all(&gone) {
            tracing::warn!("cannot be removed: {}: {error}", gone.display());
        }
        Ok(())
    }
}

impl StateFolder {
    /// A folder to put something together in.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn stage(&self) -> io::Result<Staging> {
        let temporary = self.temporary()?;
        let lock = File::open(&temporary)?;
        rustix::fs::flock(&lock, FlockOperation::LockShared)?;
        let path = temporary.join(unlike("staging"));
        private_folder(&path)?;
        Ok(Staging { path, _lock: lock })
    }

    /// Waits until nobody is at work here, or answers at once that somebody is;
    /// deletes what processes left that died on the way.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be made or locked.
    pub fn alone(&self, wait: Wait) -> io::Result<Option<Alone>> {
        let temporary = self.temporary()?;
        let lock = File::open(&temporary)?;
        let operation = match wait {
            Wait::Yes => FlockOperation::LockExclusive,
            Wait::No => FlockOperation::NonBlockingLockExclusive,
        };
        match rustix::fs::flock(&lock, operation) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        for entry in std::fs::read_dir(&temporary)?.flatten() {
            if let Err(error) = std::fs::remove_dir_all(entry.path()) {
                tracing::warn!("cannot be removed: {}: {error}", entry.path().display());
            }
        }
        Ok(Some(Alone {
            temporary,
            _lock: lock,
        }))
    }

    fn temporary(&self) -> io::Result<PathBuf> {
        let path = self.path().join(NAME);
        private_folder(&path)?;
        Ok(path)
    }
}

const NAME: &str = "temporary";

/// A name that nobody else chooses.
fn unlike(what: &str) -> String {
    format!("{what}-{}", uuid::Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(state: &StateFolder) -> usize {
        std::fs::read_dir(state.path().join(NAME)).unwrap().count()
    }

    #[test]
    fn leftovers_go_and_what_is_in_work_stays() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        let staging = state.stage().unwrap();
        std::fs::write(staging.path().join("journal.db"), "x").unwrap();
        let dead = state.path().join(NAME).join("gone-1");
        std::fs::create_dir_all(dead.join("segments")).unwrap();
        assert!(state.alone(Wait::No).unwrap().is_none());
        assert_eq!(held(&state), 2, "somebody is at work");
        drop(staging);
        assert_eq!(held(&state), 1);
        assert!(state.alone(Wait::No).unwrap().is_some());
        assert_eq!(held(&state), 0);
    }

    #[test]
    fn what_is_discarded_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        let run = state.new_run().unwrap();
        std::fs::write(run.journal(), "x").unwrap();
        let alone = state.alone(Wait::Yes).unwrap().unwrap();
        alone.discard(&run.path).unwrap();
        assert!(state.runs().is_empty());
        assert_eq!(held(&state), 0);
    }
}
