//! Each message, byte by byte.

use pytest_host_sdk::events::{Outcome, Phase, Report};

use super::*;
use crate::workbench::{JOB, failed, failure, messages, report};

const UUID: &str = "0b591f55-599c-538c-aa49-c2e4e58f5a4f";

/// `expected` with the ids filled in.
#[track_caller]
fn says(message: &Message, expected: &str) {
    let expected = expected.replace("JOB", JOB).replace("UUID", UUID);
    assert_eq!(String::from_utf8(message.json.clone()).unwrap(), expected);
}

/// The only message of a report, with `stdout`.
fn only(report: &Report, stdout: &str) -> Message {
    let all = messages().reported(report, || stdout.to_owned());
    let [message] = all.try_into().unwrap();
    message
}

fn none(phase: Phase, outcome: Outcome) {
    let report = report("t.py::t", phase, outcome);
    assert_eq!(messages().reported(&report, || unreachable!()), []);
}

#[test]
fn a_run_starts() {
    let messages = Messages {
        env: Some("DEV".into()),
        custom_data: Some(r#"{"k": "ü"}"#.into()),
        ..messages()
    };
    let message = messages.run_started(1 << 10, 1795247875.5694594, |one| {
        one("t", "t.py::t", Some("Does\n    it."));
        one("T.t[\"☃\"]", "t.py::T::t[\"☃\"]", None);
    });
    assert_eq!(message.about, "startTestRun");
    let second = messages.ids.test("t.py::T::t[\"☃\"]");
    let expected = concat!(
        r#"{"fw": "2", "type": "startTestRun", "tests": ["#,
        r#"{"location": "t", "nodeid": "t.py::t", "uuid": "UUID", "description": "Does\n    it."}, "#,
        r#"{"location": "T.t[\"\u2603\"]", "nodeid": "t.py::T::t[\"\u2603\"]", "uuid": "SECOND", "description": null}], "#,
        r#""env": "DEV", "custom_data": "{\"k\": \"\u00fc\"}", "startTime": 1795247875.5694594, "#,
        r#""job_id": "JOB", "custom_id": null}"#,
    );
    says(&message, &expected.replace("SECOND", &second));
}

#[test]
fn a_run_without_tests_starts() {
    let message = messages().run_started(0, 1795247875.0, |_| {});
    says(
        &message,
        concat!(
            r#"{"fw": "2", "type": "startTestRun", "tests": [], "env": null, "custom_data": null, "#,
            r#""startTime": 1795247875.0, "job_id": "JOB", "custom_id": null}"#
        ),
    );
}

#[test]
fn sizes_are_those_of_the_message() {
    let messages = messages();
    let test = crate::workbench::test("t.py::t☃", Some("é\n"));
    let start = |tests: usize| {
        let tell = |one: &mut dyn FnMut(&str, &str, Option<&str>)| {
            for _ in 0..tests {
                one(&test.domain, &test.nodeid, test.doc.as_deref());
            }
        };
        messages.run_started(0, 1.0, tell).json.len()
    };
    assert_eq!(start(3) - start(2), messages.size(&test, &mut vec![b'x']));
}

#[test]
fn an_item_starts() {
    let message = messages().item_started("t.py::t", 1795247875.5793324);
    assert_eq!(message.about, "startTestItem of t.py::t");
    says(
        &message,
        concat!(
            r#"{"fw": "2", "type": "startTestItem", "job_id": "JOB", "test": "t.py::t", "uuid": "UUID", "#,
            r#""custom_id": null, "startTime": "1795247875.5793324"}"#
        ),
    );
}

#[test]
fn a_passed_call_stops_its_item() {
    let message = only(&report("t.py::t", Phase::Call, Outcome::Passed), "not told");
    assert_eq!(message.about, "stopTestItem of t.py::t");
    says(
        &message,
        concat!(
            r#"{"fw": "2", "type": "stopTestItem", "job_id": "JOB", "test": "t.py::t", "uuid": "UUID", "#,
            r#""custom_id": null, "status": "passed", "msg": "", "stopTime": "1795247875.701072", "screens": ""}"#
        ),
    );
}

#[test]
fn a_failed_call_says_what_was_raised_and_written() {
    says(
        &only(&failed("t.py::t", Phase::Call), "out\n"),
        concat!(
            r#"{"fw": "2", "type": "stopTestItem", "job_id": "JOB", "test": "t.py::t", "uuid": "UUID", "#,
            r#""custom_id": null, "status": "failed", "msg": "E   ValueError: \u00e9\n\nCaptured stdout call:\nout\n", "#,
            r#""stopTime": "1795247875.701072", "screens": ""}"#
        ),
    );
}

#[test]
fn a_skip_has_no_screens() {
    let skip = "('/suite/t.py', 26, 'Skipped: marker skip')";
    for phase in [Phase::Setup, Phase::Call] {
        let skipped = Report {
            failure: Some(failure("Skipped", "marker skip", skip)),
            ..report("t.py::t", phase, Outcome::Skipped)
        };
        says(
            &only(&skipped, "not told"),
            concat!(
                r#"{"fw": "2", "type": "stopTestItem", "job_id": "JOB", "test": "t.py::t", "uuid": "UUID", "#,
                r#""custom_id": null, "status": "skipped", "msg": "('/suite/t.py', 26, 'Skipped: marker skip')", "#,
                r#""stopTime": "1795247875.701072"}"#
            ),
        );
    }
}

#[test]
fn a_failed_setup_stops_the_item_and_is_an_error() {
    let all = messages().reported(&failed("t.py::t", Phase::Setup), || "out-in-setup\n".into());
    let [item, error] = all.try_into().unwrap();
    says(
        &item,
        concat!(
            r#"{"fw": "2", "type": "stopTestItem", "job_id": "JOB", "test": "t.py::t", "uuid": "UUID", "#,
            r#""custom_id": null, "status": "failed", "#,
            r#""msg": "E   ValueError: \u00e9\n\nCaptured stdout call:\nout-in-setup\n", "#,
            r#""stopTime": "1795247875.701072", "screens": ""}"#
        ),
    );
    is_error(&error);
}

#[track_caller]
fn is_error(message: &Message) {
    assert_eq!(message.about, "stopTest of t.py::t");
    says(
        message,
        concat!(
            r#"{"fw": "2", "type": "stopTest", "job_id": "JOB", "test": "t.py::t", "uuid": "UUID", "#,
            r#""custom_id": null, "stopTime": "1795247875.701072", "status": "error", "#,
            r#""msg": ["<class 'ValueError'>", "\u00e9", "  File \"t.py\", line 1, in t\n    u()\n  File \"t.py\", line 2, in u\n    v\n"]}"#
        ),
    );
}

#[test]
fn a_failed_teardown_is_an_error() {
    is_error(&only(&failed("t.py::t", Phase::Teardown), ""));
}

#[test]
fn what_could_not_be_collected_is_an_error_of_no_test() {
    let raised = failure("SyntaxError", "invalid syntax", "");
    says(
        &messages().collection_failed(
            "t.py",
            &Failure {
                traceback: vec![],
                ..raised
            },
            17.5,
        ),
        concat!(
            r#"{"fw": "2", "type": "stopTest", "job_id": "JOB", "test": "t.py", "uuid": null, "#,
            r#""custom_id": null, "stopTime": "17.5", "status": "error", "#,
            r#""msg": ["<class 'SyntaxError'>", "invalid syntax", ""]}"#
        ),
    );
}

#[test]
fn a_test_that_never_ended_is_an_error() {
    let start = r#"{"fw": "2", "type": "stopTest", "job_id": "JOB", "test": "t.py::t", "uuid": "UUID", "custom_id": null, "stopTime": "17.5", "status": "error", "msg": "#;
    let messages = messages();
    for (message, msg) in [
        (
            messages.crashed("t.py::t", Some("gw0"), 17.5),
            r#"["crashed", "worker gw0 crashed while running 't.py::t'", ""]}"#,
        ),
        (
            messages.crashed("t.py::t", None, 17.5),
            r#"["crashed", "pytest ended while running 't.py::t'", ""]}"#,
        ),
        (
            messages.interrupted("t.py::t", 17.5),
            r#"["interrupted", "the run ended while this test ran", ""]}"#,
        ),
    ] {
        says(&message, &format!("{start}{msg}"));
    }
}

#[test]
fn a_run_stops() {
    let mut messages = messages();
    for (asked, report) in [(false, "0"), (true, "1")] {
        messages.job_report = asked;
        says(
            &messages.run_stopped(1795247875.7870553),
            &concat!(
                r#"{"fw": "2", "type": "stopTestRun", "job_id": "JOB", "custom_id": null, "#,
                r#""stopTime": "1795247875.7870553", "send_report": "REPORT"}"#
            )
            .replace("REPORT", report),
        );
    }
}

#[test]
fn the_rest_has_no_message() {
    none(Phase::Setup, Outcome::Passed);
    none(Phase::Setup, Outcome::Rerun);
    none(Phase::Call, Outcome::Rerun);
    none(Phase::Call, Outcome::Other("odd".into()));
    none(Phase::Teardown, Outcome::Passed);
    none(Phase::Teardown, Outcome::Skipped);
    none(Phase::Teardown, Outcome::Rerun);
}

#[test]
fn a_strict_unexpected_pass_says_why_it_failed() {
    let msg = |reason: &str| {
        let xpass = Report {
            xfail_reason: Some(reason.into()),
            ..report("t.py::t", Phase::Call, Outcome::Failed)
        };
        let value: serde_json::Value = serde_json::from_slice(&only(&xpass, "").json).unwrap();
        value["msg"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        msg("strict one"),
        "[XPASS(strict)] strict one\n\nCaptured stdout call:\n"
    );
    assert_eq!(msg(""), "[XPASS(strict)]\n\nCaptured stdout call:\n");
}

#[test]
fn screens_are_passed_on_as_they_are() {
    let end = |properties: &[(&str, &str)]| {
        let owned = |(name, json): &(&str, &str)| ((*name).to_owned(), (*json).to_owned());
        let report = Report {
            properties: properties.iter().map(owned).collect(),
            ..report("t.py::t", Phase::Call, Outcome::Passed)
        };
        let json = String::from_utf8(only(&report, "").json).unwrap();
        json.split_once(r#""screens": "#).unwrap().1.to_owned()
    };
    assert_eq!(end(&[]), "\"\"}");
    assert_eq!(end(&[("other", "1")]), "\"\"}");
    assert_eq!(end(&[("t_screen", "\"shot1\"")]), "\"shot1\"}");
    let odd = r#"{"b": [1e400, 1.10],"a":null}"#;
    assert_eq!(end(&[("t_screen", odd)]), format!("{odd}}}"));
    assert_eq!(end(&[("t_screen", "1"), ("t_screen", "2")]), "2}");
    assert_eq!(end(&[("t_screen", "not JSON")]), "\"\"}");
}

#[test]
fn a_custom_id_is_in_every_message() {
    let mut messages = messages();
    messages.ids.custom = Some("CI42".into());
    let failed = failed("t.py::t", Phase::Setup);
    let mut all = messages.reported(&failed, String::new);
    all.extend([
        messages.run_started(0, 1.0, |_| {}),
        messages.item_started("t.py::t", 1.0),
        messages.run_stopped(1.0),
    ]);
    assert_eq!(all.len(), 5);
    for message in all {
        let json = String::from_utf8(message.json).unwrap();
        assert!(json.contains(r#""custom_id": "CI42""#), "{json}");
    }
}
