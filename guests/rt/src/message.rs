//! The messages, with the fields of the published plugin in its order.

use pytest_host_sdk::{
    events::{self, Failure, Outcome, Phase, Report},
    python,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ids::Ids;

/// The version of the messages.
const FW: &str = "2";
/// The property that carries what a test set as `pytest.t_screen`.
const SCREEN: &str = "t_screen";
/// Between the tests of `startTestRun`.
const SEPARATOR: &[u8] = b", ";

/// A message, ready to be posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// For people: its type and what it is about.
    pub about: String,
    pub json: Vec<u8>,
}

impl Message {
    fn new(kind: &str, nodeid: &str, value: &impl Serialize) -> Self {
        let about = match nodeid {
            "" => kind.to_owned(),
            _ => format!("{kind} of {nodeid}"),
        };
        Self {
            about,
            json: dumps(value),
        }
    }
}

#[derive(Serialize)]
struct StartTestItem<'a> {
    fw: &'a str,
    r#type: &'a str,
    job_id: &'a str,
    test: &'a str,
    uuid: String,
    custom_id: &'a Option<String>,
    #[serde(rename = "startTime")]
    start_time: String,
}

#[derive(Serialize)]
struct StopTestItem<'a> {
    fw: &'a str,
    r#type: &'a str,
    job_id: &'a str,
    test: &'a str,
    uuid: String,
    custom_id: &'a Option<String>,
    status: &'a str,
    msg: String,
    #[serde(rename = "stopTime")]
    stop_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    screens: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct StopTest<'a> {
    fw: &'a str,
    r#type: &'a str,
    job_id: &'a str,
    test: &'a str,
    uuid: Option<String>,
    custom_id: &'a Option<String>,
    #[serde(rename = "stopTime")]
    stop_time: String,
    status: &'a str,
    msg: [String; 3],
}

#[derive(Serialize)]
struct StopTestRun<'a> {
    fw: &'a str,
    r#type: &'a str,
    job_id: &'a str,
    custom_id: &'a Option<String>,
    #[serde(rename = "stopTime")]
    stop_time: String,
    send_report: &'a str,
}

/// What `startTestRun` ends with.
#[derive(Serialize)]
struct RunStarted<'a> {
    env: &'a Option<String>,
    custom_data: &'a Option<String>,
    #[serde(rename = "startTime")]
    start_time: f64,
    job_id: &'a str,
    custom_id: &'a Option<String>,
}

#[derive(Serialize)]
struct Test<'a> {
    location: &'a str,
    nodeid: &'a str,
    uuid: String,
    description: Option<&'a str>,
}

/// What messages say besides the event that they are for.
#[derive(Clone, Debug)]
pub struct Messages {
    pub ids: Ids,
    pub env: Option<String>,
    pub custom_data: Option<String>,
    pub job_report: bool,
}

impl Messages {
    /// `startTestRun`. `tell` is given what takes one test's location, node id and description; all of them
    /// come to `size` bytes at the most, separators included.
    pub fn run_started(
        &self,
        size: usize,
        start_time: f64,
        tell: impl FnOnce(&mut dyn FnMut(&str, &str, Option<&str>)),
    ) -> Message {
        let start = br#"{"fw": "2", "type": "startTestRun", "tests": ["#;
        let end = dumps(&RunStarted {
            env: &self.env,
            custom_data: &self.custom_data,
            start_time,
            job_id: &self.ids.job,
            custom_id: &self.ids.custom,
        });
        // At once: memory that is outgrown on the way is not given back.
        let mut json = Vec::with_capacity(start.len() + size + end.len() + 2);
        json.extend(start);
        let mut first = true;
        tell(&mut |location, nodeid, description| {
            if !std::mem::take(&mut first) {
                json.extend(SEPARATOR);
            }
            self.test(location, nodeid, description, &mut json);
        });
        json.extend(b"], ");
        json.extend(end.strip_prefix(b"{").unwrap_or(&end));
        Message {
            about: "startTestRun".to_owned(),
            json,
        }
    }

    /// One of the tests of `startTestRun`, at the end of `json`.
    fn test(&self, location: &str, nodeid: &str, description: Option<&str>, json: &mut Vec<u8>) {
        let uuid = self.ids.test(nodeid);
        // Cannot fail, as below: every key is a string, and memory takes what is written.
        let _ = python::dump(
            &Test {
                location,
                nodeid,
                uuid,
                description,
            },
            json,
        );
    }

    /// How many bytes a test has in `startTestRun`, separator included; `scratch` is overwritten.
    pub fn size(&self, test: &events::Test, scratch: &mut Vec<u8>) -> usize {
        scratch.clear();
        self.test(&test.domain, &test.nodeid, test.doc.as_deref(), scratch);
        scratch.len() + SEPARATOR.len()
    }

    pub fn item_started(&self, nodeid: &str, time: f64) -> Message {
        Message::new(
            "startTestItem",
            nodeid,
            &StartTestItem {
                fw: FW,
                r#type: "startTestItem",
                job_id: &self.ids.job,
                test: nodeid,
                uuid: self.ids.test(nodeid),
                custom_id: &self.ids.custom,
                start_time: python::repr(time),
            },
        )
    }

    /// What a report comes to; `stdout` is what the test has written so far.
    pub fn reported(&self, report: &Report, stdout: impl FnOnce() -> String) -> Vec<Message> {
        match (report.phase, &report.outcome) {
            (Phase::Call, Outcome::Passed) => {
                vec![self.item_stopped(report, "passed", String::new(), true)]
            }
            (Phase::Setup | Phase::Call, Outcome::Skipped) => {
                vec![self.item_stopped(report, "skipped", longrepr(report), false)]
            }
            (Phase::Setup | Phase::Call, Outcome::Failed) => {
                let msg = format!(
                    "{}\n\nCaptured stdout call:\n{}",
                    longrepr(report),
                    stdout()
                );
                let mut messages = vec![self.item_stopped(report, "failed", msg, true)];
                if report.phase == Phase::Setup {
                    messages.push(self.errored(report));
                }
                messages
            }
            (Phase::Teardown, Outcome::Failed) => vec![self.errored(report)],
            _ => vec![],
        }
    }

    fn item_stopped(&self, report: &Report, status: &str, msg: String, screens: bool) -> Message {
        Message::new(
            "stopTestItem",
            &report.nodeid,
            &StopTestItem {
                fw: FW,
                r#type: "stopTestItem",
                job_id: &self.ids.job,
                test: &report.nodeid,
                uuid: self.ids.test(&report.nodeid),
                custom_id: &self.ids.custom,
                status,
                msg,
                stop_time: python::repr(report.stop),
                screens: screens.then(|| self::screens(report)).flatten(),
            },
        )
    }

    /// An error outside of the test itself.
    fn errored(&self, report: &Report) -> Message {
        let msg = match &report.failure {
            Some(failure) => raised(failure),
            None => [String::new(), String::new(), String::new()],
        };
        self.stopped(&report.nodeid, true, report.stop, msg)
    }

    pub fn collection_failed(&self, nodeid: &str, failure: &Failure, time: f64) -> Message {
        self.stopped(nodeid, false, time, raised(failure))
    }

    pub fn crashed(&self, nodeid: &str, worker: Option<&str>, time: f64) -> Message {
        let what = match worker {
            Some(worker) => format!("worker {worker} crashed while running '{nodeid}'"),
            None => format!("pytest ended while running '{nodeid}'"),
        };
        self.stopped(
            nodeid,
            true,
            time,
            ["crashed".to_owned(), what, String::new()],
        )
    }

    pub fn interrupted(&self, nodeid: &str, time: f64) -> Message {
        let what = "the run ended while this test ran".to_owned();
        self.stopped(
            nodeid,
            true,
            time,
            ["interrupted".to_owned(), what, String::new()],
        )
    }

    fn stopped(&self, nodeid: &str, is_test: bool, time: f64, msg: [String; 3]) -> Message {
        Message::new(
            "stopTest",
            nodeid,
            &StopTest {
                fw: FW,
                r#type: "stopTest",
                job_id: &self.ids.job,
                test: nodeid,
                uuid: is_test.then(|| self.ids.test(nodeid)),
                custom_id: &self.ids.custom,
                stop_time: python::repr(time),
                status: "error",
                msg,
            },
        )
    }

    pub fn run_stopped(&self, time: f64) -> Message {
        Message::new(
            "stopTestRun",
            "",
            &StopTestRun {
                fw: FW,
                r#type: "stopTestRun",
                job_id: &self.ids.job,
                custom_id: &self.ids.custom,
                stop_time: python::repr(time),
                send_report: if self.job_report { "1" } else { "0" },
            },
        )
    }
}

fn dumps(value: &impl Serialize) -> Vec<u8> {
    python::dumps(value).unwrap_or_default()
}

/// What pytest says of a report.
fn longrepr(report: &Report) -> String {
    match (&report.failure, &report.xfail_reason) {
        (Some(failure), _) => failure.longrepr.clone(),
        // A strict xfail that passed: nothing was raised.
        (None, Some(reason)) => format!("[XPASS(strict)] {reason}").trim_end().to_owned(),
        (None, None) => String::new(),
    }
}

/// `type`, `value` and `traceback` as Python shows them.
fn raised(failure: &Failure) -> [String; 3] {
    [
        format!("<class '{}'>", failure.kind),
        failure.message.clone(),
        failure.traceback.concat(),
    ]
}

/// What the test set, as it is; an empty text where it set nothing.
fn screens(report: &Report) -> Option<Box<RawValue>> {
    let mut set = report
        .properties
        .iter()
        .rev()
        .filter(|(name, _)| name == SCREEN);
    let json = set.next().map_or(r#""""#, |(_, json)| json);
    let raw = |json: &str| RawValue::from_string(json.to_owned());
    raw(json).or_else(|_| raw(r#""""#)).ok()
}

#[cfg(test)]
mod tests;
