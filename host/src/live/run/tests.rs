use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::guest::bindings::events::{Envelope, Event, Gap, Phase, Verdict};
use crate::live::board::Joined;
use crate::topic::{Limits, Topics};
use crate::watch::FAILURES;
use crate::watch::testing::{at, collected, end, failed, session, session_end, start};

/// What a client does with a message, as `docs/live.md` tells it to.
fn apply(document: &mut Value, change: &Value) {
    for event in change["events"].as_array().into_iter().flatten() {
        let key = ["worker", "nodeid", "attempt"].map(|key| event[key].clone());
        let is_it = |test: &Value| ["worker", "nodeid", "attempt"].map(|k| test[k].clone()) == key;
        let mut event = event.clone();
        let kind = event.as_object_mut().unwrap().shift_remove("type").unwrap();
        match kind.as_str().unwrap() {
            "test-started" => {
                let running = document["running"].as_array_mut().unwrap();
                running.retain(|test| !is_it(test));
                running.push(event);
            }
            "test-finished" | "test-gone" => {
                let running = document["running"].as_array_mut().unwrap();
                running.retain(|test| !is_it(test));
            }
            "failed" => {
                let failures = document["failures"].as_array_mut().unwrap();
                failures.push(event);
                if failures.len() > FAILURES {
                    failures.remove(0);
                }
            }
            other => panic!("{other}"),
        }
    }
    for (key, value) in change["set"].as_object().into_iter().flatten() {
        document[key] = value.clone();
    }
}

fn sorted(mut document: Value) -> Value {
    let running = document["running"].as_array_mut().unwrap();
    running.sort_by_key(ToString::to_string);
    document
}

struct Client {
    joined: Joined,
    document: Value,
}

impl Client {
    fn new(board: &Board) -> Self {
        let joined = board.join(None, &Arc::default()).unwrap();
        let document = serde_json::from_str(joined.snapshot.as_ref().unwrap()).unwrap();
        Self { joined, document }
    }

    fn read(&mut self) -> Vec<Value> {
        let taken = self.joined.subscription.take(usize::MAX).unwrap();
        let changes: Vec<Value> = taken
            .iter()
            .map(|message| serde_json::from_str(&message.text).unwrap())
            .collect();
        for change in &changes {
            apply(&mut self.document, change);
        }
        changes
    }
}

fn feed(reader: &mut Reader, happened: impl IntoIterator<Item = Envelope>) {
    for envelope in happened {
        match &mut reader.watched.steps {
            Some(steps) => drop(Step::take(&mut reader.watched.run, envelope, steps)),
            None => drop(reader.watched.run.take(envelope)),
        }
    }
}

fn now(reader: &Reader) -> Value {
    serde_json::to_value(Document::still(&reader.watched)).unwrap()
}

fn board() -> Board {
    Board::new(Topics::new(Limits::default()), "run/1")
}

#[test]
fn what_a_run_is_told_as() {
    let (board, mut reader) = (board(), Reader::new("1"));
    let [some, all] = collected(2);
    feed(
        &mut reader,
        [at(0.0, None, session(None)), at(0.5, None, some)],
    );
    reader.tell(&board, true);
    assert!(!board.has_state(), "not while there is more to read");
    reader.tell(&board, false);
    let mut client = Client::new(&board);
    assert_eq!(client.document, now(&reader));
    feed(
        &mut reader,
        [at(1.0, None, all), at(2.0, None, start("t.py::test_0", 1))],
    );
    reader.tell(&board, false);
    reader.tell(&board, false);
    let failed = failed(
        "t.py::test_0",
        Phase::Call,
        "AssertionError",
        "assert 1 == 2",
    );
    feed(
        &mut reader,
        [
            at(3.0, None, failed),
            at(3.0, None, end("t.py::test_0", 1, Verdict::Failed)),
        ],
    );
    reader.tell(&board, false);
    let changes = client.read();
    assert_eq!(
        changes,
        [
            json!({
                "events": [{"type": "test-started", "nodeid": "t.py::test_0", "attempt": 1,
                            "worker": null, "since": 1002.0}],
                "set": {"collected": 2},
            }),
            json!({
                "events": [
                    {"type": "failed", "nodeid": "t.py::test_0", "attempt": 1, "worker": null,
                     "phase": "call", "subtest": null, "kind": "AssertionError",
                     "message": "assert 1 == 2"},
                    {"type": "test-finished", "nodeid": "t.py::test_0", "attempt": 1,
                     "worker": null, "verdict": "failed", "duration": 1.0},
                ],
                "set": {"done": 1, "counts": changes[1]["set"]["counts"]},
            }),
        ]
    );
    assert_eq!(client.document, now(&reader));
}

#[test]
fn a_test_whose_end_was_lost_is_gone() {
    let (board, mut reader) = (board(), Reader::new("1"));
    reader.tell(&board, false);
    let mut client = Client::new(&board);
    let gap = Event::Gap(Gap {
        count: 3,
        first: 1,
        reason: "full".into(),
    });
    feed(
        &mut reader,
        [
            at(1.0, None, start("a", 1)),
            at(2.0, None, gap),
            at(3.0, None, start("b", 1)),
        ],
    );
    reader.tell(&board, false);
    let changes = client.read();
    assert_eq!(changes[0]["events"][2]["type"], "test-gone");
    assert_eq!(client.document, now(&reader));
}

#[test]
fn many_steps_are_several_messages() {
    let (board, mut reader) = (board(), Reader::new("1"));
    reader.tell(&board, false);
    let mut client = Client::new(&board);
    let many = (0..FAILURES + 10).flat_map(|n| {
        let name = format!("t.py::test_{n}");
        let failed = failed(&name, Phase::Call, "E", "e");
        [start(&name, 1), failed, end(&name, 1, Verdict::Failed)]
    });
    feed(&mut reader, many.map(|event| at(1.0, None, event)));
    reader.tell(&board, false);
    assert!(client.read().len() > 5);
    assert_eq!(client.document, now(&reader));
    assert_eq!(client.document["failures_left_out"], 10);
}

fn events() -> impl Strategy<Value = (Option<&'static str>, Event)> {
    let worker = prop::sample::select(vec![None, Some("gw0"), Some("gw1")]);
    let name = prop::sample::select(vec!["t.py::a", "t.py::b", "t.py::c"]);
    let verdict = prop::sample::select(vec![
        Verdict::Passed,
        Verdict::Failed,
        Verdict::Crashed,
        Verdict::Rerun,
    ]);
    let event = prop_oneof![
        4 => (name.clone(), 1..3u32).prop_map(|(name, attempt)| start(name, attempt)),
        4 => (name.clone(), 1..3u32, verdict).prop_map(|(n, a, verdict)| end(n, a, verdict)),
        2 => name.prop_map(|name| failed(name, Phase::Call, "E", "e")),
        1 => Just(Event::Gap(Gap { count: 1, first: 1, reason: "full".into() })),
        1 => Just(Event::Interrupted("^C".into())),
        1 => Just(Event::WorkerLost(("gw0".into(), "gone".into()))),
        1 => Just(session(Some("load"))),
        1 => Just(session_end(1)),
        1 => prop::sample::select(collected(3).to_vec()),
    ];
    (worker, event)
}

proptest! {
    /// Whenever somebody comes: the state it gets and the messages after it are the
    /// run's document, message by message.
    #[test]
    fn a_state_and_what_follows_are_the_document(
        batches in prop::collection::vec(prop::collection::vec(events(), 0..12), 1..12)
    ) {
        let (board, mut reader) = (board(), Reader::new("1"));
        let mut clients = Vec::new();
        for (number, batch) in batches.into_iter().enumerate() {
            let time = |n: usize| 100.0 * f64::from(u32::try_from(number).unwrap())
                + f64::from(u32::try_from(n).unwrap());
            let happened = batch.into_iter().enumerate();
            feed(&mut reader, happened.map(|(n, (worker, event))| at(time(n), worker, event)));
            reader.tell(&board, false);
            clients.push(Client::new(&board));
            for client in &mut clients {
                client.read();
                prop_assert_eq!(sorted(client.document.clone()), sorted(now(&reader)));
            }
        }
    }
}
