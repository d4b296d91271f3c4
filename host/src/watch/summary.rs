//! A run in a list of runs.

use serde::Serialize;
use utoipa::ToSchema;

use super::counts::Counts;
use super::runs::Watched;

/// What a list of runs says of one.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    pub run: String,
    /// `running`, `finished`, `lost` or `unreadable`.
    pub state: &'static str,
    /// Why it cannot be read.
    pub problem: Option<String>,
    /// It is finished, and sinks are getting what they have not got.
    pub delivering: bool,
    /// Seconds since the epoch.
    pub started: Option<f64>,
    pub rootdir: String,
    pub args: Vec<String>,
    pub pytest: String,
    pub pid: u32,
    /// Tests, once all are collected.
    pub collected: Option<u64>,
    pub expected: u64,
    pub done: u64,
    /// Tests that run now.
    pub running: usize,
    /// Tests by verdict.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub counts: Counts,
    /// Failures that were told of.
    pub failures: u64,
    pub exitstatus: Option<i32>,
    /// Seconds, once it has ended.
    pub duration: Option<f64>,
}

impl Summary {
    #[must_use]
    pub fn of(watched: &Watched) -> Self {
        let run = &watched.run;
        Self {
            run: watched.id.clone(),
            state: watched.state.word(),
            problem: watched.state.problem(),
            delivering: watched.is_delivering(),
            started: run.started,
            rootdir: run.rootdir.clone(),
            args: run.args.clone(),
            pytest: run.pytest.clone(),
            pid: run.pid,
            collected: run.is_collected.then_some(run.announced),
            expected: run.expected(),
            done: run.done(),
            running: run.running.len(),
            counts: run.counts,
            failures: run.failures_left_out + run.failures.len() as u64,
            exitstatus: run.end.as_ref().and_then(|end| end.exitstatus),
            duration: run.end.as_ref().and_then(|end| run.duration(end.time)),
        }
    }
}
