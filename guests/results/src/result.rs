//! One result, with the fields of the published plugin in its order.

use std::fmt;

use pytest_host_sdk::{
    captured::Texts,
    events::{self, Failure, Phase, Report},
    python,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Pass,
    Skip,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Result,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Fail => "fail",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    r#type: Kind,
    pub result: Outcome,
    pub nodeid: String,
    pub name: String,
    pub start_time: f64,
    pub stop_time: f64,
    pub duration: f64,
    pub stdout: String,
    pub stderr: String,
    pub log: String,
    pub xdist_dist: Option<String>,
    pub xdist_worker: Option<String>,
    pub xdist_scope: Option<String>,
    /// Always null: where a result lies is for `pubdir` to know, which is a sink of its own here.
    pub pubdir_path: Option<String>,
    pub excinfo: Option<Exception>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    pub r#type: String,
    pub value: String,
    pub traceback: Vec<String>,
}

/// The result that a report stands for, if it stands for one: every call does, a setup that did not pass, and
/// a teardown that failed.
pub(crate) fn outcome(report: &Report) -> Option<Outcome> {
    let outcome = match &report.outcome {
        events::Outcome::Passed => Outcome::Pass,
        // xfail too: pytest reports it as skipped.
        events::Outcome::Skipped => Outcome::Skip,
        // An attempt that is run again failed.
        events::Outcome::Failed | events::Outcome::Rerun => Outcome::Fail,
        events::Outcome::Other(_) if report.failure.is_some() => Outcome::Fail,
        events::Outcome::Other(_) => Outcome::Pass,
    };
    let counts = match report.phase {
        Phase::Setup => outcome != Outcome::Pass,
        Phase::Call => true,
        Phase::Teardown => outcome == Outcome::Fail,
    };
    counts.then_some(outcome)
}

/// Where a report comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// `--dist` of the session.
    pub dist: Option<&'a str>,
    pub worker: Option<&'a str>,
}

impl TestResult {
    /// `texts` is what the test has captured so far, this report included.
    pub(crate) fn new(outcome: Outcome, report: &Report, origin: Origin<'_>, texts: Texts) -> Self {
        let dist = origin.worker.and(origin.dist);
        let scope =
            (dist == Some("loadgroup")).then(|| report.group.as_ref().unwrap_or(&report.nodeid));
        Self {
            r#type: Kind::Result,
            result: outcome,
            nodeid: report.nodeid.clone(),
            name: report.name.clone(),
            start_time: report.start,
            stop_time: report.stop,
            duration: report.duration,
            stdout: texts.out,
            stderr: texts.err,
            log: texts.log,
            xdist_dist: dist.map(str::to_owned),
            xdist_worker: origin.worker.map(str::to_owned),
            xdist_scope: scope.cloned(),
            pubdir_path: None,
            excinfo: if outcome == Outcome::Pass {
                None
            } else {
                exception(report)
            },
        }
    }
}

impl TestResult {
    /// As `json.dumps` writes it.
    pub fn json(&self) -> Vec<u8> {
        // Cannot fail: every key is a string, and memory takes what is written.
        python::dumps(self).unwrap_or_default()
    }

    /// As `json.dumps` with `indent=4` writes it.
    pub fn json_indented(&self) -> Vec<u8> {
        python::dumps_indented(self).unwrap_or_default()
    }
}

fn exception(report: &Report) -> Option<Exception> {
    match (&report.failure, &report.xfail_reason) {
        (
            Some(Failure {
                kind,
                message,
                traceback,
                ..
            }),
            _,
        ) => Some(Exception {
            r#type: kind.clone(),
            value: message.clone(),
            traceback: traceback.clone(),
        }),
        // A strict xfail that passed: nothing was raised, and pytest says why it fails the test in these words.
        (None, Some(reason)) => Some(Exception {
            r#type: "Failed".to_owned(),
            value: format!("[XPASS(strict)] {reason}").trim_end().to_owned(),
            traceback: vec![],
        }),
        (None, None) => None,
    }
}
