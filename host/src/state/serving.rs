//! The host that serves here: one at most, and where it is.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::StateFolder;

const FILE: &str = "serve.json";
const LOCK: &str = "serve.lock";
const TOKEN: &str = "serve.token";

/// Where the host is that serves here: `serve.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// Of the API, without a slash at its end.
    pub url: String,
    /// None where none is asked for.
    pub token: Option<String>,
    pub pid: u32,
    /// What pytest's `--sinks-host` takes.
    pub address: PathBuf,
}

/// No other host serves here while this lives.
#[derive(Debug)]
pub struct Only {
    folder: PathBuf,
    _lock: File,
}

/// Others find the host while this lives.
#[derive(Debug)]
pub struct Shown(Only);

/// Why a host cannot serve here.
#[derive(Debug, thiserror::Error)]
pub enum NotAlone {
    #[error("another `host serve` is at work here{0}")]
    Other(String),
    #[error("{path}: {error}", path = .path.display())]
    Io { path: PathBuf, error: io::Error },
}

impl Serving {
    /// The one that serves `state` now.
    #[must_use]
    pub fn find(state: &StateFolder) -> Option<Self> {
        let lock = File::open(state.path().join(LOCK)).ok()?;
        // Only looks: whoever begins meanwhile waits for that.
        let free = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared).is_ok();
        if free {
            return None;
        }
        read(state.path())
    }

    /// Makes sure that no other host serves `state`.
    ///
    /// # Errors
    ///
    /// Where one does.
    pub fn begin(state: &StateFolder) -> Result<Only, NotAlone> {
        let path = state.path().join(LOCK);
        let folder = state.path().to_owned();
        let lock = private(&path).map_err(|error| NotAlone::Io {
            path: path.clone(),
            error,
        })?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Only {
                folder,
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let other = read(state.path());
                Err(NotAlone::Other(other.map_or_else(String::new, |other| {
                    format!(": {} (process {})", other.url, other.pid)
                })))
            }
            Err(error) => Err(NotAlone::Io {
                path,
                error: error.into(),
            }),
        }
    }
}

impl Only {
    /// Lets others find the host.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn show(self, serving: &Serving) -> io::Result<Shown> {
        let unfinished = self.folder.join("serve.new");
        let mut file = private(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(serving)?)?;
        std::fs::rename(unfinished, self.folder.join(FILE))?;
        Ok(Shown(self))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0.folder.join(FILE));
    }
}

impl StateFolder {
    /// The token that hosts here ask for where no other is set; made where it is not there.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or written.
    pub fn token(&self) -> io::Result<String> {
        let path = self.path().join(TOKEN);
        match std::fs::read_to_string(&path) {
            Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // From the system's source of randomness, as all such ids are.
        let token = format!(
            "{}{}",
            uuid::Uuid::new_v4().simple(),
            uuid::Uuid::new_v4().simple()
        );
        let mut file = private(&path)?;
        writeln!(file, "{token}")?;
        Ok(token)
    }
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let options = options.create(true).truncate(true).write(true).mode(0o600);
    options.open(path)
}

fn read(folder: &Path) -> Option<Serving> {
    let text = std::fs::read(folder.join(FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn one_host_serves_and_is_found() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        assert_eq!(Serving::find(&state), None);
        let serving = Serving {
            url: "http://127.0.0.1:8000".into(),
            token: Some(state.token().unwrap()),
            pid: 4711,
            address: "/run/x".into(),
        };
        let shown = Serving::begin(&state).unwrap().show(&serving).unwrap();
        assert_eq!(Serving::find(&state), Some(serving.clone()));
        let refused = Serving::begin(&state).unwrap_err().to_string();
        insta::assert_snapshot!(refused, @"another `host serve` is at work here: http://127.0.0.1:8000 (process 4711)");
        let mode = |name: &str| {
            let found = std::fs::metadata(state.path().join(name)).unwrap();
            found.permissions().mode() & 0o777
        };
        assert_eq!((mode(FILE), mode(TOKEN)), (0o600, 0o600));
        drop(shown);
        assert_eq!(Serving::find(&state), None);
        assert_eq!(state.token().unwrap(), serving.token.unwrap(), "kept");
    }
}
