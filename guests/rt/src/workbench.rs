//! What native tests are made with: events, a state that outlives its sink, and a receiver.

use std::{cell::RefCell, rc::Rc};

use pytest_host_sdk::{
    Envelope, Event,
    events::{Capture, Failure, Outcome, Phase, Report, Section, SessionEnd, Test},
    http::{Error, Request, Response},
    samples,
};
use serde_json::Value;

pub use pytest_host_sdk::{
    samples::{finished, session, started, whole},
    testing::Shared,
};

use crate::{ids::Ids, message::Messages, post::Outside};

pub const JOB: &str = "ca92e8cf-b117-4b91-a0f8-e6c0bfff56c1";

pub fn messages() -> Messages {
    Messages {
        ids: Ids::new(&session(), Some(JOB.to_owned()), None),
        env: None,
        custom_data: None,
        job_report: false,
    }
}

pub fn test(nodeid: &str, doc: Option<&str>) -> Test {
    Test {
        doc: doc.map(str::to_owned),
        ..samples::test(nodeid)
    }
}

pub fn report(nodeid: &str, phase: Phase, outcome: Outcome) -> Report {
    Report {
        stop: 1795247875.701072,
        ..samples::report(nodeid, phase, outcome)
    }
}

pub fn failure(kind: &str, message: &str, longrepr: &str) -> Failure {
    Failure {
        kind: kind.into(),
        message: message.into(),
        traceback: vec![
            "  File \"t.py\", line 1, in t\n    u()\n".into(),
            "  File \"t.py\", line 2, in u\n    v\n".into(),
        ],
        longrepr: longrepr.into(),
    }
}

/// A report of what failed, with a failure.
pub fn failed(nodeid: &str, phase: Phase) -> Report {
    Report {
        failure: Some(failure("ValueError", "é", "E   ValueError: é")),
        ..report(nodeid, phase, Outcome::Failed)
    }
}

pub fn stdout(content: &str) -> Vec<Section> {
    vec![samples::section(Capture::Out, content)]
}

pub fn envelope(seq: u64, event: Event) -> Envelope {
    Envelope {
        time: 1795247875.5793324,
        ..samples::envelope(seq, event)
    }
}

/// One event after the other, numbered from 1.
pub fn numbered(events: Vec<Event>) -> Vec<Envelope> {
    (1..)
        .zip(events)
        .map(|(seq, event)| envelope(seq, event))
        .collect()
}

pub fn passed(nodeid: &str) -> Vec<Event> {
    let phases = [Phase::Setup, Phase::Call, Phase::Teardown];
    whole(
        nodeid,
        phases
            .map(|phase| report(nodeid, phase, Outcome::Passed))
            .into(),
    )
}

pub fn collect_failed(nodeid: &str) -> Event {
    Event::CollectFailed((nodeid.into(), failure("SyntaxError", "invalid", "E")))
}

pub fn over() -> Event {
    Event::SessionFinished(SessionEnd {
        exitstatus: Some(0),
        reason: None,
    })
}

pub type Answer = Result<Response, Error>;
/// What is answered to a message, where it is not taken.
pub type Answering = dyn FnMut(&str) -> Option<Answer>;

/// What a request was, in short: `startTestRun`, or `startTestItem t.py::a`.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub what: String,
    pub key: String,
    pub body: Value,
}

/// An endpoint that keeps what it takes.
#[derive(Clone, Default)]
pub struct Receiver(pub Rc<RefCell<Inside>>);

#[derive(Default)]
pub struct Inside {
    pub taken: Vec<Taken>,
    /// Everything that was sent, taken or not.
    pub tried: Vec<String>,
    /// Sizes of what was sent together.
    pub rounds: Vec<usize>,
    pub warnings: Vec<String>,
    /// Answers instead of 200, by what is sent.
    pub answer: Option<Box<Answering>>,
}

impl Receiver {
    pub fn answer(&self, answer: impl FnMut(&str) -> Option<Answer> + 'static) {
        self.0.borrow_mut().answer = Some(Box::new(answer));
    }

    pub fn taken(&self) -> Vec<String> {
        self.0
            .borrow()
            .taken
            .iter()
            .map(|taken| taken.what.clone())
            .collect()
    }

    pub fn keys(&self) -> Vec<String> {
        self.0
            .borrow()
            .taken
            .iter()
            .map(|taken| taken.key.clone())
            .collect()
    }

    pub fn body(&self, what: &str) -> Value {
        let inside = self.0.borrow();
        let found = inside.taken.iter().find(|taken| taken.what == what);
        found.unwrap_or_else(|| panic!("no {what}")).body.clone()
    }
}

impl Outside for Receiver {
    fn send(&mut self, requests: &[Request], _at_once: u32) -> Vec<Answer> {
        let mut inside = self.0.borrow_mut();
        inside.rounds.push(requests.len());
        let answers = requests.iter().map(|request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let kind = body["type"].as_str().unwrap();
            let what = match body["test"].as_str() {
                Some(test) => format!("{kind} {test}"),
                None => kind.to_owned(),
            };
            inside.tried.push(what.clone());
            let refused = inside.answer.as_mut().and_then(|answer| answer(&what));
            refused.unwrap_or_else(|| {
                let mut keys = request.headers.iter();
                let (_, key) = keys.find(|(name, _)| name == "idempotency-key").unwrap();
                inside.taken.push(Taken {
                    what,
                    key: key.clone(),
                    body,
                });
                status(200)
            })
        });
        answers.collect()
    }

    fn warn(&mut self, line: &str) {
        self.0.borrow_mut().warnings.push(line.to_owned());
    }
}

/// An answer; trouble is over at once.
pub fn status(status: u16) -> Answer {
    Ok(Response {
        status,
        headers: vec![("Retry-After".into(), "0".into())],
        body: vec![],
    })
}
