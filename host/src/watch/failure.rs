//! A failure, as far as it fits into a line or two.

use super::model::Key;
use crate::guest::bindings::events::{self, Phase};
use crate::text::printable;

/// Characters of a message that are kept.
const MESSAGE: usize = 400;
/// What the host calls the exception of a test that took its worker down.
const WORKER_CRASH: &str = "WorkerCrash";

/// Where something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    Collect,
    Phase(Phase),
    Subtest(String),
    Crash,
}

/// Something that failed. Names are as pytest has them, text is fit for a terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub time: f64,
    pub nodeid: String,
    pub attempt: u32,
    pub worker: Option<String>,
    pub stage: Stage,
    pub kind: String,
    /// The first line.
    pub message: String,
}

impl Failure {
    #[must_use]
    pub fn of(
        time: f64,
        (worker, nodeid, attempt): Key,
        stage: Stage,
        failure: Option<&events::Failure>,
    ) -> Self {
        let (kind, message) = failure.map_or(("", ""), |failure| {
            let lines = failure.message.lines().map(str::trim);
            let first = lines.into_iter().find(|line| !line.is_empty());
            (failure.kind.as_str(), first.unwrap_or_default())
        });
        let stage = if kind == WORKER_CRASH {
            Stage::Crash
        } else {
            stage
        };
        Self {
            time,
            nodeid,
            attempt,
            worker,
            stage,
            kind: printable(kind),
            message: printable(message).chars().take(MESSAGE).collect(),
        }
    }

    /// As pytest says it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.stage {
            Stage::Collect => "ERROR collecting",
            Stage::Phase(Phase::Call) => "FAILED",
            Stage::Phase(Phase::Setup) => "ERROR at setup of",
            Stage::Phase(Phase::Teardown) => "ERROR at teardown of",
            Stage::Subtest(_) => "SUBFAILED",
            Stage::Crash => "CRASHED",
        }
    }

    /// The contract's word, and those for what has no phase.
    #[must_use]
    pub fn phase(&self) -> &'static str {
        match self.stage {
            Stage::Collect => "collect",
            Stage::Phase(Phase::Setup) => "setup",
            Stage::Phase(Phase::Call) | Stage::Subtest(_) => "call",
            Stage::Phase(Phase::Teardown) => "teardown",
            Stage::Crash => "crash",
        }
    }

    #[must_use]
    pub fn subtest(&self) -> Option<&str> {
        match &self.stage {
            Stage::Subtest(subtest) => Some(subtest),
            _ => None,
        }
    }

    /// `test_a.py::test_x[1] (attempt 2) [gw0]`
    #[must_use]
    pub fn place(&self) -> String {
        let mut text = test(&self.nodeid, self.attempt, self.worker.as_deref());
        if let Some(subtest) = self.subtest() {
            text.push(' ');
            text.push_str(subtest);
        }
        text
    }

    /// `AssertionError: assert 1 == 2`
    #[must_use]
    pub fn why(&self) -> String {
        match (self.kind.as_str(), self.message.as_str()) {
            ("", "") if self.stage == Stage::Crash => "its process ended while it ran".to_owned(),
            (WORKER_CRASH, message) | ("", message) => message.to_owned(),
            (kind, "") => kind.to_owned(),
            (kind, message) => format!("{kind}: {message}"),
        }
    }
}

/// A test's name, fit for a terminal: `test_a.py::test_x (attempt 2) [gw0]`
#[must_use]
pub fn test(nodeid: &str, attempt: u32, worker: Option<&str>) -> String {
    let attempt = match attempt {
        0 | 1 => String::new(),
        attempt => format!(" (attempt {attempt})"),
    };
    let worker = worker.map_or_else(String::new, |worker| format!(" [{worker}]"));
    printable(&format!("{nodeid}{attempt}{worker}"))
}

/// Whole seconds, as people say them: `1m 5s`.
#[must_use]
pub fn age(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    humantime::format_duration(std::time::Duration::from_secs(whole.as_secs())).to_string()
}
