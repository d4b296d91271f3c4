//! Folders that nobody else can look into or write to.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

/// Makes `folder` with mode 0700 where it is not there, and refuses one that is
/// somebody else's, a link, or open to others.
///
/// # Errors
///
/// Where it cannot be made or is refused.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let found = std::fs::symlink_metadata(folder)?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if found.is_dir() && ours && found.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "{} should be a folder of yours with mode 0700",
            folder.display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("modules");
        private_folder(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(private_folder(&folder).is_err());
    }

    #[test]
    fn a_link_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let link = base.path().join("modules");
        std::os::unix::fs::symlink(base.path(), &link).unwrap();
        assert!(private_folder(&link).is_err());
    }
}
