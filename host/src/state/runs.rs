//! `.pytest_host/`: one folder a run.
//!
//! ```text
//! .pytest_host/
//!   .gitignore
//!   core.log
//!   runs/2026-11-21T10-10-42-3f9a/
//!     lock         held by the core that owns the run
//!     owner        held as well, so that others can see it without touching `lock`
//!     core         where the core is that serves the run: see `control`
//!     journal.db
//!     segments/    what pytest wrote and is not in the journal yet
//!   temporary/     on its way in or out: see `temporary.rs`
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};

use super::private_folder;
use crate::text::hex;

const NAME: &str = ".pytest_host";
pub(super) const JOURNAL: &str = "journal.db";
/// Made with the run and never written to: its time is when the run came here.
pub(super) const LOCK: &str = "lock";
/// Locked as well: to look whether a run has an owner is to try this one.
const OWNER: &str = "owner";

/// The folder that runs are kept in.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// `.pytest_host` in `root`, or where that cannot be written, a folder of
    /// the user's own for it.
    ///
    /// # Errors
    ///
    /// Where neither can be made.
    pub fn make(root: &Path) -> io::Result<Self> {
        let beside = root.join(NAME);
        let path = match prepare(&beside) {
            Ok(()) => beside,
            Err(refused) => {
                let elsewhere = Self::elsewhere(root).ok_or(refused)?;
                prepare(&elsewhere)?;
                elsewhere
            }
        };
        Ok(Self { path })
    }

    /// The folder where `make` has made it before.
    #[must_use]
    pub fn find(root: &Path) -> Option<Self> {
        let elsewhere = Self::elsewhere(root);
        std::iter::once(root.join(NAME))
            .chain(elsewhere)
            .find(|path| path.join("runs").is_dir())
            .map(|path| Self { path })
    }

    fn elsewhere(root: &Path) -> Option<PathBuf> {
        let strategy = etcetera::choose_base_strategy().ok()?;
        let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let digest = hex(&digest);
        Some(base.join("pytest-host").join(digest.get(..16)?))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where cores write what is worth a look afterwards.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("core.log")
    }

    /// Makes the folder of a new run, owned by this process.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn new_run(&self) -> io::Result<RunFolder> {
        loop {
            let id = name(jiff::Timestamp::now());
            let path = self.path.join("runs").join(&id);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                // Of the same moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            private_folder(&path.join("segments"))?;
            let folder = RunFolder::own(&id, path)?;
            return folder.ok_or_else(|| io::Error::other("a new run is owned already"));
        }
    }

    /// The runs that are kept, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path.join("runs"));
        let mut ids: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join(JOURNAL).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// The folder of a run that somebody else may own.
    #[must_use]
    pub fn folder_of(&self, id: &str) -> PathBuf {
        self.path.join("runs").join(id)
    }

    /// The journal of a run that somebody else may own.
    #[must_use]
    pub fn journal_of(&self, id: &str) -> PathBuf {
        self.folder_of(id).join(JOURNAL)
    }

    /// Whether somebody owns the run, this process included. Whoever takes it up at
    /// this moment is not refused, as it would be while `lock` was tried.
    #[must_use]
    pub fn is_owned(&self, id: &str) -> bool {
        File::open(self.folder_of(id).join(OWNER)).is_ok_and(|owner| {
            rustix::fs::flock(&owner, FlockOperation::NonBlockingLockShared)
                == Err(rustix::io::Errno::WOULDBLOCK)
        })
    }

    /// Takes up a run, where nobody owns it.
    ///
    /// # Errors
    ///
    /// Where its folder cannot be used.
    pub fn take_up(&self, id: &str) -> io::Result<Option<RunFolder>> {
        RunFolder::own(id, self.folder_of(id))
    }
}

/// The folder of a run, owned for as long as this lives.
#[derive(Debug)]
pub struct RunFolder {
    pub id: String,
    pub path: PathBuf,
    _lock: File,
    _owner: File,
}

impl RunFolder {
    fn own(id: &str, path: PathBuf) -> io::Result<Option<Self>> {
        let open = |name: &str| {
            let mut options = File::options();
            let options = options.create(true).truncate(false).write(true);
            options.open(path.join(name))
        };
        let lock = open(LOCK)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let owner = open(OWNER)?;
        // Nobody has it for longer than it takes to look.
        if let Err(error) = rustix::fs::flock(&owner, FlockOperation::LockExclusive) {
            tracing::warn!("others will not see that {id} has an owner: {error}");
        }
        Ok(Some(Self {
            id: id.to_owned(),
            path,
            _lock: lock,
            _owner: owner,
        }))
    }

    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    #[must_use]
    pub fn segments(&self) -> PathBuf {
        self.path.join("segments")
    }

    /// Removes the run and all it has.
    ///
    /// # Errors
    ///
    /// Where it cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.path)
    }
}

/// Names are in the order of time, also within a second: the last four digits are of it,
/// in parts of 65,536.
fn name(now: jiff::Timestamp) -> String {
    let nanoseconds = now.as_nanosecond().rem_euclid(1_000_000_000);
    let part = nanoseconds * 65_536 / 1_000_000_000;
    format!("{}-{part:04x}", now.strftime("%Y-%m-%dT%H-%M-%S"))
}

fn prepare(path: &Path) -> io::Result<()> {
    // Runs hold what tests print: nobody else's to read.
    private_folder(&path.join("runs"))?;
    let ignore = path.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(ignore, "# Made by pytest-host.\n*\n")?;
    }
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_owner() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        let run = state.new_run().unwrap();
        std::fs::write(run.journal(), "").unwrap();
        assert_eq!(state.runs(), std::slice::from_ref(&run.id));
        assert!(state.take_up(&run.id).unwrap().is_none());
        let id = run.id.clone();
        drop(run);
        state.take_up(&id).unwrap().unwrap().remove().unwrap();
        assert!(state.runs().is_empty());
        assert!(root.path().join(".pytest_host/.gitignore").exists());
    }

    #[test]
    fn runs_have_names_of_their_own_in_their_order() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        let ids: Vec<String> = (0..500)
            .map(|_| state.new_run().unwrap().id.clone())
            .collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    }

    #[test]
    fn a_name_tells_the_time() {
        let at = |nanosecond| jiff::Timestamp::new(1_795_255_842, nanosecond).unwrap();
        assert_eq!(name(at(0)), "2026-11-21T10-10-42-0000");
        assert_eq!(name(at(999_999_999)), "2026-11-21T10-10-42-ffff");
    }

    #[test]
    fn an_owner_is_seen_without_being_disturbed() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        let run = state.new_run().unwrap();
        let id = run.id.clone();
        assert!(state.is_owned(&id));
        assert!(state.is_owned(&id), "still");
        assert!(state.take_up(&id).unwrap().is_none(), "still");
        drop(run);
        assert!(!state.is_owned(&id));
        assert!(!state.is_owned("2026-no-such-run"));
    }

    /// However often somebody looks.
    #[test]
    fn looking_is_in_nobodys_way() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        let id = state.new_run().unwrap().id.clone();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = state.is_owned(&id);
                }
            });
            for _ in 0..500 {
                let run = state.take_up(&id).unwrap().unwrap();
                assert!(state.is_owned(&id));
                drop(run);
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
