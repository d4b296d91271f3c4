//! Names of folders, and files that are there whole or not at all.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::text::hex;

/// An id that is longer is no name of a folder.
const LONGEST: usize = 64;

/// Makes a folder for the job `id` in `base`. Another of the same id may be there still:
/// one that was removed while its process ran.
pub fn make(base: &Path, id: &str) -> io::Result<PathBuf> {
    let name = name(id);
    for nth in 1..u32::MAX {
        let folder = match nth {
            1 => base.join(&name),
            _ => base.join(format!("{name}~{nth}")),
        };
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no name is left for a folder"))
}

/// The id itself, where it can be the name of a folder, or a digest of it.
fn name(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
    let fits =
        !id.is_empty() && id.len() <= LONGEST && !id.starts_with('.') && id != super::jobs::LOCK;
    if fits && id.chars().all(plain) {
        return id.to_owned();
    }
    let digest = hex(&Sha256::digest(id.as_bytes()));
    format!("%{}", digest.get(..32).unwrap_or_default())
}

/// Writes `value` to `path`, at once for whoever reads it.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.persist(path)?;
    Ok(())
}

/// Makes the file and locks it.
pub fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = File::options();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether somebody has the file locked.
pub fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| {
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared)
            .is_err_and(|error| error == rustix::io::Errno::WOULDBLOCK)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_that_are_no_names_get_one() {
        assert_eq!(name("nightly-3.12_a@b"), "nightly-3.12_a@b");
        let long = "x".repeat(LONGEST + 1);
        let odd = [
            "", "a/b", ".", "..", ".x", "a b", "%", "é", "lock", "~", &long,
        ];
        let names: std::collections::BTreeSet<String> = odd.into_iter().map(name).collect();
        assert_eq!(names.len(), odd.len());
    }

    #[test]
    fn two_jobs_of_one_id_have_a_folder_each() {
        let base = tempfile::tempdir().unwrap();
        let first = make(base.path(), "a").unwrap();
        let second = make(base.path(), "a").unwrap();
        assert_eq!(first, base.path().join("a"));
        assert_eq!(second, base.path().join("a~2"));
    }

    #[test]
    fn a_lock_is_seen() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("lock");
        assert!(!is_locked(&path));
        let held = lock(&path).unwrap();
        assert!(held.is_some() && is_locked(&path) && is_locked(&path));
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(!is_locked(&path) && lock(&path).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn a_name_is_one_folder_in_the_base(id in ".*") {
            let base = tempfile::tempdir().unwrap();
            let folder = make(base.path(), &id).unwrap();
            prop_assert_eq!(folder.parent(), Some(base.path()));
            prop_assert!(folder.is_dir());
        }
    }
}
