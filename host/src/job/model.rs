//! What others see of a job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It waits for others to end; or it collects.
    Created,
    /// It has collected. Final, but it may be started.
    Collected,
    /// Its process runs.
    InProgress,
    /// Its process was told to end.
    Terminating,
    /// Final.
    Done,
}

impl State {
    /// Whether nothing more comes by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Collected | Self::Done)
    }

    /// As it is written in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Collected => "collected",
            Self::InProgress => "in-progress",
            Self::Terminating => "terminating",
            Self::Done => "done",
        }
    }
}

/// A job, as answers and messages have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    pub state: State,
    /// The process's exit code, or -n where the signal n ended it.
    pub returncode: Option<i32>,
    /// What the process printed, once it has ended.
    pub text: Option<String>,
}

/// `{"type": "job", "payload": {…}}`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Arc<Job>);

impl Message {
    pub(super) fn new(job: Job) -> Self {
        Self(Arc::new(job))
    }

    #[must_use]
    pub fn job(&self) -> &Job {
        &self.0
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Envelope<'a> {
            r#type: &'static str,
            payload: &'a Job,
        }
        let envelope = Envelope {
            r#type: "job",
            payload: &self.0,
        };
        envelope.serialize(serializer)
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewJob {
    /// None for the session id of the arguments, else for one that is made up.
    pub id: Option<String>,
    /// pytest's.
    pub args: Vec<String>,
    pub collect_only: bool,
    /// Whether each argument is split into words first, as a shell would.
    pub split_args: bool,
    /// Relative to the server's.
    pub cwd: Option<PathBuf>,
    /// On top of the server's.
    pub env: BTreeMap<String, String>,
    /// The interpreter.
    pub python: Option<PathBuf>,
}

/// What can be done with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Run the tests that were collected.
    Start,
    /// End its process, and wait until it has ended.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_keys_of_pytest_relay_run() {
        let message = Message::new(Job {
            id: "c1".into(),
            state: State::InProgress,
            returncode: None,
            text: None,
        });
        let text = serde_json::to_string(&message).unwrap();
        insta::assert_snapshot!(text, @r#"{"type":"job","payload":{"id":"c1","state":"in-progress","returncode":null,"text":null}}"#);
    }

    #[test]
    fn a_state_has_one_word() {
        for state in [
            State::Created,
            State::Collected,
            State::InProgress,
            State::Terminating,
            State::Done,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }
}
