//! The messages, with the fields of the published plugin in its order.

use pytest_host_sdk::Session;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a new connection is told first.
pub const GREETING: &str = r#"{"type":"pytest-source","payload":null}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Error,
    Warning,
    Debug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Collect,
    Config,
    Call,
    Setup,
    Teardown,
}

/// Something to be read, of a test or of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub time: String,
    pub severity: Severity,
    pub phase: Phase,
    pub msg: String,
    pub source: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    Passed,
    Xfailed,
    Failed,
    Error,
    Xpassed,
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    Red,
    Yellow,
    Green,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Open,
    InProgress,
    Done,
}

impl Category {
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

/// What a test comes to.
pub fn color(category: Category, records: &[Record]) -> Color {
    match category {
        Category::Passed if has(records, Severity::Warning) => Color::Yellow,
        Category::Passed => Color::Green,
        Category::Xfailed | Category::Xpassed => Color::Yellow,
        Category::Skipped => Color::None,
        Category::Failed | Category::Error => Color::Red,
    }
}

pub fn has(records: &[Record], severity: Severity) -> bool {
    records.iter().any(|record| record.severity == severity)
}

#[derive(Serialize)]
pub struct Testcase<'a> {
    pub session_id: &'a str,
    pub idx: u32,
    pub name: &'a str,
    pub time_start: &'a str,
    pub time_stop: Option<&'a str>,
    pub category: Option<Category>,
    pub records: &'a [Record],
    pub state: State,
    pub result: Option<Color>,
}

#[derive(Serialize)]
pub struct Suite<'a> {
    pub id: &'a str,
    pub records: &'a [Record],
    pub tests: Box<RawValue>,
    pub time_start: Option<&'a str>,
    pub time_stop: Option<&'a str>,
    pub result: Option<Color>,
    pub config: &'a Config,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    invocation_dir: String,
    rootpath: String,
    args: Vec<String>,
}

impl Config {
    pub fn of(session: &Session) -> Self {
        let targets = session.labels.iter().filter(|(name, _)| name == "target");
        Self {
            invocation_dir: session.invocation_dir.clone(),
            rootpath: session.rootdir.clone(),
            args: targets.map(|(_, target)| target.clone()).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", content = "payload", rename_all = "lowercase")]
pub enum Message<'a> {
    Session(Suite<'a>),
    Testcase(Testcase<'a>),
}

impl Message<'_> {
    pub fn json(&self) -> String {
        // Cannot fail: every key is a string, and memory takes what is written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
