//! Where the core of a run is: a file in the run's folder.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const NAME: &str = "core";

#[derive(Debug, Serialize, Deserialize)]
struct Address {
    /// The core's runtime folder.
    address: PathBuf,
}

/// Says that the core at `address` serves the run in `folder`.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write_address(folder: &Path, address: &Path) -> io::Result<()> {
    let unfinished = folder.join("core.new");
    let mut file = File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    let address = address.to_owned();
    file.write_all(&serde_json::to_vec(&Address { address })?)?;
    std::fs::rename(unfinished, folder.join(NAME))
}

/// Nobody serves the run any more.
pub fn forget_address(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(NAME));
}

/// Of the core that serves the run in `folder`, or did until it died.
pub(super) fn read_address(folder: &Path) -> Option<PathBuf> {
    let text = std::fs::read(folder.join(NAME)).ok()?;
    let found: Address = serde_json::from_slice(&text).ok()?;
    Some(found.address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn an_address_is_the_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_address(folder.path()), None);
        write_address(folder.path(), Path::new("/run/x")).unwrap();
        assert_eq!(read_address(folder.path()), Some("/run/x".into()));
        let mode = std::fs::metadata(folder.path().join(NAME))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        forget_address(folder.path());
        assert_eq!(read_address(folder.path()), None);
    }
}
