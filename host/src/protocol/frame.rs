//! Frames: what a pytest process writes into its segment, as JSON.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{orchestration, pause};

/// One frame. A kind that this host does not know is passed over.
#[derive(Debug, Deserialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub enum Frame {
    Session {
        t: f64,
        session: Session,
    },
    Items {
        c: String,
        first: u32,
        tests: Vec<Test>,
    },
    Collected {
        t: f64,
        c: String,
        count: u32,
    },
    CollectFailed {
        t: f64,
        nodeid: String,
        failure: Failure,
    },
    CollectSkipped {
        t: f64,
        nodeid: String,
        reason: String,
    },
    Deselected {
        t: f64,
        nodeids: Vec<String>,
    },
    Start {
        t: f64,
        i: ItemRef,
        a: u32,
    },
    Phase {
        t: f64,
        i: ItemRef,
        a: u32,
        #[serde(default)]
        passed: BTreeMap<Phase, (f64, f64, f64)>,
        report: Box<Report>,
    },
    End {
        t: f64,
        i: ItemRef,
        a: u32,
        verdict: Verdict,
        #[serde(default)]
        passed: BTreeMap<Phase, (f64, f64, f64)>,
    },
    Crash {
        t: f64,
        nodeid: String,
        worker: String,
        message: String,
    },
    WorkerLost {
        t: f64,
        worker: String,
        reason: String,
    },
    Warning {
        t: f64,
        category: String,
        message: String,
        path: String,
        line: u32,
        stage: String,
        #[serde(default)]
        nodeid: Option<String>,
        #[serde(default)]
        code: Option<String>,
    },
    Interrupted {
        t: f64,
        reason: String,
    },
    Pause {
        t: f64,
        pause: Box<PauseRequest>,
        /// What to type to answer it.
        command: String,
    },
    PauseEnd {
        t: f64,
        #[serde(flatten)]
        end: Box<PauseEnd>,
    },
    /// What an orchestrator says, of the orchestration of that name.
    Orchestration {
        t: f64,
        name: String,
        level: orchestration::Level,
        message: String,
    },
    /// An event without a case of its own yet.
    Extension {
        t: f64,
        name: String,
        payload: Value,
    },
    Gap {
        t: f64,
        first: u64,
        count: u64,
        reason: String,
    },
    Finish {
        t: f64,
        #[serde(default)]
        exitstatus: Option<i32>,
        #[serde(default)]
        reason: Option<String>,
    },
    Bye,
    #[serde(other)]
    Unknown,
}

/// A test, by its index in the collection announced last, or by its node id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
pub enum ItemRef {
    Index(u32),
    Nodeid(String),
}

/// In the order they happen in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Setup,
    Call,
    Teardown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Passed,
    Failed,
    Error,
    Skipped,
    Xfailed,
    Xpassed,
    Rerun,
    Crashed,
    Interrupted,
}

#[derive(Debug, Deserialize)]
pub struct Session {
    pub rootdir: String,
    pub invocation_dir: String,
    pub args: Vec<String>,
    pub started: f64,
    pub pytest_version: String,
    pub python_version: String,
    pub python_prefixes: (String, String),
    pub hostname: String,
    pub pid: u32,
    #[serde(default)]
    pub dist: Option<String>,
    #[serde(default)]
    pub labels: Vec<(String, String)>,
}

#[derive(Debug, Deserialize)]
pub struct Test {
    pub nodeid: String,
    pub path: String,
    #[serde(default)]
    pub line: Option<u32>,
    pub name: String,
    pub domain: String,
    #[serde(default)]
    pub doc: Option<String>,
    #[serde(default)]
    pub keywords: Vec<String>,
    #[serde(default)]
    pub group: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Failure {
    pub kind: String,
    pub message: String,
    #[serde(default)]
    pub traceback: Vec<String>,
    pub longrepr: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Passed,
    Failed,
    Skipped,
    Rerun,
    Other(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capture {
    Out,
    Err,
    Log,
    Other(String),
}

#[derive(Debug, Deserialize)]
pub struct Section {
    pub capture: Capture,
    pub title: String,
    pub content: String,
    #[serde(default)]
    pub original_size: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub struct Report {
    pub phase: Phase,
    pub outcome: Outcome,
    #[serde(default)]
    pub xfail_reason: Option<String>,
    pub start: f64,
    pub stop: f64,
    pub duration: f64,
    #[serde(default)]
    pub failure: Option<Failure>,
    #[serde(default)]
    pub sections: Vec<Section>,
    #[serde(default)]
    pub properties: Vec<(String, String)>,
    #[serde(default)]
    pub subtest: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct PauseRequest {
    pub id: String,
    pub kind: pause::Kind,
    pub nodeid: String,
    pub task: String,
    pub timeout: f64,
    #[serde(default)]
    pub original_failure: Option<String>,
    pub created: f64,
}

#[derive(Debug, Deserialize)]
pub struct PauseEnd {
    pub id: String,
    pub outcome: PauseOutcome,
    pub decision: Decision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseOutcome {
    Resumed,
    TimedOut,
    Abandoned,
}

#[derive(Debug, Deserialize)]
pub struct Decision {
    #[serde(default)]
    pub outcome: Option<bool>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub failure_reason: Option<String>,
    pub by: String,
}

/// Reads a frame's payload.
///
/// # Errors
///
/// A payload that is no frame of this protocol.
pub fn read(payload: &[u8]) -> Result<Frame, serde_json::Error> {
    serde_json::from_slice(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_test_is_two_frames() {
        let start = read(br#"{"k":"start","i":3,"a":1,"t":1.5}"#).unwrap();
        assert!(matches!(
            start,
            Frame::Start {
                i: ItemRef::Index(3),
                a: 1,
                ..
            }
        ));
        let end = read(
            br#"{"k":"end","i":3,"a":1,"t":2,"verdict":"passed","passed":{"call":[1,2,1],"setup":[0,1,1]}}"#,
        )
        .unwrap();
        let Frame::End { passed, .. } = end else {
            panic!("{end:?}")
        };
        assert_eq!(
            passed.keys().copied().collect::<Vec<_>>(),
            [Phase::Setup, Phase::Call]
        );
    }

    #[test]
    fn open_words_stay_open_and_unknown_kinds_are_passed_over() {
        let phase = br#"{"k":"phase","i":"x.py::y","a":1,"t":0,"report":{"phase":"call","outcome":{"other":"odd"},
            "start":0,"stop":1,"duration":1,"sections":[{"capture":"out","title":"Captured stdout call","content":"x"}]}}"#;
        let Frame::Phase { i, report, .. } = read(phase).unwrap() else {
            panic!()
        };
        assert_eq!(i, ItemRef::Nodeid("x.py::y".into()));
        assert!(matches!(report.outcome, Outcome::Other(word) if word == "odd"));
        assert!(matches!(
            read(br#"{"k":"from-the-future","x":[1]}"#).unwrap(),
            Frame::Unknown
        ));
        assert!(read(b"{}").is_err());
        assert!(read(br#"{"k":"start"}"#).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_payload_is_too_strange(payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = read(&payload);
        }

        #[test]
        fn no_object_is_too_strange(kind in "[a-z-]{0,12}", key in "[a-z]{1,8}", value in "[0-9.eE+-]{0,6}|\"[^\"\\\\]{0,9}\"|null|\\[\\]") {
            let _ = read(format!(r#"{{"k":"{kind}","{key}":{value}}}"#).as_bytes());
        }
    }
}
