//! What a phase's report says, in JUnit's terms.

use pytest_host_sdk::{
    Session,
    events::{Failure, Outcome, Phase, Report},
};
use serde::{Deserialize, Serialize};

use crate::text::shorten;

/// What a test's time is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duration {
    /// Setup, call and teardown.
    #[default]
    Total,
    /// The call alone.
    Call,
}

/// An element of a test case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Element {
    /// `failure`, `error` or `skipped`.
    pub tag: String,
    pub kind: Option<String>,
    pub message: String,
    pub text: String,
}

/// The element that a report comes to, if any.
pub fn element(report: &Report, session: &Session) -> Option<Element> {
    match report.outcome {
        Outcome::Failed => {
            let failure = report.failure.as_ref()?;
            let message = summary(failure);
            let (tag, message) = match report.phase {
                Phase::Call => ("failure", message),
                Phase::Setup => ("error", format!("failed on setup with \"{message}\"")),
                Phase::Teardown => ("error", format!("failed on teardown with \"{message}\"")),
            };
            Some(Element {
                tag: tag.to_owned(),
                kind: None,
                message: shorten(&message, &session.pytest_version),
                text: failure.longrepr.clone(),
            })
        }
        Outcome::Skipped => Some(skipped(report)),
        _ => None,
    }
}

fn skipped(report: &Report) -> Element {
    let element = |kind: &str, message: &str, text: String| Element {
        tag: "skipped".to_owned(),
        kind: Some(kind.to_owned()),
        message: message.to_owned(),
        text,
    };
    if let Some(reason) = &report.xfail_reason {
        return element("pytest.xfail", reason, String::new());
    }
    let (reason, longrepr) = report.failure.as_ref().map_or(("", ""), |failure| {
        (failure.message.as_str(), failure.longrepr.as_str())
    });
    let text = match place(longrepr) {
        Some(place) => format!("{place}: {reason}"),
        None => reason.to_owned(),
    };
    element("pytest.skip", reason, text)
}

/// `file:line` out of how pytest prints a skip: `('file', line, 'Skipped: reason')`.
fn place(longrepr: &str) -> Option<String> {
    let inner = longrepr.strip_prefix("('")?;
    let (path, rest) = inner.split_once("', ")?;
    let (line, _) = rest.split_once(", ")?;
    line.parse::<u32>().ok()?;
    Some(format!("{path}:{line}"))
}

/// An exception in one line or more, as pytest's summaries have it.
fn summary(failure: &Failure) -> String {
    let Failure { kind, message, .. } = failure;
    // An assertion that pytest explains, and what is no exception, speak for themselves.
    let first = message.lines().next().unwrap_or_default();
    let is_explained = kind == "AssertionError"
        && message.starts_with("assert ")
        && !failure.longrepr.contains(&format!("{kind}: {first}"));
    if is_explained || *message == failure.longrepr {
        message.clone()
    } else if message.is_empty() {
        kind.clone()
    } else {
        format!("{kind}: {message}")
    }
}
