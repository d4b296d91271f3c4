//! Where a core is reached: a folder of the user's alone, with socket and token.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::private_folder;

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
            .open(path.join("token"))?;
        writeln!(file, "{token}")?;
        Ok(Self { path, token })
    }

    /// What all runtime folders of this user are in.
    #[must_use]
    pub fn base() -> PathBuf {
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_dir()) {
            Some(runtime) => Path::new(&runtime).join("pytest-host"),
            None => {
                let user = rustix::process::geteuid().as_raw();
                std::env::temp_dir().join(format!("pytest-host-{user}"))
            }
        }
    }

    /// What pytest is told.
    #[must_use]
    pub fn address(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path.join("sock")
    }

    /// What a process has to say to be let in.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for RuntimeFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
