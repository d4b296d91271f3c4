//! What is said of pauses, on the socket: see `docs/protocol.md`, *Pauses*.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A pause that is open, as its adapter tells of it. Times are seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    pub id: String,
    /// Of the file protocol: a name that all processes of a session share.
    pub run_id: String,
    pub kind: Kind,
    pub nodeid: String,
    pub attempt: u32,
    pub task: String,
    /// Seconds, as they were asked for.
    pub timeout: f64,
    #[serde(default)]
    pub original_failure: Option<String>,
    pub created: f64,
    pub deadline: f64,
    pub pid: u32,
    #[serde(default)]
    pub hostname: String,
    #[serde(default)]
    pub worker: Option<String>,
    /// The pause's run folder of the file protocol, where it is written to files.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub files: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Failure,
    Checkpoint,
}

impl Kind {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// What somebody wants of a pause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Ask {
    Resume {
        by: String,
        #[serde(flatten)]
        decision: Decision,
    },
    /// Later, by so many seconds.
    Extend {
        seconds: f64,
    },
    /// The test fails; with `session` the run ends.
    Abort {
        by: String,
        reason: Option<String>,
        session: bool,
    },
    Show,
    Eval {
        expression: String,
        frame: Option<u32>,
    },
    Attach,
}

/// What goes with an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// A checkpoint's: none is an answer, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A numbered `Ask`, to the process whose pause it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub ask: u64,
    pub pause: String,
    #[serde(flatten)]
    pub what: Ask,
}

/// What the adapter says to a question of that number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub ask: u64,
    pub accepted: bool,
    #[serde(default)]
    pub value: Value,
    #[serde(default)]
    pub reason: Option<String>,
}

impl Answer {
    #[must_use]
    pub fn refused(reason: &str) -> Self {
        Self {
            reason: Some(reason.to_owned()),
            ..Self::default()
        }
    }
}

/// Why a pause that is over takes no answer; the adapter's words.
pub const OVER: &str = "pause is no longer pending";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_protocol_page_are_understood() {
        let question = Question {
            ask: 7,
            pause: "7634".into(),
            what: Ask::Resume {
                by: "cli".into(),
                decision: Decision {
                    result: Some(true),
                    ..Decision::default()
                },
            },
        };
        let line = serde_json::to_string(&question).unwrap();
        assert_eq!(
            line,
            r#"{"ask":7,"pause":"7634","do":"resume","by":"cli","result":true}"#
        );
        assert_eq!(serde_json::from_str::<Question>(&line).unwrap(), question);
        let answer: Answer =
            serde_json::from_str(r#"{"ask": 7, "accepted": false, "reason": "no"}"#).unwrap();
        assert_eq!(answer.reason.as_deref(), Some("no"));
    }
}
