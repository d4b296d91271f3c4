//! `job.json`: what a job is, and how far it is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::State;
use super::folder::write_json;

const FILE: &str = "job.json";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    /// Jobs are numbered as they come.
    pub number: u64,
    pub args: Vec<String>,
    pub interpreter: PathBuf,
    pub directory: PathBuf,
    pub environment: BTreeMap<String, String>,
    pub state: State,
    pub phase: Phase,
    /// Whether it only collects, this time.
    pub collecting: bool,
    /// How often its process was started.
    pub run: u32,
    /// How it ended last.
    pub outcome: Option<Outcome>,
    /// Whether nobody is to see it any more.
    pub removed: bool,
}

/// What the queue knows of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// For others to end. The smallest number is next.
    Waiting(u64),
    Running,
    Ended,
}

/// How a process ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Whose output is the job's text; 0 where nothing was run.
    pub run: u32,
    /// Jobs that ended later have a greater one.
    pub ended: u64,
    pub returncode: Option<i32>,
    /// What the host has to say to it.
    pub notes: Vec<String>,
}

impl Record {
    pub fn load(folder: &Path) -> io::Result<Self> {
        let text = std::fs::read(folder.join(FILE))?;
        Ok(serde_json::from_slice(&text)?)
    }

    pub fn save(&self, folder: &Path) -> io::Result<()> {
        write_json(&folder.join(FILE), self)
    }
}

/// The folder of the `run`th time that the job's process ran.
pub fn run_folder(folder: &Path, run: u32) -> PathBuf {
    folder.join(format!("run-{run}"))
}
