//! Whatever is lost on the way: a host that offers events as the real one does, and a server that comes and goes.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;

/// What an event has in common with those that it stays in order with.
fn lane(envelope: &Envelope) -> Option<&str> {
    match &envelope.event {
        Event::CollectFailed(_) => None,
        event => event.nodeid(),
    }
}

fn is_end(envelope: &Envelope) -> bool {
    matches!(envelope.event, Event::SessionFinished(_))
}

/// Offers events until all are done: those that were refused first, one of each test, then new ones.
fn deliver(bench: &mut Bench, all: &[Envelope], sizes: &[usize], restarts: &[bool]) {
    let mut new = all.iter();
    let mut waiting = BTreeMap::<u64, &Envelope>::new();
    let mut sizes = sizes.iter().cycle();
    let mut restarts = restarts.iter().cycle();
    for turn in 0.. {
        assert!(turn < 1000, "it comes to no end");
        let size = *sizes.next().unwrap();
        let mut batch: Vec<&Envelope> = Vec::new();
        if turn % 2 == 0 {
            let mut lanes = HashSet::new();
            let mut fronts = waiting.values().filter(|each| match lane(each) {
                Some(lane) => lanes.insert(lane),
                None => !is_end(each) || waiting.len() == 1,
            });
            batch.extend(fronts.by_ref().take(size));
        } else {
            let blocked: HashSet<&str> = waiting.values().filter_map(|each| lane(each)).collect();
            while batch.len() < size {
                let Some(next) = new.as_slice().first() else {
                    break;
                };
                if is_end(next) && !(waiting.is_empty() && batch.is_empty()) {
                    break;
                }
                new.next();
                if lane(next).is_some_and(|lane| blocked.contains(lane)) {
                    waiting.insert(next.seq, next);
                } else {
                    batch.push(next);
                }
            }
        }
        bench.resume();
        if *restarts.next().unwrap() {
            bench.restart();
        }
        let batch: Vec<Envelope> = batch.into_iter().cloned().collect();
        let undone = bench.handle(&batch);
        for envelope in &batch {
            waiting.remove(&envelope.seq);
        }
        let refused = all.iter().filter(|each| undone.contains(&each.seq));
        waiting.extend(refused.map(|each| (each.seq, each)));
        if waiting.is_empty() && new.as_slice().is_empty() {
            return;
        }
    }
}

/// By test, or of the session, each message once, at its first place.
fn by_subject(messages: &[String]) -> BTreeMap<Option<String>, Vec<String>> {
    let mut found = BTreeMap::<Option<String>, Vec<String>>::new();
    for message in messages {
        let json: serde_json::Value = serde_json::from_str(message).unwrap();
        let test = json["payload"]["name"].as_str().map(str::to_owned);
        let told = found.entry(test).or_default();
        if !told.contains(message) {
            told.push(message.clone());
        }
    }
    found
}

fn run_to_lose() -> Vec<Envelope> {
    let tests = ["t.py::a", "t.py::b", "t.py::c"];
    let events = [
        passed("t.py::a"),
        vec![warning(Some("t.py::a"), "careful")],
        whole(
            "t.py::b",
            vec![
                failed("t.py::b", Phase::Call),
                failed("t.py::b", Phase::Teardown),
            ],
        ),
        vec![
            started("t.py::c"),
            finished("t.py::c", Verdict::Interrupted),
            Event::Interrupted("KeyboardInterrupt".into()),
        ],
    ];
    run_of(&tests, events.concat(), 2)
}

fn failure_of_a_send() -> impl Strategy<Value = (usize, u32, bool)> {
    (0..6_usize, 0..6_u32, any::<bool>()).prop_map(|(read, known, lost)| {
        let read = if lost { read } else { 0 };
        (read, known.min(u32::try_from(read).unwrap_or(0)), lost)
    })
}

proptest! {
    #[test]
    fn nothing_is_missing_and_all_is_as_it_would_have_been(
        failures in prop::collection::vec(failure_of_a_send(), 0..12),
        sizes in prop::collection::vec(1..8_usize, 1..6),
        restarts in prop::collection::vec(any::<bool>(), 1..4),
    ) {
        let mut undisturbed = Bench::new();
        undisturbed.handle(&run_to_lose());
        let mut bench = Bench::new();
        for (read, known, is_lost) in failures {
            let why = if is_lost { lost() } else { Error::Unreachable("refused".into()) };
            bench.server.fail(read, known, why);
        }
        deliver(&mut bench, &run_to_lose(), &sizes, &restarts);
        prop_assert_eq!(
            by_subject(&bench.server.read()),
            by_subject(&undisturbed.server.read())
        );
        let told = bench.told();
        prop_assert_eq!(told.first().map(String::as_str), Some("S open - 3"));
        prop_assert!(told.last().is_some_and(|last| last.starts_with("S done red")));
    }
}
