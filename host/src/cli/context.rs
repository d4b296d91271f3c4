//! What every command needs: the configuration, the state folder, a log.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{BadInput, Config};
use crate::secrets::Scrubbing;
use crate::state::StateFolder;

/// What is logged, e.g. `debug` or `pytest_host=trace`.
const FILTER: &str = "PYTEST_HOST_LOG";
/// A log larger than this is begun anew.
const LOG_BYTES: u64 = 4 << 20;

/// The working directory.
pub fn directory() -> anyhow::Result<PathBuf> {
    std::env::current_dir().context("the working directory cannot be read")
}

/// The configuration that is in force in `directory`.
pub fn config(directory: &Path) -> Result<Config, BadInput> {
    // One that is not UTF-8 is none of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Config::load(directory, variables)
}

/// The state folder of `config`, made where it is not there.
pub fn state(config: &Config) -> Result<StateFolder, BadInput> {
    StateFolder::make(config.root()).map_err(|error| {
        BadInput(format!(
            "no run can be kept: neither {} nor a folder of your own can be written: {error}",
            config.root().join(".pytest_host").display()
        ))
    })
}

/// Whether `wanted` is among the runs that are kept.
pub fn known_run(ids: &[String], wanted: &str) -> Result<(), BadInput> {
    if ids.iter().any(|id| id == wanted) {
        return Ok(());
    }
    let last = ids
        .last()
        .map_or_else(String::new, |last| format!("; the last one is {last}"));
    Err(BadInput(format!("no run is named {wanted:?}{last}")))
}

/// The run that is meant by `wanted`: a name, or `last`.
pub fn run_named(ids: &[String], wanted: &str) -> Result<String, BadInput> {
    match ids.last().filter(|_| wanted == "last") {
        Some(last) => Ok(last.clone()),
        None => known_run(ids, wanted).map(|()| wanted.to_owned()),
    }
}

/// Logs to standard error, warnings and worse unless asked for more.
pub fn log_to_terminal() {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Scrubbing(std::io::stderr()))
        .without_time()
        .with_target(false)
        .try_init();
}

/// What a core logs unless asked for more. wasmtime warns of every request that a guest
/// gets wrong; the guest is told, and could fill the log with it.
const IN_A_CORE: &str = "info,wasmtime_wasi=error,wasmtime_wasi_http=error";

/// Whatever is asked for: the names of files that come and go beside the configuration
/// are those of tests, among others, and nobody has taken secrets out of them.
const NEVER_MORE: &str = "notify=info";

/// Logs to the file that a core leaves behind.
pub fn log_to_file(file: &Path) -> std::io::Result<()> {
    let large = std::fs::metadata(file).is_ok_and(|known| known.len() > LOG_BYTES);
    let log = File::options()
        .create(true)
        .append(!large)
        .write(true)
        .truncate(large)
        .open(file)?;
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(IN_A_CORE));
    let filter = filter.add_directive(NEVER_MORE.parse().map_err(std::io::Error::other)?);
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Mutex::new(Scrubbing(log)))
        .with_ansi(false)
        .with_target(false)
        .try_init();
    Ok(())
}
