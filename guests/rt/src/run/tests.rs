//! In which order messages leave, whatever becomes of them on the way.

mod journal;

use pytest_host_sdk::{
    events::{Outcome, Phase, Report, Verdict},
    http::Error,
};
use serde_json::{Value, json};

use super::*;
use crate::workbench::*;

type Sut = Run<Shared, Receiver>;

fn settings(more: Value) -> Settings {
    let mut all = json!({"url": "http://h/x"});
    all.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    pytest_host_sdk::parse_settings(&all.to_string()).unwrap()
}

fn run_with(more: Value, state: &Shared, why: Opening) -> (Sut, Receiver) {
    let receiver = Receiver::default();
    let run = Run::new(
        &settings(more),
        session(),
        why,
        state.clone(),
        receiver.clone(),
    );
    (run, receiver)
}

fn run() -> (Sut, Receiver) {
    run_with(json!({}), &Shared::default(), Opening::Fresh)
}

fn collected(nodeids: &[&str]) -> Vec<Event> {
    let tests = nodeids.iter().map(|nodeid| test(nodeid, None)).collect();
    vec![
        Event::Collected(tests),
        Event::CollectionFinished(nodeids.len() as u32),
    ]
}

/// Two tests that pass, from the first event to the last.
fn two_tests() -> Vec<Envelope> {
    numbered(
        [
            collected(&["a", "b"]),
            passed("a"),
            passed("b"),
            vec![over()],
        ]
        .concat(),
    )
}

const TWO: [&str; 6] = [
    "startTestRun",
    "startTestItem a",
    "startTestItem b",
    "stopTestItem a",
    "stopTestItem b",
    "stopTestRun",
];

fn seqs(undone: &[Undone]) -> Vec<u64> {
    let mut seqs: Vec<u64> = undone.iter().map(|undone| undone.seq).collect();
    seqs.sort_unstable();
    seqs
}

/// The events of `batch` that `undone` says are to come again.
fn again(batch: &[Envelope], undone: &[Undone]) -> Vec<Envelope> {
    let seqs = seqs(undone);
    batch
        .iter()
        .filter(|event| seqs.contains(&event.seq))
        .cloned()
        .collect()
}

fn reason(undone: &Undone) -> &str {
    let (Refusal::Retry((_, why)) | Refusal::Reject(why)) = &undone.why;
    why
}

#[test]
fn a_run_from_start_to_end() {
    let (mut run, receiver) = run();
    assert_eq!(run.handle(two_tests()), []);
    assert_eq!(receiver.taken(), TWO);
    assert_eq!(
        receiver.keys(),
        [
            "run-1-2", "run-1-3", "run-1-8", "run-1-5", "run-1-10", "run-1-13"
        ]
    );
    assert_eq!(receiver.0.borrow().rounds, [1, 2, 2, 1]);
    let start = receiver.body("startTestRun");
    assert_eq!(start["tests"].as_array().unwrap().len(), 2);
    assert_eq!(start["startTime"], 1795247875.5793324);
    assert_eq!(
        start["tests"][0]["uuid"],
        receiver.body("stopTestItem a")["uuid"]
    );
}

#[test]
fn settings_are_what_messages_say() {
    let more = json!({"env": "DEV", "custom_id": "CI42", "custom_data": "{\"k\": 1}", "job_id": "j", "job_report": true});
    let (mut run, receiver) = run_with(more, &Shared::default(), Opening::Fresh);
    let nodeid = "groups/test_groups.py::test_alpha_1";
    run.handle(numbered([collected(&[nodeid]), vec![over()]].concat()));
    let start = receiver.body("startTestRun");
    assert_eq!(start["tests"][0]["uuid"], "2907477789772773601850950091745");
    assert_eq!(
        [
            &start["env"],
            &start["custom_id"],
            &start["custom_data"],
            &start["job_id"]
        ],
        ["DEV", "CI42", "{\"k\": 1}", "j"]
    );
    assert_eq!(receiver.body("stopTestRun")["send_report"], "1");
}

#[test]
fn one_event_may_have_two_messages() {
    let (mut run, receiver) = run();
    let events = [
        collected(&["a"]),
        whole("a", vec![failed("a", Phase::Setup)]),
        vec![over()],
    ];
    assert_eq!(run.handle(numbered(events.concat())), []);
    let keyed: Vec<_> = receiver.taken().into_iter().zip(receiver.keys()).collect();
    let expected = [
        ("startTestRun", "run-1-2"),
        ("startTestItem a", "run-1-3"),
        ("stopTestItem a", "run-1-4"),
        ("stopTest a", "run-1-4-2"),
        ("stopTestRun", "run-1-6"),
    ];
    assert_eq!(
        keyed,
        expected.map(|(what, key)| (what.to_owned(), key.to_owned()))
    );
}

#[test]
fn a_failure_tells_what_setup_and_call_wrote() {
    let (mut run, receiver) = run();
    let reports = vec![
        Report {
            sections: stdout("setup\n"),
            ..report("a", Phase::Setup, Outcome::Passed)
        },
        Report {
            sections: stdout("call\n"),
            ..failed("a", Phase::Call)
        },
    ];
    run.handle(numbered([collected(&["a"]), whole("a", reports)].concat()));
    let msg = receiver.body("stopTestItem a")["msg"].clone();
    assert_eq!(
        msg,
        "E   ValueError: é\n\nCaptured stdout call:\nsetup\ncall\n"
    );
}

#[test]
fn each_subtest_stops_the_item() {
    let (mut run, receiver) = run();
    let subtest = |outcome| Report {
        subtest: Some("[i]".into()),
        ..report("a", Phase::Call, outcome)
    };
    let reports = vec![
        subtest(Outcome::Passed),
        subtest(Outcome::Failed),
        failed("a", Phase::Call),
    ];
    run.handle(numbered([collected(&["a"]), whole("a", reports)].concat()));
    let stops: Vec<_> = receiver
        .0
        .borrow()
        .taken
        .iter()
        .map(|taken| taken.body["status"].clone())
        .collect();
    assert_eq!(stops[2..], ["passed", "failed", "failed"]);
}

#[test]
fn tests_that_never_ended_are_told_of() {
    let (mut run, receiver) = run();
    let crash = [started("a"), finished("a", Verdict::Crashed)].to_vec();
    let cut = [started("b"), finished("b", Verdict::Interrupted)].to_vec();
    let mut batch = numbered([collected(&["a", "b"]), crash, cut].concat());
    batch[3].worker = Some("gw0".into());
    assert_eq!(run.handle(batch), []);
    assert_eq!(
        receiver.body("stopTest a")["msg"],
        json!(["crashed", "worker gw0 crashed while running 'a'", ""])
    );
    assert_eq!(receiver.body("stopTest b")["msg"][0], "interrupted");
}

#[test]
fn what_could_not_be_collected_follows_the_start() {
    let (mut run, receiver) = run();
    let events = vec![collect_failed("x.py"), collect_failed("y.py")];
    let mut batch = numbered([events, collected(&["a"]), passed("a")].concat());
    assert_eq!(run.handle(batch.split_off(1)), []);
    // Came late, from another worker.
    assert_eq!(run.handle(batch), []);
    assert_eq!(
        receiver.taken(),
        [
            "startTestRun",
            "stopTest y.py",
            "startTestItem a",
            "stopTestItem a",
            "stopTest x.py"
        ]
    );
    assert_eq!(receiver.keys()[1], "run-1-2");
    assert_eq!(receiver.body("stopTest x.py")["uuid"], Value::Null);
}

#[test]
fn nothing_overtakes_the_start() {
    let (mut run, receiver) = run();
    let mut first = true;
    receiver.answer(move |_| std::mem::take(&mut first).then(|| status(500)));
    let batch = two_tests();
    let undone = run.handle(batch.clone());
    // What announced the tests is done, all else waits.
    assert_eq!(seqs(&undone), (2..=13).collect::<Vec<_>>());
    assert!(undone.iter().all(|undone| reason(undone) == "answered 500"));
    assert_eq!(receiver.taken(), [""; 0]);
    assert_eq!(run.handle(again(&batch, &undone)), []);
    assert_eq!(receiver.taken(), TWO);
}

#[test]
fn a_start_that_is_rejected_holds_nothing_up() {
    let (mut run, receiver) = run();
    receiver.answer(|what| (what == "startTestRun").then(|| status(404)));
    let undone = run.handle(two_tests());
    let why = Refusal::Reject("answered 404".into());
    assert_eq!(undone, [Undone { seq: 2, why }]);
    assert_eq!(receiver.taken(), &TWO[1..]);
}

#[test]
fn the_end_waits_for_what_waits() {
    let (mut run, receiver) = run();
    let mut busy = 1;
    receiver.answer(move |what| {
        let refuse = what == "stopTestItem a" && busy > 0;
        busy -= i32::from(refuse);
        refuse.then(|| status(503))
    });
    let batch = two_tests();
    let undone = run.handle(batch.clone());
    assert_eq!(seqs(&undone), [5, 6, 7, 13]);
    assert_eq!(run.handle(again(&batch, &undone)), []);
    let taken = receiver.taken();
    assert_eq!(
        taken[3..],
        ["stopTestItem b", "stopTestItem a", "stopTestRun"]
    );
}

#[test]
fn another_instance_goes_on() {
    let state = Shared::default();
    let batch = two_tests();
    let (mut before, receiver) = run_with(json!({}), &state, Opening::Fresh);
    receiver.answer(|_| Some(status(500)));
    assert_eq!(before.handle(batch[..1].to_vec()), []);
    let undone = before.handle(batch[1..6].to_vec());
    assert_eq!(undone.len(), 5);
    let (mut after, receiver) = run_with(json!({}), &state, Opening::Restarted);
    assert_eq!(after.handle(batch[1..].to_vec()), []);
    assert_eq!(receiver.taken(), TWO);
    assert_eq!(
        receiver.body("startTestRun")["tests"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_run_that_ends_while_it_collects_has_all_it_can() {
    let (mut run, receiver) = run();
    let events = vec![collect_failed("x.py"), collected(&["a"]).remove(0), over()];
    assert_eq!(run.handle(numbered(events)), []);
    assert_eq!(
        receiver.taken(),
        ["startTestRun", "stopTest x.py", "stopTestRun"]
    );
    assert_eq!(receiver.keys(), ["run-1-3", "run-1-1", "run-1-3-2"]);
    assert_eq!(receiver.body("startTestRun")["tests"][0]["nodeid"], "a");
}

#[test]
fn keys_are_equal_when_the_end_is_tried_again() {
    let (mut run, receiver) = run();
    let mut first = true;
    receiver.answer(move |what| {
        (what == "stopTestRun" && std::mem::take(&mut first)).then(|| status(429))
    });
    assert_eq!(seqs(&run.handle(numbered(vec![over()]))), [1]);
    assert_eq!(run.handle(numbered(vec![over()])), []);
    assert_eq!(receiver.keys(), ["run-1-1", "run-1-1-2"]);
}

#[test]
fn a_test_whose_collection_was_lost_starts_the_run() {
    let (mut run, receiver) = run();
    assert_eq!(run.handle(numbered(passed("a"))), []);
    assert_eq!(receiver.taken()[..2], ["startTestRun", "startTestItem a"]);
    assert_eq!(receiver.keys()[..2], ["run-1-1-0", "run-1-1"]);
}

#[test]
fn collections_of_other_workers_change_nothing() {
    let (mut run, receiver) = run();
    assert_eq!(
        run.handle(numbered([collected(&["a"]), collected(&["b"])].concat())),
        []
    );
    assert_eq!(receiver.taken(), ["startTestRun"]);
}

#[test]
fn an_endpoint_that_is_gone_costs_one_try() {
    let (mut run, receiver) = run_with(
        json!({"concurrency": 1}),
        &Shared::default(),
        Opening::Fresh,
    );
    run.handle(two_tests()[..2].to_vec());
    receiver.answer(|_| Some(Err(Error::Unreachable("refused".into()))));
    let undone = run.handle(two_tests()[2..].to_vec());
    assert_eq!(seqs(&undone), (3..=13).collect::<Vec<_>>());
    assert_eq!(
        receiver.0.borrow().tried,
        ["startTestRun", "startTestItem a"]
    );
}

#[test]
fn what_cannot_be_posted_is_told_or_not() {
    let of = |show: bool| {
        let (mut run, receiver) = run_with(
            json!({"show_errors": show}),
            &Shared::default(),
            Opening::Fresh,
        );
        receiver.answer(|what| what.ends_with("Item a").then(|| status(500)));
        let undone = run.handle(two_tests());
        let reasons: Vec<_> = undone
            .iter()
            .map(|undone| reason(undone).to_owned())
            .collect();
        (reasons[0].clone(), receiver.0.borrow().warnings.clone())
    };
    assert_eq!(
        of(true),
        (
            "answered 500".to_owned(),
            vec!["startTestItem of a: answered 500".to_owned()]
        )
    );
    assert_eq!(of(false), ("not delivered".to_owned(), vec![]));
}
