//! The state of a run as JSON: `docs/command-line.md`, *host watch*.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::counts::Counts;
use super::failure::Failure;
use super::model::Key;
use super::orchestrated::{Orchestrated, OrchestratedDocument};
use super::runs::Watched;
use crate::journal::SinkProgress;

/// A run as it is now.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = Run)]
pub struct Document {
    run: String,
    /// `running`, `finished`, `lost` or `unreadable`.
    state: &'static str,
    /// Why it cannot be read.
    problem: Option<String>,
    /// Sinks are getting what they have not got.
    delivering: bool,
    /// Seconds since the epoch.
    started: Option<f64>,
    rootdir: String,
    args: Vec<String>,
    pytest: String,
    labels: BTreeMap<String, String>,
    pid: u32,
    dist: Option<String>,
    workers: Vec<String>,
    collected: Option<u64>,
    expected: u64,
    done: u64,
    /// Tests by verdict.
    #[schema(value_type = BTreeMap<String, u64>)]
    counts: Counts,
    subtests_failed: u64,
    collect_failures: u64,
    warnings: u64,
    deselected: u64,
    not_run: u64,
    events_lost: u64,
    workers_lost: Vec<LostWorker>,
    interrupted: Option<String>,
    running: Vec<TestDocument>,
    failures: Vec<FailureDocument>,
    failures_left_out: u64,
    sinks: Vec<SinkProgress>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    orchestrated: Vec<OrchestratedDocument>,
    end: Option<End>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct LostWorker {
    worker: String,
    reason: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RunEnd)]
struct End {
    time: f64,
    exitstatus: Option<i32>,
    reason: Option<String>,
    duration: Option<f64>,
}

/// A test that runs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RunningTest)]
pub struct TestDocument {
    pub nodeid: String,
    pub attempt: u32,
    pub worker: Option<String>,
    pub since: f64,
    /// How long, at the time of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl Document {
    /// Everything but the lists of what runs and what failed.
    ///
    /// # Errors
    ///
    /// Where it is no JSON, which it is.
    pub fn without_lists(&mut self) -> serde_json::Result<serde_json::Value> {
        let running = std::mem::take(&mut self.running);
        let failures = std::mem::take(&mut self.failures);
        let value = serde_json::to_value(&*self);
        (self.running, self.failures) = (running, failures);
        let mut value = value?;
        if let Some(keys) = value.as_object_mut() {
            keys.shift_remove("running");
            keys.shift_remove("failures");
        }
        Ok(value)
    }
}

impl TestDocument {
    #[must_use]
    pub fn of(key: &Key, since: f64, now: f64) -> Self {
        Self {
            seconds: Some((now - since).max(0.0)),
            ..Self::since(key, since)
        }
    }

    /// Without what changes by itself.
    #[must_use]
    pub fn since((worker, nodeid, attempt): &Key, since: f64) -> Self {
        Self {
            nodeid: nodeid.clone(),
            attempt: *attempt,
            worker: worker.clone(),
            since,
            seconds: None,
        }
    }
}

/// Something that failed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureDocument {
    pub nodeid: String,
    pub attempt: u32,
    pub worker: Option<String>,
    pub phase: &'static str,
    pub subtest: Option<String>,
    pub kind: String,
    pub message: String,
    #[serde(skip)]
    #[schema(ignore)]
    pub words: (&'static str, String, String),
}

impl FailureDocument {
    #[must_use]
    pub fn of(failure: &Failure) -> Self {
        Self {
            nodeid: failure.nodeid.clone(),
            attempt: failure.attempt,
            worker: failure.worker.clone(),
            phase: failure.phase(),
            subtest: failure.subtest().map(str::to_owned),
            kind: failure.kind.clone(),
            message: failure.message.clone(),
            words: (failure.word(), failure.place(), failure.why()),
        }
    }
}

impl Document {
    #[must_use]
    pub fn of(watched: &Watched, now: f64) -> Self {
        Self::made(watched, |key, since| TestDocument::of(key, since, now))
    }

    /// As it stays until something happens: without the ages of tests.
    #[must_use]
    pub fn still(watched: &Watched) -> Self {
        Self::made(watched, TestDocument::since)
    }

    fn made(watched: &Watched, test: impl Fn(&Key, f64) -> TestDocument) -> Self {
        let run = &watched.run;
        let lost = run.lost_workers.iter().map(|(worker, reason)| LostWorker {
            worker: worker.clone(),
            reason: reason.clone(),
        });
        let running = run.oldest_first();
        Self {
            run: watched.id.clone(),
            state: watched.state.word(),
            problem: watched.state.problem(),
            delivering: watched.is_delivering(),
            started: run.started,
            rootdir: run.rootdir.clone(),
            args: run.args.clone(),
            pytest: run.pytest.clone(),
            labels: run.labels.clone(),
            pid: run.pid,
            dist: run.dist.clone(),
            workers: run.workers.iter().cloned().collect(),
            collected: run.is_collected.then_some(run.announced),
            expected: run.expected(),
            done: run.done(),
            counts: run.counts,
            subtests_failed: run.subtests_failed,
            collect_failures: run.collect_failures,
            warnings: run.warnings,
            deselected: run.deselected,
            not_run: run.not_run,
            events_lost: run.gaps,
            workers_lost: lost.collect(),
            interrupted: run.interrupted.clone(),
            running: running
                .into_iter()
                .map(|(key, since)| test(key, since))
                .collect(),
            failures: run.failures.iter().map(FailureDocument::of).collect(),
            failures_left_out: run.failures_left_out,
            sinks: watched.sinks.clone(),
            orchestrated: run
                .orchestrated
                .iter()
                .map(Orchestrated::document)
                .collect(),
            end: run.end.as_ref().map(|end| End {
                time: end.time,
                exitstatus: end.exitstatus,
                reason: end.reason.clone(),
                duration: run.duration(end.time),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::State;
    use crate::watch::testing::{START, at, busy, done, feed, session_end};

    #[test]
    fn a_run_as_it_is() {
        let document = Document::of(&busy(), START + 65.0);
        let text = serde_json::to_string_pretty(&document).unwrap();
        insta::assert_snapshot!(text, @r#"
    {
      "run": "2026-11-21T10-10-42-3f9a",
      "state": "running",
      "problem": null,
      "delivering": false,
      "started": 1000.0,
      "rootdir": "/srv/project",
      "args": [
        "-n2",
        "tests"
      ],
      "pytest": "9.2.0",
      "labels": {},
      "pid": 4711,
      "dist": "load",
      "workers": [
        "gw0",
        "gw1"
      ],
      "collected": 10,
      "expected": 10,
      "done": 2,
      "counts": {
        "passed": 1,
        "failed": 1,
        "error": 0,
        "crashed": 0,
        "interrupted": 0,
        "skipped": 0,
        "xfailed": 0,
        "xpassed": 0,
        "rerun": 0
      },
      "subtests_failed": 0,
      "collect_failures": 0,
      "warnings": 0,
      "deselected": 0,
      "not_run": 0,
      "events_lost": 0,
      "workers_lost": [],
      "interrupted": null,
      "running": [
        {
          "nodeid": "tests/deep/test_表.py::test_1[é]",
          "attempt": 1,
          "worker": "gw1",
          "since": 1002.5,
          "seconds": 62.5
        },
        {
          "nodeid": "t.py::test_3",
          "attempt": 2,
          "worker": "gw0",
          "since": 1005.0,
          "seconds": 60.0
        }
      ],
      "failures": [
        {
          "nodeid": "t.py::test_2",
          "attempt": 1,
          "worker": "gw0",
          "phase": "call",
          "subtest": null,
          "kind": "AssertionError",
          "message": "assert 1 == 2"
        }
      ],
      "failures_left_out": 0,
      "sinks": [
        {
          "name": "publish",
          "delivered": 12,
          "set_aside": 0,
          "left": 30,
          "closed": false,
          "disabled": false,
          "error": "connection refused"
        },
        {
          "name": "pubdir",
          "delivered": 42,
          "set_aside": 0,
          "left": 0,
          "closed": true,
          "disabled": false,
          "error": null
        }
      ],
      "end": null
    }
    "#);
    }

    #[test]
    fn a_run_that_ended() {
        let value = serde_json::to_value(Document::of(&done(), START + 65.0)).unwrap();
        assert_eq!(value["state"], "finished");
        assert_eq!(value["end"]["exitstatus"], 1);
        assert_eq!(value["delivering"], true);
    }

    #[test]
    fn a_run_that_cannot_be_read() {
        let mut watched = Watched::new("r");
        feed(&mut watched, [at(1.0, None, session_end(0))]);
        watched.state = State::Unreadable("format 9".into());
        let value = serde_json::to_value(Document::of(&watched, START)).unwrap();
        assert_eq!(
            (&value["state"], &value["problem"]),
            (&"unreadable".into(), &"format 9".into())
        );
    }
}
