use super::names::name_in;
use super::*;
use crate::protocol::frame;

struct Session {
    normaliser: Normaliser,
    main: Position,
    intake: Intake,
}

impl Session {
    fn new() -> Self {
        Self {
            normaliser: Normaliser::new("run"),
            main: Position::default(),
            intake: Intake::default(),
        }
    }

    fn take(&mut self, text: &str) {
        let frame = frame::read(text.as_bytes()).unwrap();
        self.normaliser
            .take(frame, &mut self.main, 100.0, &mut self.intake);
    }

    fn take_as(&mut self, worker: &mut Position, text: &str) {
        let frame = frame::read(text.as_bytes()).unwrap();
        self.normaliser.take(frame, worker, 100.0, &mut self.intake);
    }

    fn events(&mut self) -> Vec<Event> {
        self.intake
            .drafts
            .drain(..)
            .map(|draft| draft.event)
            .collect()
    }
}

const ITEMS: &str = r#"{"k":"items","c":"h","first":0,"tests":[
    {"nodeid":"t.py::a[x::y]","path":"t.py","name":"a[x::y]","domain":"a[x::y]","group":"g"},
    {"nodeid":"t.py::b","path":"t.py","name":"b","domain":"b"}]}"#;
const COLLECTED: &str = r#"{"k":"collected","t":1,"c":"h","count":2}"#;

fn worker(name: &str) -> Position {
    Position {
        worker: Some(name.into()),
        ..Position::default()
    }
}

#[test]
fn a_passing_test_becomes_all_of_its_events() {
    let mut session = Session::new();
    session.take(ITEMS);
    session.take(COLLECTED);
    session.take(r#"{"k":"start","i":0,"a":1,"t":2}"#);
    session.take(r#"{"k":"end","i":0,"a":1,"t":5,"verdict":"passed","passed":{"teardown":[4,5,1],"setup":[2,3,1],"call":[3,4,1]}}"#);
    let events = session.events();
    let phases: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::PhaseFinished(report) => Some((
                report.phase,
                report.name.as_str(),
                report.group.as_deref(),
                report.stop,
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        phases,
        [
            (events::Phase::Setup, "a[x::y]", Some("g"), 3.0),
            (events::Phase::Call, "a[x::y]", Some("g"), 4.0),
            (events::Phase::Teardown, "a[x::y]", Some("g"), 5.0),
        ]
    );
    let Some(Event::TestFinished(end)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((end.verdict, end.duration), (Verdict::Passed, 3.0));
}

#[test]
fn what_workers_say_alike_is_said_once() {
    let mut session = Session::new();
    let (mut first, mut second) = (worker("gw0"), worker("gw1"));
    for worker in [&mut first, &mut second] {
        session.take_as(worker, r#"{"k":"collect-failed","t":0,"nodeid":"x.py","failure":{"kind":"E","message":"m","longrepr":"l"}}"#);
        session.take_as(worker, r#"{"k":"deselected","t":0,"nodeids":["t.py::c"]}"#);
        session.take_as(worker, ITEMS);
        session.take_as(worker, COLLECTED);
    }
    let events = session.events();
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(second.collection.as_deref(), Some("h"));
    session.take_as(&mut second, r#"{"k":"start","i":1,"a":1,"t":2}"#);
    assert_eq!(
        session.events(),
        [Event::TestStarted(("t.py::b".into(), 1))]
    );
}

#[test]
fn tests_that_never_ran_and_never_ended_are_named() {
    let mut session = Session::new();
    session.take(r#"{"k":"session","t":0,"session":{"rootdir":"/r","invocation_dir":"/r","args":[],"started":0,
        "pytest_version":"9","python_version":"3","python_prefixes":["",""],"hostname":"h","pid":1}}"#);
    session.take(ITEMS);
    session.take(COLLECTED);
    session.take(r#"{"k":"start","i":0,"a":1,"t":2}"#);
    session.events();
    let events: Vec<Event> = session
        .normaliser
        .close(&HashSet::from([None]), 9.0)
        .into_iter()
        .map(|d| d.event)
        .collect();
    assert_eq!(
        events,
        [
            Event::TestFinished(TestEnd {
                nodeid: "t.py::a[x::y]".into(),
                attempt: 1,
                verdict: Verdict::Crashed,
                duration: 7.0
            }),
            Event::NotRun(("t.py::b".into(), "aborted".into())),
            Event::SessionFinished(SessionEnd {
                exitstatus: None,
                reason: Some("aborted".into())
            }),
        ]
    );
}

#[test]
fn why_tests_did_not_run_is_the_sessions_reason() {
    let mut session = Session::new();
    session.take(ITEMS);
    session.take(r#"{"k":"finish","t":3,"exitstatus":1,"reason":"maxfail"}"#);
    session.events();
    let events: Vec<Event> = session
        .normaliser
        .close(&HashSet::new(), 9.0)
        .into_iter()
        .map(|d| d.event)
        .collect();
    assert!(
        events.contains(&Event::NotRun(("t.py::b".into(), "maxfail".into()))),
        "{events:?}"
    );
}

#[test]
fn a_crash_is_told_in_the_workers_name() {
    let mut session = Session::new();
    let mut gw0 = worker("gw0");
    session.take_as(&mut gw0, ITEMS);
    session.take_as(&mut gw0, COLLECTED);
    session.take_as(&mut gw0, r#"{"k":"start","i":0,"a":1,"t":2}"#);
    session.events();
    session.take(r#"{"k":"crash","t":5,"nodeid":"t.py::a[x::y]","worker":"gw0","message":"worker 'gw0' crashed"}"#);
    assert!(
        session
            .intake
            .drafts
            .iter()
            .all(|draft| draft.worker.as_deref() == Some("gw0"))
    );
    let events = session.events();
    let Event::PhaseFinished(report) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (
            report.name.as_str(),
            report.group.as_deref(),
            report.duration
        ),
        ("a[x::y]", Some("g"), 3.0)
    );
    assert!(
        session
            .normaliser
            .close(&HashSet::new(), 9.0)
            .iter()
            .all(|d| !matches!(d.event, Event::TestFinished(_)))
    );
}

#[test]
fn names_are_found_in_node_ids_that_were_never_announced() {
    assert_eq!(name_in("a/t.py::C::m[x::y/z]"), "m[x::y/z]");
    assert_eq!(name_in("t.py::m"), "m");
    assert_eq!(name_in("README.md"), "README.md");
}

#[test]
fn phases_are_told_in_order() {
    let mut session = Session::new();
    session.take(ITEMS);
    session.take(COLLECTED);
    session.take(r#"{"k":"start","i":1,"a":1,"t":2}"#);
    session.take(
        r#"{"k":"phase","i":1,"a":1,"t":5,"passed":{"setup":[2,3,1],"call":[3,4,1]},
            "report":{"phase":"teardown","outcome":"failed","start":4,"stop":5,"duration":1}}"#,
    );
    session.take(r#"{"k":"end","i":1,"a":1,"t":6,"verdict":"error","passed":{}}"#);
    let phases: Vec<events::Phase> = session
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::PhaseFinished(report) => Some(report.phase),
            _ => None,
        })
        .collect();
    assert_eq!(
        phases,
        [
            events::Phase::Setup,
            events::Phase::Call,
            events::Phase::Teardown
        ]
    );
}

const START: &str = r#"{"k":"start","i":0,"a":1,"t":2}"#;
const CRASH: &str = r#"{"k":"crash","t":5,"nodeid":"t.py::a[x::y]","worker":"gw0","message":"m"}"#;

fn kinds(events: &[Event]) -> Vec<(&'static str, u32)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::TestStarted((_, attempt)) => Some(("start", *attempt)),
            Event::PhaseFinished(report) => Some(("phase", report.attempt)),
            Event::TestFinished(end) => Some(("end", end.attempt)),
            _ => None,
        })
        .collect()
}

impl Session {
    fn with_worker() -> (Self, Position) {
        let mut session = Self::new();
        let mut gw0 = worker("gw0");
        session.take_as(&mut gw0, ITEMS);
        session.take_as(&mut gw0, COLLECTED);
        session.events();
        (session, gw0)
    }

    fn ended(&mut self, worker: &str) {
        let drafts = &mut self.intake.drafts;
        self.normaliser.worker_ended(worker, drafts);
    }
}

#[test]
fn a_crash_waits_for_what_its_worker_wrote() {
    let (mut session, mut gw0) = Session::with_worker();
    session.take(CRASH);
    assert_eq!(session.events(), []);
    session.take_as(&mut gw0, START);
    session.ended("gw0");
    let events = session.events();
    assert_eq!(kinds(&events), [("start", 1), ("phase", 1), ("end", 1)]);
}

#[test]
fn a_worker_may_crash_between_two_tests() {
    let (mut session, mut gw0) = Session::with_worker();
    session.take_as(&mut gw0, START);
    session.take_as(
        &mut gw0,
        r#"{"k":"end","i":0,"a":1,"t":3,"verdict":"passed","passed":{}}"#,
    );
    session.take(CRASH);
    session.ended("gw0");
    let events = session.events();
    let expected = [
        ("start", 1),
        ("end", 1),
        ("start", 2),
        ("phase", 2),
        ("end", 2),
    ];
    assert_eq!(kinds(&events), expected);
    // The other way round: first its end, then what the controller says.
    session.take(CRASH);
    assert_eq!(
        kinds(&session.events()),
        [("start", 3), ("phase", 3), ("end", 3)]
    );
}

#[test]
fn a_crash_is_told_at_the_latest_at_the_end() {
    let (mut session, _) = Session::with_worker();
    session.take(CRASH);
    let events: Vec<Event> = session
        .normaliser
        .close(&HashSet::new(), 9.0)
        .into_iter()
        .map(|draft| draft.event)
        .collect();
    assert_eq!(kinds(&events), [("start", 1), ("phase", 1), ("end", 1)]);
    let not_run = |event: &&Event| matches!(event, Event::NotRun(_));
    assert_eq!(events.iter().filter(not_run).count(), 1);
}

#[test]
fn attempts_are_numbered_over_all_workers() {
    let (mut session, mut gw0) = Session::with_worker();
    session.take_as(&mut gw0, START);
    session.take(CRASH);
    session.events();
    let mut gw1 = worker("gw1");
    session.take_as(&mut gw1, ITEMS);
    session.take_as(&mut gw1, COLLECTED);
    session.take_as(&mut gw1, START);
    session.take_as(
        &mut gw1,
        r#"{"k":"end","i":0,"a":1,"t":3,"verdict":"rerun","passed":{"setup":[1,2,1]}}"#,
    );
    session.take_as(&mut gw1, r#"{"k":"start","i":0,"a":2,"t":4}"#);
    let events = session.events();
    assert_eq!(
        kinds(&events),
        [("start", 2), ("phase", 2), ("end", 2), ("start", 3)]
    );
}

#[test]
fn items_that_were_lost_do_not_move_the_others() {
    let mut session = Session::new();
    session.take(r#"{"k":"gap","t":0,"first":1,"count":1,"reason":"r"}"#);
    session.take(&ITEMS.replace(r#""first":0"#, r#""first":1000"#));
    session.take(&COLLECTED.replace(r#""count":2"#, r#""count":1002"#));
    session.events();
    session.take(r#"{"k":"start","i":1001,"a":1,"t":2}"#);
    session.take(r#"{"k":"start","i":7,"a":1,"t":2}"#);
    assert_eq!(
        session.events(),
        [
            Event::TestStarted(("t.py::b".into(), 1)),
            Event::TestStarted(("#7".into(), 1))
        ]
    );
    session.take(r#"{"k":"finish","t":3,"exitstatus":0}"#);
    let events = session.normaliser.close(&HashSet::new(), 9.0);
    let why = "unknown: events were lost";
    let not_run = Event::NotRun(("t.py::a[x::y]".into(), why.into()));
    assert!(events.iter().any(|draft| draft.event == not_run));
}

#[test]
fn tests_of_several_collections_are_announced_once() {
    let mut session = Session::new();
    let (mut first, mut second) = (worker("gw0"), worker("gw1"));
    session.take_as(&mut first, ITEMS);
    session.take_as(&mut first, COLLECTED);
    session.events();
    let other = ITEMS
        .replace(r#""c":"h""#, r#""c":"i""#)
        .replace("t.py::b", "t.py::c");
    session.take_as(&mut second, &other);
    session.take_as(&mut second, &COLLECTED.replace(r#""c":"h""#, r#""c":"i""#));
    let events = session.events();
    let [Event::Collected(tests), Event::CollectionFinished(3)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(tests.len(), 1);
    assert_eq!(tests.first().unwrap().nodeid, "t.py::c");
}

#[test]
fn numbers_of_any_size_are_taken_in() {
    let mut session = Session::new();
    session.take(
        r#"{"k":"items","c":"h","first":4294967295,"tests":[
            {"nodeid":"t.py::a","path":"t.py","name":"a","domain":"a"},
            {"nodeid":"t.py::b","path":"t.py","name":"b","domain":"b"}]}"#,
    );
    session.take(r#"{"k":"collected","t":1,"c":"h","count":4294967295}"#);
    session.take(r#"{"k":"start","i":4294967295,"a":4294967295,"t":2}"#);
    session.take(r#"{"k":"start","i":4294967295,"a":1,"t":-1e308}"#);
    session.take(r#"{"k":"end","i":4294967295,"a":1,"t":1e308,"verdict":"passed"}"#);
    session.take(r#"{"k":"gap","t":1,"first":18446744073709551615,"count":18446744073709551615,"reason":"r"}"#);
    session.take(r#"{"k":"crash","t":9,"nodeid":"t.py::a","worker":"gw0","message":"m"}"#);
    session.take(r#"{"k":"worker-lost","t":9,"worker":"gw0","reason":"r"}"#);
    let lost: u64 = session
        .intake
        .drafts
        .iter()
        .map(|draft| match &draft.event {
            Event::Gap(gap) => gap.count,
            _ => 0,
        })
        .sum();
    assert_eq!(lost, MOST);
    let events = session.events();
    let named =
        |event: &Event| matches!(event, Event::TestStarted((nodeid, _)) if nodeid == "t.py::a");
    assert!(events.iter().any(named), "{events:?}");
    for event in &events {
        let kept = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<Event>(&kept).unwrap(), event);
    }
}
