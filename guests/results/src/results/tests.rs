//! Which results a batch comes to.

use std::collections::HashMap;

use pytest_host_sdk::{
    Refusal,
    delivery::{Tried, deliver},
    events::{Capture, Failure, Outcome as Reported, Phase, Report, Verdict},
    samples::{self, envelope, section},
};

use super::*;
use crate::Outcome;

fn session(dist: Option<&str>) -> Session {
    Session {
        dist: dist.map(str::to_owned),
        ..samples::session()
    }
}

fn report(nodeid: &str, phase: Phase, outcome: Reported) -> Report {
    Report {
        start: 1.5,
        stop: 2.5,
        duration: 0.75,
        ..samples::report(nodeid, phase, outcome)
    }
}

fn failure(kind: &str, message: &str) -> Option<Failure> {
    let traceback = vec!["  File \"t.py\", line 1, in t\n    code\n".to_owned()];
    Some(Failure {
        kind: kind.into(),
        message: message.into(),
        traceback,
        longrepr: String::new(),
    })
}

fn reported(seq: u64, report: Report) -> Envelope {
    envelope(seq, Event::PhaseFinished(report))
}

fn finished(seq: u64, nodeid: &str) -> Envelope {
    envelope(seq, samples::finished(nodeid, Verdict::Passed))
}

/// The results of events that all leave at once.
fn results_of(dist: Option<&str>, batch: Vec<Envelope>) -> Vec<TestResult> {
    let mut results = Results::new(&session(dist), Opening::Fresh, HashMap::new());
    let mut sent = vec![];
    let undone = deliver(&mut results, batch, 1, |parcels| {
        sent.extend(parcels.iter().map(|parcel| parcel.item.clone()));
        Tried::Each(vec![None; parcels.len()])
    });
    assert_eq!(undone, []);
    sent
}

fn outcome_of(report: Report) -> Option<Outcome> {
    results_of(None, vec![reported(1, report)])
        .first()
        .map(|result| result.result)
}

#[test]
fn every_call_has_a_result() {
    use Reported::{Failed, Other, Passed, Rerun, Skipped};
    let call = |outcome| outcome_of(report("a::t", Phase::Call, outcome));
    assert_eq!(call(Passed), Some(Outcome::Pass));
    assert_eq!(call(Failed), Some(Outcome::Fail));
    assert_eq!(call(Skipped), Some(Outcome::Skip));
    assert_eq!(call(Rerun), Some(Outcome::Fail));
    assert_eq!(call(Other("odd".into())), Some(Outcome::Pass));
    let odd = Report {
        failure: failure("E", ""),
        ..report("a::t", Phase::Call, Other("odd".into()))
    };
    assert_eq!(outcome_of(odd), Some(Outcome::Fail));
}

#[test]
fn setup_and_teardown_have_one_where_it_says_something() {
    use Reported::{Failed, Passed, Rerun, Skipped};
    let of = |phase, outcome| outcome_of(report("a::t", phase, outcome));
    assert_eq!(of(Phase::Setup, Passed), None);
    assert_eq!(of(Phase::Setup, Failed), Some(Outcome::Fail));
    assert_eq!(of(Phase::Setup, Skipped), Some(Outcome::Skip));
    assert_eq!(of(Phase::Setup, Rerun), Some(Outcome::Fail));
    assert_eq!(of(Phase::Teardown, Passed), None);
    assert_eq!(of(Phase::Teardown, Skipped), None);
    assert_eq!(of(Phase::Teardown, Failed), Some(Outcome::Fail));
}

#[test]
fn an_expected_failure_is_a_skip_with_its_exception() {
    let xfail = Report {
        xfail_reason: Some("later".into()),
        failure: failure("AssertionError", "assert 0"),
        ..report("a::t", Phase::Call, Reported::Skipped)
    };
    let [result] = results_of(None, vec![reported(1, xfail)])
        .try_into()
        .unwrap();
    assert_eq!(result.result, Outcome::Skip);
    assert_eq!(result.excinfo.unwrap().r#type, "AssertionError");
}

#[test]
fn a_strict_unexpected_pass_says_why_it_fails() {
    let xpass = Report {
        xfail_reason: Some("later".into()),
        ..report("a::t", Phase::Call, Reported::Failed)
    };
    let [result] = results_of(None, vec![reported(1, xpass)])
        .try_into()
        .unwrap();
    assert_eq!(result.excinfo.unwrap().value, "[XPASS(strict)] later");
}

#[test]
fn an_unexpected_pass_is_a_pass() {
    let xpass = Report {
        xfail_reason: Some("later".into()),
        ..report("a::t", Phase::Call, Reported::Passed)
    };
    let [result] = results_of(None, vec![reported(1, xpass)])
        .try_into()
        .unwrap();
    assert_eq!((result.result, result.excinfo), (Outcome::Pass, None));
}

#[test]
fn a_result_is_written_as_the_published_plugin_writes_it() {
    let failed = Report {
        failure: failure("ValueError", "é \"x\""),
        sections: vec![
            section(Capture::Out, "o\n"),
            section(Capture::Err, "e\n"),
            section(Capture::Log, "l"),
        ],
        ..report("a/t.py::T::t[p::q]", Phase::Call, Reported::Failed)
    };
    let named = Report {
        name: "t[p::q]".into(),
        ..failed
    };
    let [result] = results_of(None, vec![reported(1, named)])
        .try_into()
        .unwrap();
    assert_eq!(
        String::from_utf8(result.json()).unwrap(),
        concat!(
            r#"{"type": "result", "result": "fail", "nodeid": "a/t.py::T::t[p::q]", "name": "t[p::q]", "#,
            r#""start_time": 1.5, "stop_time": 2.5, "duration": 0.75, "stdout": "o\n", "stderr": "e\n", "#,
            r#""log": "l", "xdist_dist": null, "xdist_worker": null, "xdist_scope": null, "#,
            r#""pubdir_path": null, "excinfo": {"type": "ValueError", "value": "\u00e9 \"x\"", "#,
            r#""traceback": ["  File \"t.py\", line 1, in t\n    code\n"]}}"#,
        )
    );
}

#[test]
fn text_is_that_of_the_attempt_so_far() {
    let with = |phase, outcome, sections| Report {
        sections,
        ..report("a::t", phase, outcome)
    };
    let results = results_of(
        None,
        vec![
            reported(
                1,
                with(
                    Phase::Setup,
                    Reported::Passed,
                    vec![section(Capture::Out, "setup\n")],
                ),
            ),
            reported(
                2,
                with(
                    Phase::Call,
                    Reported::Passed,
                    vec![
                        section(Capture::Out, "call\n"),
                        section(Capture::Log, "one"),
                        section(Capture::Other("x".into()), "?"),
                    ],
                ),
            ),
            reported(
                3,
                with(
                    Phase::Teardown,
                    Reported::Failed,
                    vec![section(Capture::Log, "two")],
                ),
            ),
            finished(4, "a::t"),
            reported(5, report("a::t", Phase::Call, Reported::Passed)),
        ],
    );
    let texts: Vec<_> = results
        .iter()
        .map(|result| (result.stdout.as_str(), result.log.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            ("setup\ncall\n", "one"),
            ("setup\ncall\n", "one\ntwo"),
            ("", "")
        ]
    );
}

#[test]
fn a_subtests_text_is_its_own() {
    let setup = Report {
        sections: vec![section(Capture::Out, "setup ")],
        ..report("a::t", Phase::Setup, Reported::Passed)
    };
    let subtest = Report {
        subtest: Some("[i=1]".into()),
        sections: vec![section(Capture::Out, "sub ")],
        ..report("a::t", Phase::Call, Reported::Failed)
    };
    let call = Report {
        sections: vec![section(Capture::Out, "call ")],
        ..report("a::t", Phase::Call, Reported::Passed)
    };
    let results = results_of(
        None,
        vec![reported(1, setup), reported(2, subtest), reported(3, call)],
    );
    let texts: Vec<_> = results
        .iter()
        .map(|result| result.stdout.as_str())
        .collect();
    assert_eq!(texts, ["setup sub ", "setup call "]);
}

#[test]
fn text_outlives_the_instance() {
    let setup = Report {
        sections: vec![section(Capture::Out, "setup\n")],
        ..report("a::t", Phase::Setup, Reported::Passed)
    };
    let mut before = Results::new(&session(None), Opening::Fresh, HashMap::new());
    deliver(&mut before, vec![reported(1, setup)], 1, |_| unreachable!());
    let state = before.captured.into_state();
    assert_eq!(state.len(), 1);

    let mut after = Results::new(&session(None), Opening::Restarted, state);
    let mut stdout = String::new();
    let batch = vec![
        reported(2, report("a::t", Phase::Call, Reported::Passed)),
        finished(3, "a::t"),
    ];
    deliver(&mut after, batch, 1, |parcels| {
        stdout.clone_from(&parcels[0].item.stdout);
        Tried::Each(vec![None])
    });
    assert_eq!(stdout, "setup\n");
    assert!(after.captured.into_state().is_empty());
}

#[test]
fn scope_and_worker_are_those_of_xdist() {
    let from = |dist, worker: Option<&str>, group: Option<&str>| {
        let report = Report {
            group: group.map(str::to_owned),
            ..report("a::t", Phase::Call, Reported::Passed)
        };
        let event = Envelope {
            worker: worker.map(str::to_owned),
            ..reported(1, report)
        };
        let [result] = results_of(dist, vec![event]).try_into().unwrap();
        let show = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        [result.xdist_dist, result.xdist_worker, result.xdist_scope]
            .map(show)
            .join(" ")
    };
    assert_eq!(from(None, None, None), "- - -");
    assert_eq!(from(Some("load"), Some("gw1"), Some("g")), "load gw1 -");
    assert_eq!(
        from(Some("loadgroup"), Some("gw0"), Some("g")),
        "loadgroup gw0 g"
    );
    assert_eq!(
        from(Some("loadgroup"), Some("gw0"), None),
        "loadgroup gw0 a::t"
    );
    assert_eq!(from(Some("loadgroup"), None, Some("g")), "- - -");
}

fn retry() -> Refusal {
    Refusal::Retry((2.0, "busy".into()))
}

#[test]
fn text_of_what_waits_is_not_counted_twice() {
    let mut results = Results::new(&session(None), Opening::Fresh, HashMap::new());
    let call = Report {
        sections: vec![section(Capture::Out, "once")],
        ..report("a", Phase::Call, Reported::Passed)
    };
    let batch = || {
        let teardown = report("a", Phase::Teardown, Reported::Failed);
        vec![reported(1, call.clone()), reported(2, teardown)]
    };
    deliver(&mut results, batch(), 8, |_| {
        Tried::Each(vec![Some(retry())])
    });
    let mut stdout = vec![];
    deliver(&mut results, batch(), 8, |parcels| {
        stdout.push(parcels[0].item.stdout.clone());
        Tried::Each(vec![None])
    });
    assert_eq!(stdout, ["once", "once"]);
}
