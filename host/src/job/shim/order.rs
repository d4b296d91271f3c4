//! What a shim is told, and what it tells.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub const ORDER: &str = "order.json";
pub const EXIT: &str = "exit.json";
pub const LOCK: &str = "lock";
pub const STOP: &str = "stop";

/// What is to be run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub directory: PathBuf,
    /// On top of what it was started with.
    pub environment: BTreeMap<String, String>,
    /// Seconds between SIGINT, SIGTERM and SIGKILL.
    pub stop_grace: f64,
    /// Bytes of output that are kept.
    pub output: u64,
}

/// How it ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exit {
    pub returncode: Option<i32>,
    /// Why nothing was run.
    pub problem: Option<String>,
    /// Bytes of output that could not be written.
    pub lost: u64,
    pub why_lost: Option<String>,
}
