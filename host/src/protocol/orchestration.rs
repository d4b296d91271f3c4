//! What is said of orchestrated tests, on the socket: see `docs/protocol.md`, *Orchestration*.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What an orchestrator is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The description's text.
    pub description: String,
    /// In place of how long it says that the test takes.
    #[serde(default)]
    pub hours: Option<f64>,
    #[serde(default)]
    pub seed: u64,
    /// The component that orchestrates, where it is not the built-in one.
    #[serde(default)]
    pub orchestrator: Option<PathBuf>,
}

/// What is wrong with it; nothing where it could begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub problem: Option<String>,
}

/// An orchestrated test that begins, or goes on with another core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// Of this run of the test.
    pub orchestration: String,
    #[serde(flatten)]
    pub check: Check,
    /// Seconds since it began; none where it begins now.
    #[serde(default)]
    pub elapsed: Option<f64>,
    /// The number of the last step that has arrived.
    #[serde(default)]
    pub step: u64,
}

/// An event that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub orchestration: String,
    /// From 1, in the order in which events ended.
    pub number: u64,
    pub instance: u32,
    pub ok: bool,
    #[serde(default)]
    pub message: String,
}

/// What to do next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    pub orchestration: String,
    /// From 1; a step in which there is nothing to do is left out.
    pub number: u64,
    /// How many ends of events have been heard of.
    pub heard: u64,
    pub start: Vec<Start>,
    pub log: Vec<(Level, String)>,
    /// Whatever still runs is to end.
    pub stop: bool,
    pub verdict: Option<Verdict>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub name: String,
    pub instance: u32,
    /// An object.
    pub params: Box<RawValue>,
    /// Seconds since the orchestration began.
    pub due: f64,
    pub next: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub passed: bool,
    /// Where it has not, why.
    #[serde(default)]
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// `FromHost` is compared in tests, and a raw value cannot be.
impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.orchestration == other.orchestration && self.number == other.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::{FromAdapter, FromHost};

    #[test]
    fn the_lines_of_the_protocol_page_are_understood() {
        let line = r#"{"type": "orchestrate", "orchestration": "demo-1", "description": "{}", "hours": 0.5,
            "seed": 7, "orchestrator": null, "elapsed": 12.25, "step": 3}"#;
        let FromAdapter::Orchestrate(begin) = serde_json::from_str(line).unwrap() else {
            panic!("no beginning");
        };
        assert_eq!((begin.check.hours, begin.elapsed), (Some(0.5), Some(12.25)));
        let step = FromHost::Step(Box::new(Step {
            orchestration: "demo-1".into(),
            number: 4,
            heard: 1,
            start: vec![Start {
                name: "ev".into(),
                instance: 2,
                params: RawValue::from_string(r#"{"path":"/x"}"#.into()).unwrap(),
                due: 2.5,
                next: None,
            }],
            log: vec![(Level::Warning, "late".into())],
            stop: false,
            verdict: None,
        }));
        insta::assert_snapshot!(serde_json::to_string(&step).unwrap(), @r#"{"type":"step","orchestration":"demo-1","number":4,"heard":1,"start":[{"name":"ev","instance":2,"params":{"path":"/x"},"due":2.5,"next":null}],"log":[["warning","late"]],"stop":false,"verdict":null}"#);
    }
}
