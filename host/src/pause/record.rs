//! One pause file of the file protocol.

use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::intake::is_running;
use crate::protocol::control::OpenPause;

/// What a pause file says. Other keys are passed over, missing ones are empty.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Record {
    pub pause_id: String,
    pub run_id: String,
    #[serde(deserialize_with = "some")]
    pub kind: Option<String>,
    pub nodeid: String,
    pub task: String,
    pub timeout: f64,
    pub original_failure: String,
    pub status: String,
    pub created_at: f64,
    pub pid: Option<u32>,
    #[serde(deserialize_with = "some")]
    pub hostname: Option<String>,
    #[serde(deserialize_with = "some")]
    pub cwd: Option<String>,
    #[serde(deserialize_with = "some")]
    pub worker_id: Option<String>,
}

/// How a pause stands, in the protocol's words and one of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Pending,
    /// Pending by its file, but its process is gone.
    Stale,
    /// `resumed`, `timed_out`, `aborted`, `abandoned`.
    Over(String),
}

impl Status {
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Stale => "stale",
            Self::Over(word) => word,
        }
    }
}

impl Record {
    /// Reads a pause file.
    ///
    /// # Errors
    ///
    /// Why it is none, as a fragment.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| error.to_string())?;
        let record: Self =
            serde_json::from_slice(&text).map_err(|error| format!("not a pause file: {error}"))?;
        if record.pause_id.is_empty() || record.status.is_empty() {
            return Err("not a pause file: it has no pause_id or no status".to_owned());
        }
        Ok(record)
    }

    #[must_use]
    pub fn status(&self) -> Status {
        if self.status != "pending" {
            return Status::Over(self.status.clone());
        }
        // Of a process on another machine nobody here can tell.
        let here = self.hostname.is_none() || self.hostname == Some(hostname());
        match self.pid {
            Some(pid) if here && !is_running(pid) => Status::Stale,
            _ => Status::Pending,
        }
    }
}

impl From<&OpenPause> for Record {
    fn from(open: &OpenPause) -> Self {
        let pause = &open.pause;
        Self {
            pause_id: pause.id.clone(),
            run_id: pause.run_id.clone(),
            kind: Some(pause.kind.word().to_owned()),
            nodeid: pause.nodeid.clone(),
            task: pause.task.clone(),
            timeout: pause.timeout,
            original_failure: pause.original_failure.clone().unwrap_or_default(),
            status: "pending".to_owned(),
            created_at: pause.created,
            pid: Some(pause.pid),
            hostname: Some(pause.hostname.clone()),
            cwd: None,
            worker_id: pause.worker.clone(),
        }
    }
}

/// A text, or none where it is anything else.
fn some<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(value)?;
    Ok(value.as_str().map(str::to_owned))
}

/// This machine's name, as Python's `platform.node` has it.
pub fn hostname() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(keys: &str) -> Record {
        let text = format!(r#"{{"pause_id": "p", "status": "pending", {keys}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn only_a_process_of_this_machine_can_be_known_to_be_dead() {
        // No process has this id: it is larger than any.
        let dead = u32::MAX >> 1;
        let here = hostname();
        let status = |keys: &str| record(keys).status();
        assert_eq!(status(&format!(r#""pid": {dead}"#)), Status::Stale);
        let this = format!(r#""pid": {dead}, "hostname": "{here}""#);
        assert_eq!(status(&this), Status::Stale);
        let other = format!(r#""pid": {dead}, "hostname": "not-{here}""#);
        assert_eq!(status(&other), Status::Pending);
        assert_eq!(status(r#""worker_id": null"#), Status::Pending);
        let own = format!(r#""pid": {}"#, std::process::id());
        assert_eq!(status(&own), Status::Pending);
    }
}
