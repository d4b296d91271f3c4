//! Lines of JSON: between a core and whoever started it, and on the socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::orchestration::{Begin, Check, Checked, Ended, Step};
use super::pause::{Answer, Pause, Question};
use crate::config::{Redact, Request};

/// A line longer than this is no message of ours.
pub const LINE_BYTES: u64 = 4 << 20;

/// The first line that a core reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    pub directory: PathBuf,
    #[serde(default)]
    pub request: Option<Request>,
    /// Seconds.
    #[serde(default)]
    pub drain_timeout: Option<f64>,
}

/// What a process of the adapter says, or somebody who swaps a sink by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromAdapter {
    Hello(Box<Hello>),
    /// Nothing follows; tell when the sinks are done. Seconds.
    Finish {
        timeout: f64,
    },
    Pause {
        pause: Box<Pause>,
    },
    PauseEnd {
        id: String,
    },
    Answer(Answer),
    /// Whether an orchestrated test could begin; answered by `checked`.
    CheckOrchestration(Box<Check>),
    /// An orchestrated test begins, or goes on with another core.
    Orchestrate(Box<Begin>),
    /// An event of it has ended.
    Completed(Box<Ended>),
    /// Its kill switch was set.
    Kill {
        orchestration: String,
    },
    OrchestrateEnd {
        orchestration: String,
    },
    /// What it was welcomed with cannot be used: it ends, and so does pytest.
    Refuse {
        message: String,
    },
}

/// Which side of xdist a process is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Session,
    Worker,
    /// A command that asks; no process of pytest's.
    Control,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub token: String,
    pub role: Role,
    #[serde(default)]
    pub process: String,
    #[serde(default)]
    pub pid: u32,
    #[serde(default)]
    pub directory: Option<PathBuf>,
    #[serde(default)]
    pub request: Option<Request>,
    #[serde(default)]
    pub worker: Option<String>,
    #[serde(default)]
    pub run: Option<String>,
    /// The job of `host serve` that the session is.
    #[serde(default)]
    pub job: Option<String>,
}

/// What a core says, on the socket or its standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromHost {
    Listening {
        address: PathBuf,
    },
    Welcome(Welcome),
    Ready {
        sinks: Vec<String>,
    },
    Refused {
        message: String,
    },
    /// To `host run` only, while it waits for the sinks.
    Progress {
        sinks: Vec<SinkReport>,
    },
    Finished(Finished),
    /// To a process with a pause that is open.
    Ask(Question),
    Checked(Checked),
    /// What an orchestrated test is to do next.
    Step(Box<Step>),
    /// Its command file has changed.
    Look {
        pause: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    pub protocol: u32,
    pub run: String,
    pub segments: PathBuf,
    pub segment_bytes: u64,
    pub unread_bytes: u64,
    pub text_bytes: u64,
    /// Whether the adapter is to wait for the sinks at the end.
    pub finish: bool,
    /// Whether pauses are to be written to files.
    pub pause_files: bool,
    #[serde(default)]
    pub redact: Redact,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Absent where no session ever began.
    pub run: Option<String>,
    pub sinks: Vec<SinkReport>,
    /// To `host run` only: what was delivered of runs from before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// Why changes of configuration and modules were not taken over, in one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Secret settings that `host drain` has to be given again, as `sink.key`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub give_again: Vec<String>,
    /// To `host run` only: why the adapter would not report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreported: Option<String>,
}

/// What a core has done for a run from before: its sinks have delivered and set
/// aside so many events since it took the run up, and so many are left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    pub run: String,
    pub sinks: Vec<SinkReport>,
}

/// How far a sink has come, in events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SinkReport {
    pub name: String,
    pub delivered: u64,
    pub set_aside: u64,
    pub left: u64,
    /// Events that could not be kept, and so come to no sink.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lost: u64,
    /// How often another module or other settings took over while the run went on.
    #[serde(default, skip_serializing_if = "is_none")]
    pub swapped: u64,
    /// It was removed from the run while that went on, and gets no more of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub removed: bool,
    /// The last thing that went wrong, in one line.
    pub error: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What whoever started a core says after the first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromLauncher {
    /// pytest has ended. Seconds.
    Finish { timeout: f64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_protocol_page_are_understood() {
        let hello = r#"{"type": "hello", "protocol": 1, "token": "t", "role": "session", "process": "main-4711", "pid": 4711,
            "directory": "/p", "request": {"sinks": ["publish"], "settings": {"publish": {"url": "http://x"}}}, "more": 1}"#;
        let FromAdapter::Hello(hello) = serde_json::from_str(hello).unwrap() else {
            panic!("no hello");
        };
        assert_eq!(hello.role, Role::Session);
        let request = hello.request.unwrap();
        assert_eq!(request.sinks.unwrap(), ["publish"]);
        assert_eq!(request.settings["publish"]["url"], "http://x");
        assert_eq!(
            serde_json::from_str::<FromAdapter>(r#"{"type":"finish","timeout":5.0}"#).unwrap(),
            FromAdapter::Finish { timeout: 5.0 }
        );
        let refuse = r#"{"type": "refuse", "message": "host.toml:3: redact: …"}"#;
        assert_eq!(
            serde_json::from_str::<FromAdapter>(refuse).unwrap(),
            FromAdapter::Refuse {
                message: "host.toml:3: redact: …".into()
            }
        );
        let redact = r#"{"patterns":["tok_[0-9a-f]{32}"],"origin":"host.toml:3","builtin":true}"#;
        let read: Redact = serde_json::from_str(redact).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), redact);
        let refused = FromHost::Refused {
            message: "no".into(),
        };
        assert_eq!(
            serde_json::to_string(&refused).unwrap(),
            r#"{"type":"refused","message":"no"}"#
        );
    }
}
