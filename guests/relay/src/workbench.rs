//! What native tests are made with: events, a state that outlives its sink, and a server.

use std::{cell::RefCell, rc::Rc};

use pytest_host_sdk::{
    Envelope, Event, Session,
    events::{Failure, Outcome, Phase, Report, SessionEnd, Warning},
    samples,
    websocket::{Error, Undelivered},
};
use serde_json::Value;

pub use pytest_host_sdk::{
    samples::{finished, numbered, report, started, whole},
    testing::Shared,
};

use crate::outlet::Outlet;

pub fn session() -> Session {
    let labels = [("target", "t.py"), ("utc-offset", "0")];
    Session {
        labels: labels.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        ..samples::session()
    }
}

pub fn failure(message: &str, longrepr: &str) -> Failure {
    Failure {
        kind: "ValueError".into(),
        message: message.into(),
        traceback: vec![],
        longrepr: longrepr.into(),
    }
}

pub fn failed(nodeid: &str, phase: Phase) -> Report {
    Report {
        failure: Some(failure("why", "E   why")),
        ..report(nodeid, phase, Outcome::Failed)
    }
}

pub fn warning(nodeid: Option<&str>, text: &str) -> Event {
    Event::Warning(Warning {
        category: "UserWarning".into(),
        message: text.into(),
        path: "/suite/t.py".into(),
        line: 2,
        stage: if nodeid.is_some() {
            "runtest"
        } else {
            "collect"
        }
        .into(),
        nodeid: nodeid.map(str::to_owned),
        code: None,
    })
}

pub fn passed(nodeid: &str) -> Vec<Event> {
    let phases = [Phase::Setup, Phase::Call, Phase::Teardown];
    let passed = |phase| report(nodeid, phase, Outcome::Passed);
    whole(nodeid, phases.map(passed).into())
}

pub fn collected(nodeids: &[&str]) -> Vec<Event> {
    let tests = nodeids.iter().map(|nodeid| samples::test(nodeid)).collect();
    vec![
        Event::Collected(tests),
        Event::CollectionFinished(u32::try_from(nodeids.len()).unwrap()),
    ]
}

fn over(exitstatus: i32) -> Event {
    Event::SessionFinished(SessionEnd {
        exitstatus: Some(exitstatus),
        reason: None,
    })
}

/// A whole run of tests, each of which is told in full by these events.
pub fn run_of(nodeids: &[&str], events: Vec<Event>, exitstatus: i32) -> Vec<Envelope> {
    let end = [over(exitstatus)];
    numbered(collected(nodeids).into_iter().chain(events).chain(end))
}

/// A server that keeps what it reads, and the topic.
#[derive(Clone, Default)]
pub struct Server(pub Rc<RefCell<Inside>>);

#[derive(Default)]
pub struct Inside {
    pub read: Vec<String>,
    pub published: Vec<String>,
    pub warnings: Vec<String>,
    pub sends: usize,
    /// What becomes of the next sends: how many messages are read, how many are known to be, and why no more.
    pub failures: Vec<(usize, u32, Error)>,
}

impl Server {
    pub fn fail(&self, read: usize, delivered: u32, why: Error) {
        self.0.borrow_mut().failures.push((read, delivered, why));
    }

    pub fn read(&self) -> Vec<String> {
        self.0.borrow().read.clone()
    }

    pub fn published(&self) -> Vec<String> {
        self.0.borrow().published.clone()
    }
}

impl Outlet for Server {
    fn send(
        &mut self,
        url: &str,
        greeting: &[String],
        messages: &[String],
    ) -> Result<(), Undelivered> {
        assert_eq!(url, "ws://h/");
        assert_eq!(greeting, [crate::message::GREETING]);
        let mut inside = self.0.borrow_mut();
        inside.sends += 1;
        if inside.failures.is_empty() {
            inside.read.extend_from_slice(messages);
            return Ok(());
        }
        let (read, delivered, why) = inside.failures.remove(0);
        inside.read.extend(messages.iter().take(read).cloned());
        Err(Undelivered { delivered, why })
    }

    fn publish(&mut self, message: &str) {
        self.0.borrow_mut().published.push(message.to_owned());
    }

    fn warn(&mut self, line: &str) {
        self.0.borrow_mut().warnings.push(line.to_owned());
    }
}

/// What messages say, in short: `S in-progress -`, or `T 0 t.py::a done passed green [error call why]`.
pub fn short(messages: &[String]) -> Vec<String> {
    messages.iter().map(|message| shorten(message)).collect()
}

fn shorten(message: &str) -> String {
    let message: Value = serde_json::from_str(message).unwrap();
    let payload = &message["payload"];
    let word = |key: &str| payload[key].as_str().unwrap_or("-").to_owned();
    let records = payload["records"].as_array().unwrap().iter().map(|record| {
        let word = |key: &str| record[key].as_str().unwrap().to_owned();
        format!(" [{} {} {}]", word("severity"), word("phase"), word("msg"))
    });
    let records: String = records.collect();
    if message["type"] == "session" {
        let tests = payload["tests"].as_array().unwrap().len();
        return format!("S {} {} {tests}{records}", word("state"), word("result"));
    }
    let (idx, name) = (&payload["idx"], word("name"));
    let (state, category, result) = (word("state"), word("category"), word("result"));
    format!("T {idx} {name} {state} {category} {result}{records}")
}
