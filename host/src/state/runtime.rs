//! Where a core is reached: a folder of the user's alone, with socket and token.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::private_folder;

const SOCKET: &str = "sock";
const TOKEN: &str = "token";

/// A core's runtime folder; removed with this.
#[derive(Debug)]
pub struct RuntimeFolder {
    path: PathBuf,
    token: String,
}

impl RuntimeFolder {
    /// Makes a folder in `$XDG_RUNTIME_DIR/pytest-host`, or in one of the
    /// user's own below the folder for temporary files. Short: a Unix socket's
    /// path may have 107 bytes.
    ///
    /// # Errors
    ///
    /// Where none can be made, or somebody else has made it before.
    pub fn make() -> io::Result<Self> {
        let base = Self::base();
        private_folder(&base)?;
        let path = base.join(format!("{:08x}", fastrand::u32(..)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mut file = std::fs::File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path.join(TOKEN))?;
        writeln!(file, "{token}")?;
        Ok(Self { path, token })
    }

    /// What all runtime folders of this user are in.
    #[must_use]
    pub fn base() -> PathBuf {
        let user = rustix::process::geteuid().as_raw();
        let named = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|runtime| runtime.is_dir())
            .map(|runtime| runtime.join("pytest-host"));
        let own = format!("pytest-host-{user}");
        named
            .into_iter()
            .chain([std::env::temp_dir().join(&own)])
            .find(|base| has_room(base))
            .unwrap_or_else(|| Path::new("/tmp").join(own))
    }

    /// What pytest is told.
    #[must_use]
    pub fn address(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }

    /// What a process has to say to be let in.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// Whether a socket in a folder of `base` has a path that is short enough.
fn has_room(base: &Path) -> bool {
    /// What fits on every system: macOS has 103 bytes, Linux 107.
    const LONGEST: usize = 103;
    base.join("00000000/sock").as_os_str().len() <= LONGEST
}

impl Drop for RuntimeFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_a_short_path() {
        assert!(has_room(Path::new("/run/user/1000/pytest-host")));
        assert!(!has_room(&Path::new("/run").join("x".repeat(100))));
        assert!(has_room(&RuntimeFolder::base()));
    }
}
