//! Events of a run, for tests.

use super::{State, Watched};
use crate::guest::bindings::events::{
    self, Envelope, Event, Outcome, Phase, Report, Session, SessionEnd, Test, TestEnd, Verdict,
};
use crate::journal::SinkProgress;

/// When the runs of the tests begin.
pub const START: f64 = 1000.0;

pub fn at(time: f64, worker: Option<&str>, event: Event) -> Envelope {
    Envelope {
        seq: 0,
        time: START + time,
        worker: worker.map(str::to_owned),
        event,
    }
}

pub fn session(dist: Option<&str>) -> Event {
    Event::SessionStarted(Session {
        id: "2026-11-21T10-10-42-3f9a".into(),
        rootdir: "/srv/project".into(),
        invocation_dir: "/srv/project".into(),
        args: vec!["-n2".into(), "tests".into()],
        started: START,
        pytest_version: "9.2.0".into(),
        python_version: "3.13.0".into(),
        python_prefixes: ("/usr".into(), "/usr".into()),
        hostname: "here".into(),
        pid: 4711,
        dist: dist.map(str::to_owned),
        labels: Vec::new(),
    })
}

pub fn collected(count: usize) -> [Event; 2] {
    let test = |number: usize| Test {
        nodeid: format!("t.py::test_{number}"),
        path: "t.py".into(),
        line: None,
        name: format!("test_{number}"),
        domain: format!("test_{number}"),
        doc: None,
        keywords: Vec::new(),
        group: None,
    };
    let finished = u32::try_from(count).unwrap();
    [
        Event::Collected((0..count).map(test).collect()),
        Event::CollectionFinished(finished),
    ]
}

pub fn start(nodeid: &str, attempt: u32) -> Event {
    Event::TestStarted((nodeid.into(), attempt))
}

pub fn end(nodeid: &str, attempt: u32, verdict: Verdict) -> Event {
    Event::TestFinished(TestEnd {
        nodeid: nodeid.into(),
        attempt,
        verdict,
        duration: 1.0,
    })
}

pub fn failed(nodeid: &str, phase: Phase, kind: &str, message: &str) -> Event {
    Event::PhaseFinished(Report {
        nodeid: nodeid.into(),
        name: nodeid.into(),
        group: None,
        attempt: 1,
        phase,
        outcome: Outcome::Failed,
        xfail_reason: None,
        start: START,
        stop: START,
        duration: 0.0,
        failure: Some(events::Failure {
            kind: kind.into(),
            message: message.into(),
            traceback: Vec::new(),
            longrepr: String::new(),
        }),
        sections: Vec::new(),
        properties: Vec::new(),
        subtest: None,
    })
}

pub fn session_end(exitstatus: i32) -> Event {
    Event::SessionFinished(SessionEnd {
        exitstatus: Some(exitstatus),
        reason: None,
    })
}

pub fn sink(name: &str, delivered: u64, left: u64, error: Option<&str>) -> SinkProgress {
    SinkProgress {
        name: name.into(),
        delivered,
        set_aside: 0,
        left,
        closed: left == 0,
        disabled: false,
        error: error.map(str::to_owned),
    }
}

/// A run under way: of ten tests one passed, one failed, two run.
pub fn busy() -> Watched {
    let mut watched = Watched::new("2026-11-21T10-10-42-3f9a");
    watched.is_owned = true;
    let [some, all] = collected(10);
    let happened = [
        at(0.0, None, session(Some("load"))),
        at(1.0, None, some),
        at(1.0, None, all),
        at(2.0, Some("gw0"), start("t.py::test_0", 1)),
        at(
            2.5,
            Some("gw1"),
            start("tests/deep/test_表.py::test_1[é]", 1),
        ),
        at(3.0, Some("gw0"), end("t.py::test_0", 1, Verdict::Passed)),
        at(3.0, Some("gw0"), start("t.py::test_2", 1)),
        at(
            4.0,
            Some("gw0"),
            failed(
                "t.py::test_2",
                Phase::Call,
                "AssertionError",
                "assert 1 == 2\nmore",
            ),
        ),
        at(4.0, Some("gw0"), end("t.py::test_2", 1, Verdict::Failed)),
        at(5.0, Some("gw0"), start("t.py::test_3", 2)),
    ];
    feed(&mut watched, happened);
    watched.sinks = vec![
        sink("publish", 12, 30, Some("connection refused")),
        sink("pubdir", 42, 0, None),
    ];
    watched
}

/// The same run at its end.
pub fn done() -> Watched {
    let mut watched = busy();
    let happened = [
        at(6.0, Some("gw0"), end("t.py::test_3", 2, Verdict::Passed)),
        at(
            8.0,
            Some("gw1"),
            end("tests/deep/test_表.py::test_1[é]", 1, Verdict::Xfailed),
        ),
        at(12.34, None, session_end(1)),
    ];
    feed(&mut watched, happened);
    watched.state = State::Finished;
    watched
}

pub fn feed(watched: &mut Watched, happened: impl IntoIterator<Item = Envelope>) {
    for envelope in happened {
        watched.notes.extend(watched.run.take(envelope));
    }
}
