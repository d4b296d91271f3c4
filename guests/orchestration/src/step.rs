//! What goes in and out: the contract's records.

use crate::plan::Instant;

/// An event is to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub name: String,
    pub instance: u32,
    pub params: String,
    /// When it was to start by the plan.
    pub due: Instant,
    /// When the event is to start next.
    pub next: Option<Instant>,
}

/// An event has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    pub instance: u32,
    pub ok: bool,
    /// Where not `ok`, why.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub start: Vec<Action>,
    pub wake_at: Option<Instant>,
    pub log: Vec<(Level, String)>,
    /// Whatever still runs is to end.
    pub stop: bool,
    pub verdict: Option<Verdict>,
}

impl Step {
    pub fn say(&mut self, level: Level, message: impl Into<String>) {
        self.log.push((level, message.into()));
    }
}
