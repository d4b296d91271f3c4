use pytest_host_sdk::{
    Event,
    events::{Outcome, Phase, Report, Verdict},
    samples,
    websocket::Error,
};

use super::*;
use crate::workbench::{
    Server, Shared, collected, failed, failure, finished, numbered, passed, report, run_of,
    session, short, started, warning, whole,
};

mod losses;
mod warnings;

struct Bench {
    server: Server,
    state: Shared,
    settings: Settings,
    session: Session,
    run: Run<Shared, Server>,
}

impl Bench {
    fn new() -> Self {
        Self::of(session())
    }

    fn of(session: Session) -> Self {
        let settings = Settings {
            session_id: Some("S1".into()),
            ws_url: Some("ws://h/".into()),
            ..Settings::default()
        };
        let (server, state) = (Server::default(), Shared::default());
        let run = Run::new(&settings, session.clone(), state.clone(), server.clone());
        Self {
            server,
            state,
            settings,
            session,
            run,
        }
    }

    /// Another instance goes on with what the state has.
    fn restart(&mut self) {
        self.run = Run::new(
            &self.settings,
            self.session.clone(),
            self.state.clone(),
            self.server.clone(),
        );
    }

    /// The events that are not done.
    fn handle(&mut self, batch: &[Envelope]) -> Vec<u64> {
        let undone = self.run.handle(batch.to_vec());
        undone.iter().map(|undone| undone.seq).collect()
    }

    /// Nothing is waited for.
    fn resume(&mut self) {
        self.run.pause = None;
    }

    fn told(&self) -> Vec<String> {
        short(&self.server.read())
    }
}

fn lost() -> Error {
    Error::Lost("gone".into())
}

/// What one instance says of a batch, at once.
fn said(batch: &[Envelope]) -> Vec<String> {
    let mut bench = Bench::new();
    assert_eq!(bench.handle(batch), Vec::<u64>::new());
    bench.told()
}

/// What is said between `S in-progress` and the session's end.
fn of_tests(events: Vec<Event>) -> Vec<String> {
    let mut told = said(&run_of(&["t.py::a"], events, 1));
    assert_eq!(told.remove(0), "S open - 1");
    assert_eq!(told.remove(0), "S in-progress - 1");
    assert!(told.pop().unwrap().starts_with("S done red 1"));
    told
}

#[test]
fn a_message_has_the_published_keys_in_order() {
    let mut bench = Bench::new();
    bench.handle(&run_of(
        &["t.py::é"],
        whole("t.py::é", vec![failed("t.py::é", Phase::Call)]),
        1,
    ));
    let read = bench.server.read();
    assert_eq!(
        read[0],
        r#"{"type":"session","payload":{"id":"S1","records":[],"tests":["t.py::é"],"time_start":null,"time_stop":null,"result":null,"config":{"invocation_dir":"/suite","rootpath":"/suite","args":["t.py"]},"state":"open"}}"#
    );
    let id = crate::ids::Ids::new(&session(), None).record(4, 1);
    assert_eq!(
        read[3],
        format!(
            r#"{{"type":"testcase","payload":{{"session_id":"S1","idx":0,"name":"t.py::é","time_start":"2026-11-21T07:57:55.500000","time_stop":null,"category":"failed","records":[{{"id":"{id}","time":"2026-11-21T07:57:56.500000","severity":"error","phase":"call","msg":"E   why","source":null}}],"state":"in-progress","result":"red"}}}}"#
        )
    );
    assert_eq!(bench.server.published(), read);
}

#[test]
fn a_passing_test_has_three_messages() {
    let told = said(&run_of(
        &["t.py::a", "t.py::b"],
        [passed("t.py::a"), passed("t.py::b")].concat(),
        0,
    ));
    assert_eq!(
        told,
        [
            "S open - 2",
            "S in-progress - 2",
            "T 0 t.py::a in-progress - -",
            "T 0 t.py::a in-progress passed green",
            "T 0 t.py::a done passed green",
            "T 1 t.py::b in-progress - -",
            "T 1 t.py::b in-progress passed green",
            "T 1 t.py::b done passed green",
            "S done green 2",
        ]
    );
}

#[test]
fn a_teardown_error_takes_a_pass_away_and_no_failure() {
    let reports = |call| vec![call, failed("t.py::a", Phase::Teardown)];
    let pass = report("t.py::a", Phase::Call, Outcome::Passed);
    assert_eq!(
        of_tests(whole("t.py::a", reports(pass)))[1..],
        [
            "T 0 t.py::a in-progress passed green",
            "T 0 t.py::a in-progress error red [error teardown E   why]",
            "T 0 t.py::a done error red [error teardown E   why]",
        ]
    );
    let failure = failed("t.py::a", Phase::Call);
    assert_eq!(
        of_tests(whole("t.py::a", reports(failure))).last().unwrap(),
        "T 0 t.py::a done failed red [error call E   why] [error teardown E   why]"
    );
}

#[test]
fn a_test_that_passes_when_run_again_is_yellow() {
    let rerun = Report {
        failure: Some(failure("why", "E   why")),
        ..report("t.py::a", Phase::Call, Outcome::Rerun)
    };
    let second = Event::TestStarted(("t.py::a".into(), 2));
    let events = vec![
        started("t.py::a"),
        Event::PhaseFinished(rerun),
        finished("t.py::a", Verdict::Rerun),
        second,
        Event::PhaseFinished(report("t.py::a", Phase::Call, Outcome::Passed)),
        finished("t.py::a", Verdict::Passed),
    ];
    let told = said(&run_of(&["t.py::a"], events, 0));
    assert_eq!(
        told[2..],
        [
            "T 0 t.py::a in-progress - -",
            "T 0 t.py::a in-progress - - [warning call E   why]",
            "T 0 t.py::a in-progress passed yellow [warning call E   why]",
            "T 0 t.py::a done passed yellow [warning call E   why]",
            "S done yellow 1",
        ]
    );
}

#[test]
fn an_interruption_ends_all_and_tells_of_all_again() {
    let events = [
        passed("t.py::a"),
        vec![
            started("t.py::b"),
            finished("t.py::b", Verdict::Interrupted),
            Event::Interrupted("exit: stop".into()),
        ],
    ];
    let told = said(&run_of(&["t.py::a", "t.py::b"], events.concat(), 9));
    let cut_off = "[error teardown E   _pytest.outcomes.Exit: stop]";
    assert_eq!(
        told[5..],
        [
            "T 1 t.py::b in-progress - -".to_owned(),
            "T 0 t.py::a done passed green".to_owned(),
            format!("T 1 t.py::b done failed red {cut_off}"),
            format!("S in-progress - 2 {cut_off}"),
            format!(
                "S done red 2 {cut_off} [debug teardown pytest execution failed with the exit status 9]"
            ),
        ]
    );
}

#[test]
fn of_many_tests_an_interruption_tells_of_the_unfinished_alone() {
    let names: Vec<String> = (0..150).map(|number| format!("t.py::{number}")).collect();
    let mut events: Vec<Event> = names.iter().flat_map(|name| passed(name)).collect();
    events.extend([
        started("t.py::x"),
        finished("t.py::x", Verdict::Interrupted),
        Event::Interrupted("KeyboardInterrupt".into()),
    ]);
    let mut bench = Bench::new();
    let all = run_of(&["t.py::x"], events, 2);
    for batch in all.chunks(100) {
        bench.handle(batch);
    }
    // Opening, two of the session's end, its start, and each once.
    assert_eq!(bench.told().len(), 2 + 150 * 3 + 2 + 2);
}

#[test]
fn a_run_without_tests_says_so() {
    assert_eq!(
        said(&run_of(&[], vec![], 5)),
        [
            "S open - 0",
            "S in-progress - 0",
            "S done red 0 [debug teardown pytest couldn't find any tests]",
        ]
    );
}

#[test]
fn a_run_that_only_collects_is_done_at_once() {
    let mut bench = Bench::of(Session {
        args: vec!["--collect-only".into()],
        ..session()
    });
    bench.handle(&run_of(&["t.py::a"], vec![], 0));
    assert_eq!(bench.told(), ["S done - 1", "S done green 1"]);
    assert!(bench.server.read()[1].contains(r#""time_stop":null"#));
}

#[test]
fn a_test_that_takes_pytest_down_has_failed() {
    let events = vec![started("t.py::a"), finished("t.py::a", Verdict::Crashed)];
    assert_eq!(
        of_tests(events)[1],
        "T 0 t.py::a done failed red [error call pytest ended while running 't.py::a']"
    );
}

#[test]
fn under_each_every_worker_has_tests_of_its_own() {
    let mut bench = Bench::of(Session {
        dist: Some("each".into()),
        ..session()
    });
    let mut batch = run_of(
        &["t.py::a"],
        [passed("t.py::a"), passed("t.py::a")].concat(),
        0,
    );
    for (index, envelope) in batch.iter_mut().enumerate() {
        envelope.worker = Some(if index < 7 { "gw0" } else { "gw1" }.into());
    }
    bench.handle(&batch);
    let told = bench.told();
    assert_eq!(
        told.iter().filter(|line| line.starts_with("T 1 ")).count(),
        3
    );
}

// --- what does not arrive ------------------------------------------------------------------------

fn small_run() -> Vec<Envelope> {
    run_of(
        &["t.py::a", "t.py::b"],
        [
            whole("t.py::a", vec![failed("t.py::a", Phase::Call)]),
            vec![warning(Some("t.py::a"), "careful")],
            passed("t.py::b"),
        ]
        .concat(),
        1,
    )
}

/// Messages are the same, whatever is lost on the way and wherever the sink starts anew.
#[test]
fn what_comes_again_is_the_same() {
    let mut undisturbed = Bench::new();
    undisturbed.handle(&small_run());
    let expected = undisturbed.server.read();
    for read in 0..expected.len() {
        for delivered in 0..=read {
            let mut bench = Bench::new();
            let mut batch = small_run();
            bench
                .server
                .fail(read, u32::try_from(delivered).unwrap(), lost());
            let undone = bench.handle(&batch);
            assert!(!undone.is_empty());
            assert_eq!(
                bench.server.published()[..],
                expected[..bench.server.published().len()]
            );
            if read % 2 == 0 {
                bench.restart();
            }
            bench.resume();
            batch.retain(|envelope| undone.contains(&envelope.seq));
            assert_eq!(bench.handle(&batch), Vec::<u64>::new());
            assert_eq!(bench.server.published(), expected);
            let mut seen = bench.server.read();
            assert_eq!(seen[..read], expected[..read]);
            // Some again, and all of the rest.
            seen.drain(..read);
            assert_eq!(seen[..], expected[expected.len() - seen.len()..]);
            assert!(seen.len() >= expected.len() - read);
        }
    }
}

#[test]
fn one_event_a_batch_with_a_new_instance_each_says_the_same() {
    let mut undisturbed = Bench::new();
    let mut bench = Bench::new();
    undisturbed.handle(&small_run());
    for envelope in small_run() {
        assert_eq!(bench.handle(&[envelope]), Vec::<u64>::new());
        bench.restart();
    }
    assert_eq!(bench.server.read(), undisturbed.server.read());
}

/// Whether it may have arrived before or not.
#[test]
fn tests_are_numbered_in_the_order_of_their_starts() {
    for (read, why) in [(1, lost()), (0, Error::Unreachable("refused".into()))] {
        let mut bench = Bench::new();
        bench.handle(&numbered(collected(&["t.py::a", "t.py::b", "t.py::c"])));
        bench.server.fail(read, 0, why);
        let a = samples::envelope(3, started("t.py::a"));
        let b = samples::envelope(4, started("t.py::b"));
        let c = samples::envelope(5, started("t.py::c"));
        assert_eq!(bench.handle(std::slice::from_ref(&a)), [3]);
        // Not tried at all.
        assert_eq!(bench.handle(std::slice::from_ref(&b)), [4]);
        bench.resume();
        bench.restart();
        // Another one comes first now.
        assert_eq!(bench.handle(&[c, b, a]), Vec::<u64>::new());
        let told = bench.told();
        for expected in ["T 0 t.py::a", "T 1 t.py::b", "T 2 t.py::c"] {
            let expected = format!("{expected} in-progress - -");
            assert!(told.contains(&expected), "{told:?}");
        }
        let kept = bench.state.0.borrow();
        assert!(!kept.keys().any(|key| key.starts_with("idx")));
    }
}

#[test]
fn a_server_that_is_gone_is_not_tried_with_each_batch() {
    let mut bench = Bench::new();
    bench
        .server
        .fail(0, 0, Error::Unreachable("refused".into()));
    let all = small_run();
    let undone: Vec<u64> = all
        .chunks(2)
        .flat_map(|batch| bench.handle(batch))
        .collect();
    assert_eq!(bench.server.0.borrow().sends, 1);
    // All tests are known: that is kept.
    let rest = all
        .iter()
        .map(|envelope| envelope.seq)
        .filter(|seq| *seq != 1);
    assert!(undone.iter().copied().eq(rest), "{undone:?}");
}

#[test]
fn what_a_server_will_never_take_is_rejected() {
    let mut bench = Bench::new();
    bench.server.fail(0, 0, Error::Denied("ws://h".into()));
    let undone = bench.run.handle(numbered(collected(&["t.py::a"])));
    assert!(matches!(
        &undone[..],
        [Undone {
            seq: 2,
            why: Refusal::Reject(_)
        }]
    ));
}

// --- cost ----------------------------------------------------------------------------------------

/// Neither the values that are written nor what is kept grows with the number of tests.
#[test]
fn what_is_kept_of_ten_thousand_tests_is_what_is_kept_of_a_hundred() {
    let mut sizes = vec![];
    for count in [200, 10_000] {
        let mut bench = Bench::new();
        bench.handle(&numbered(collected(&["t.py::a"])));
        let mut seq = 2;
        for number in 0..count {
            let events = passed(&format!("t.py::{number:05}"));
            let batch: Vec<Envelope> = events
                .into_iter()
                .map(|event| {
                    seq += 1;
                    samples::envelope(seq, event)
                })
                .collect();
            bench.handle(&batch);
        }
        let state = bench.state.0.borrow();
        sizes.push((
            state.len(),
            state.values().map(Vec::len).max().unwrap() < 1000,
        ));
    }
    assert_eq!(sizes[0], sizes[1]);
}

#[test]
fn texts_of_a_test_have_an_end() {
    let long = Report {
        failure: Some(failure("why", &"é".repeat(200 << 10))),
        ..failed("t.py::a", Phase::Call)
    };
    let mut bench = Bench::new();
    let reports = vec![long.clone(), long.clone(), long];
    bench.handle(&run_of(&["t.py::a"], whole("t.py::a", reports), 1));
    assert!(
        bench
            .server
            .read()
            .iter()
            .all(|message| message.len() < 600 << 10)
    );
    assert!(
        bench
            .state
            .0
            .borrow()
            .values()
            .all(|value| value.len() < 64 << 10)
    );
}
