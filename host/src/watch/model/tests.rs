use super::*;
use crate::guest::bindings::events::{Gap, Phase};
use crate::watch::testing::{at, busy, collected, done, end, failed, session, start};

fn run(happened: impl IntoIterator<Item = Envelope>) -> (Run, Vec<Note>) {
    let mut run = Run::default();
    let notes = happened
        .into_iter()
        .filter_map(|envelope| run.take(envelope))
        .collect();
    (run, notes)
}

fn names(run: &Run) -> Vec<(Option<&str>, &str)> {
    let running = run.oldest_first().into_iter();
    running
        .map(|((worker, nodeid, _), _)| (worker.as_deref(), nodeid.as_str()))
        .collect()
}

#[test]
fn a_run_under_way() {
    let run = busy().run;
    assert_eq!((run.announced, run.done(), run.expected()), (10, 2, 10));
    assert_eq!(run.counts.get(Verdict::Passed), 1);
    assert_eq!(
        names(&run),
        [
            (Some("gw1"), "tests/deep/test_表.py::test_1[é]"),
            (Some("gw0"), "t.py::test_3")
        ]
    );
    let failure = &run.failures[0];
    assert_eq!((failure.word(), failure.phase()), ("FAILED", "call"));
    assert_eq!(failure.place(), "t.py::test_2 [gw0]");
    assert_eq!(failure.why(), "AssertionError: assert 1 == 2");
    assert!(run.failed.is_empty());
}

#[test]
fn a_run_that_ended() {
    let run = done().run;
    assert!(run.running.is_empty());
    assert_eq!(run.duration(f64::MAX).map(f64::round), Some(12.0));
    assert_eq!(run.end.unwrap().exitstatus, Some(1));
}

#[test]
fn under_each_a_test_runs_once_a_worker() {
    let [some, all] = collected(2);
    let (run, _) = run([
        at(0.0, None, session(Some("each"))),
        at(0.0, None, some),
        at(0.0, None, all),
        at(1.0, Some("gw0"), start("t.py::test_0", 1)),
        at(1.0, Some("gw1"), start("t.py::test_0", 1)),
        at(2.0, Some("gw0"), end("t.py::test_0", 1, Verdict::Passed)),
    ]);
    assert_eq!((run.done(), run.expected()), (1, 4));
    assert_eq!(names(&run), [(Some("gw1"), "t.py::test_0")]);
}

#[test]
fn a_rerun_is_not_the_end_of_a_test() {
    let (run, notes) = run([
        at(1.0, None, start("t", 1)),
        at(2.0, None, end("t", 1, Verdict::Rerun)),
        at(2.0, None, start("t", 2)),
        at(3.0, None, end("t", 2, Verdict::Passed)),
    ]);
    assert_eq!((run.done(), run.counts.total()), (1, 2));
    assert_eq!(notes, []);
}

#[test]
fn a_failure_without_a_report_is_told_all_the_same() {
    let (run, notes) = run([
        at(1.0, None, start("t", 1)),
        at(2.0, None, end("t", 1, Verdict::Crashed)),
        at(2.0, None, end("u", 1, Verdict::Failed)),
        at(2.0, None, end("v", 1, Verdict::Interrupted)),
    ]);
    let told: Vec<String> = run.failures.iter().map(Failure::why).collect();
    assert_eq!(told, ["its process ended while it ran", ""]);
    assert_eq!(notes.len(), 2);
}

#[test]
fn a_crash_that_is_reported_is_told_once() {
    let (run, notes) = run([
        at(1.0, Some("gw0"), start("t", 1)),
        at(
            2.0,
            Some("gw0"),
            failed("t", Phase::Call, "WorkerCrash", "worker 'gw0' crashed"),
        ),
        at(2.0, Some("gw0"), end("t", 1, Verdict::Crashed)),
        at(
            2.0,
            None,
            Event::WorkerLost(("gw0".into(), "Not properly\nterminated".into())),
        ),
    ]);
    assert_eq!(run.failures.len(), 1);
    assert_eq!(run.failures[0].word(), "CRASHED");
    assert_eq!(run.failures[0].why(), "worker 'gw0' crashed");
    assert_eq!(
        notes[1],
        Note::WorkerLost {
            worker: "gw0".into(),
            reason: "Not properly terminated".into()
        }
    );
}

#[test]
fn a_test_whose_end_was_lost_does_not_run_for_ever() {
    let gap = Event::Gap(Gap {
        first: 1,
        count: 7,
        reason: "disk full".into(),
    });
    let (run, _) = run([
        at(1.0, Some("gw0"), start("a", 1)),
        at(1.0, Some("gw1"), start("b", 1)),
        at(2.0, Some("gw0"), gap),
        at(3.0, Some("gw1"), start("c", 1)),
        at(3.0, Some("gw0"), start("d", 1)),
    ]);
    assert_eq!(
        names(&run),
        [(Some("gw1"), "b"), (Some("gw0"), "d"), (Some("gw1"), "c")]
    );
    assert_eq!(run.gaps, 7);
}

#[test]
fn of_many_failures_the_newest_are_kept() {
    let ends = (0..FAILURES + 5).map(|n| at(1.0, None, end(&format!("t{n}"), 1, Verdict::Failed)));
    let (run, notes) = run(ends);
    assert_eq!((run.failures.len(), run.failures_left_out), (FAILURES, 5));
    assert_eq!(run.failures[0].nodeid, "t5");
    assert_eq!(notes.len(), FAILURES + 5, "each is told");
}

#[test]
fn text_of_tests_does_nothing_to_a_terminal() {
    let nodeid = "t.py::test\x1b]0;x\x07[\x1b[2J]";
    let (run, _) = run([at(
        1.0,
        None,
        failed(nodeid, Phase::Setup, "E\x1b[1m", "a\x1b[31m b\x07"),
    )]);
    let failure = &run.failures[0];
    assert_eq!(failure.nodeid, nodeid, "as it is, for JSON");
    assert_eq!(failure.place(), "t.py::test[]");
    assert_eq!(failure.why(), "E: a b");
}
