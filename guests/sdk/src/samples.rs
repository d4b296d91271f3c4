//! Events to test a sink with, natively: one of each, to be changed with struct update.
//!
//! ```
//! use pytest_host_sdk::{Event, events::{Outcome, Phase, Report}, samples};
//!
//! let report = Report { duration: 2.5, ..samples::report("test_a.py::test_b", Phase::Call, Outcome::Passed) };
//! let batch = samples::numbered([
//!     samples::started("test_a.py::test_b"),
//!     Event::PhaseFinished(report),
//! ]);
//! assert_eq!(batch[1].seq, 2);
//! ```

use crate::{
    Envelope, Event, Session,
    events::{Capture, Outcome, Phase, Report, Section, Test, TestEnd, Verdict},
};

/// When all of it happens.
const NOW: f64 = 1_795_247_875.5;

pub fn session() -> Session {
    Session {
        id: "run-1".into(),
        rootdir: "/suite".into(),
        invocation_dir: "/suite".into(),
        args: vec![],
        started: NOW,
        pytest_version: "9.2.0".into(),
        python_version: "3.13.0".into(),
        python_prefixes: ("/venv".into(), "/usr".into()),
        hostname: "h".into(),
        pid: 1,
        dist: None,
        labels: vec![],
    }
}

pub fn test(nodeid: &str) -> Test {
    Test {
        nodeid: nodeid.into(),
        path: nodeid.split("::").next().unwrap_or_default().into(),
        line: None,
        name: name(nodeid),
        domain: name(nodeid),
        doc: None,
        keywords: vec![],
        group: None,
    }
}

pub fn report(nodeid: &str, phase: Phase, outcome: Outcome) -> Report {
    Report {
        nodeid: nodeid.into(),
        name: name(nodeid),
        group: None,
        attempt: 1,
        phase,
        outcome,
        xfail_reason: None,
        start: NOW,
        stop: NOW + 1.0,
        duration: 1.0,
        failure: None,
        sections: vec![],
        properties: vec![],
        subtest: None,
    }
}

fn name(nodeid: &str) -> String {
    nodeid.rsplit("::").next().unwrap_or_default().into()
}

pub fn section(capture: Capture, content: &str) -> Section {
    Section {
        capture,
        title: String::new(),
        content: content.into(),
        original_size: None,
    }
}

pub fn started(nodeid: &str) -> Event {
    Event::TestStarted((nodeid.into(), 1))
}

pub fn finished(nodeid: &str, verdict: Verdict) -> Event {
    Event::TestFinished(TestEnd {
        nodeid: nodeid.into(),
        attempt: 1,
        verdict,
        duration: 1.0,
    })
}

/// A test that passed, from its start to its end, with these reports.
pub fn whole(nodeid: &str, reports: Vec<Report>) -> Vec<Event> {
    let reports = reports.into_iter().map(Event::PhaseFinished);
    let end = finished(nodeid, Verdict::Passed);
    [started(nodeid)]
        .into_iter()
        .chain(reports)
        .chain([end])
        .collect()
}

pub fn envelope(seq: u64, event: Event) -> Envelope {
    Envelope {
        seq,
        time: NOW,
        worker: None,
        event,
    }
}

/// One event after the other, numbered from 1.
pub fn numbered(events: impl IntoIterator<Item = Event>) -> Vec<Envelope> {
    (1..)
        .zip(events)
        .map(|(seq, event)| envelope(seq, event))
        .collect()
}
