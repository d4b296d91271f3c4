//! Whether a journal is in the mode in which readers wait for nobody, found out without
//! SQLite: a reader that came before could be in the way of the change.
//!
//! A process that closes a file that SQLite has open releases SQLite's locks on it. So a
//! process looks into a journal once at most, and never into one that it writes.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Device and inode.
type File = (u64, u64);

static KNOWN: Mutex<BTreeMap<File, bool>> = Mutex::new(BTreeMap::new());

fn known() -> MutexGuard<'static, BTreeMap<File, bool>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(file: &Path) -> Option<File> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino()))
}

/// This process makes the journal in `file`, or has.
pub fn set(file: &Path, is_ready: bool) {
    if let Some(identity) = identity(file) {
        known().insert(identity, is_ready);
    }
}

/// Whether the journal in `file` can be read.
#[must_use]
pub fn is_ready(file: &Path) -> bool {
    let Some(identity) = identity(file) else {
        return false;
    };
    // Held while the file is open here: nobody else of this process opens it meanwhile.
    let mut known = known();
    if let Some(is_ready) = known.get(&identity) {
        return *is_ready;
    }
    let is_ready = look(file);
    if is_ready {
        known.insert(identity, true);
    }
    is_ready
}

/// Bytes 18 and 19 of an SQLite file: the versions for writing and for reading.
fn look(file: &Path) -> bool {
    let mut header = [0; 20];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.ends_with(&[2, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{JournalReader, SqliteJournal};

    /// What another process finds locked of `file`: SQLite's own locks.
    fn is_locked_for_others(file: &Path) -> bool {
        let script = "import fcntl, sys
with open(sys.argv[1], 'rb+') as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print('locked')
";
        let asked = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(file)
            .output()
            .unwrap();
        assert!(asked.status.success());
        asked.stdout == b"locked\n"
    }

    #[test]
    fn a_reader_leaves_the_locks_of_its_own_process_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let journal = SqliteJournal::open(&file).unwrap();
        assert!(is_locked_for_others(&file), "SQLite holds none");
        let reader = JournalReader::open(&file).unwrap().unwrap();
        assert!(is_locked_for_others(&file));
        drop(reader);
        JournalReader::open(&file).unwrap().unwrap();
        assert!(is_locked_for_others(&file));
        drop(journal);
        assert!(!is_locked_for_others(&file));
    }
}
