//! How jobs are run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::Allow;

/// What does not change while a host serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where jobs are kept: `jobs` in the state folder.
    pub folder: PathBuf,
    /// The command that runs a shim; its folder is put behind.
    pub shim: Vec<OsString>,
    /// Where jobs run.
    pub directory: PathBuf,
    /// What they are run with.
    pub interpreter: PathBuf,
    /// What their pytest finds the host with.
    pub address: PathBuf,
    /// How many run at once.
    pub max_jobs: usize,
    /// How many of those that have ended are kept.
    pub keep_jobs: usize,
    /// How long a process may take to end after SIGINT, and again after SIGTERM.
    pub stop_grace: Duration,
    /// Bytes of a job's output that are kept.
    pub output: u64,
    pub allow: Allow,
}

impl Settings {
    /// `--max-jobs` where nobody sets it: one for each CPU, and at least 2, so that a
    /// job that hangs does not keep all others waiting.
    #[must_use]
    pub fn default_max_jobs() -> usize {
        std::thread::available_parallelism().map_or(2, |cpus| cpus.get().max(2))
    }
}
