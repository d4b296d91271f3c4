//! How a test ends.

use super::world::{Body, SECOND, World};
use crate::step::Verdict;

const ENDLESS: Body = Body {
    lasts: None,
    raises: None,
    heeds: false,
};
const HEEDING: Body = Body {
    lasts: None,
    raises: None,
    heeds: true,
};

#[test]
fn the_kill_switch_acts_at_once_and_teardown_runs_all_the_same() {
    let seen = World {
        description: r#"{"test_name": "t", "total_hours": 1, "events": [
            {"name": "a", "interval_sec": 1}, {"name": "z", "at_startup": false, "at_teardown": true}]}"#,
        killed: Some(21 * SECOND / 10),
        ..World::default()
    }
    .run();
    assert_eq!(seen.in_order(), "0 a, 1 a, 2 a, 2.1 z");
    assert_eq!(seen.ended_at(), 2.1);
    assert_eq!(seen.reason(), "the kill switch was set");
}

#[test]
fn whatever_runs_is_told_to_end_after_teardown_was_awaited() {
    let seen = World {
        description: r#"{"test_name": "t", "total_seconds": 3, "events": [
            {"name": "server"}, {"name": "z", "at_startup": false, "at_teardown": true}]}"#,
        body: &|name, _| {
            if name == "server" {
                HEEDING
            } else {
                Body::lasts(6 * SECOND)
            }
        },
        ..World::default()
    }
    .run();
    assert_eq!(seen.in_order(), "0 server, 3 z");
    assert_eq!(seen.stopped, Some(9 * SECOND));
    assert_eq!(seen.ended_at(), 9.0);
    assert_eq!(seen.verdict, Verdict::Passed);
}

#[test]
fn what_hangs_is_told_by_name_and_keeps_nobody() {
    let seen = World {
        description: r#"{"test_name": "t", "total_seconds": 3, "teardown_timeout": 4, "stop_timeout": 2, "events": [
            {"name": "stuck"}, {"name": "z", "at_startup": false, "at_teardown": true}]}"#,
        body: &|_, _| ENDLESS,
        ..World::default()
    }
    .run();
    assert_eq!(seen.stopped, Some(7 * SECOND));
    assert_eq!(seen.ended_at(), 9.0);
    assert_eq!(
        seen.reason(),
        "stuck: hangs: it began at 0 s and had not ended 2 s after it should have\n\
         z: hangs: it began at 3 s and had not ended 4 s after it should have"
    );
}

#[test]
fn what_hangs_may_be_put_up_with() {
    let seen = World {
        description: r#"{"test_name": "t", "total_seconds": 3, "stop_timeout": 2, "events": [
            {"name": "stuck", "on_error": "continue"}]}"#,
        body: &|_, _| ENDLESS,
        ..World::default()
    }
    .run();
    assert_eq!(seen.verdict, Verdict::Passed);
    assert!(
        seen.said().contains("Warning stuck: hangs"),
        "{}",
        seen.said()
    );
}

#[test]
fn teardown_of_an_event_waits_for_the_run_before() {
    let description = r#"{"test_name": "t", "total_seconds": 3, "teardown_timeout": 4, "events": [
        {"name": "a", "interval_sec": 2, "at_teardown": true}]}"#;
    let lasting = |lasts| {
        let body = move |_: &str, _| Body::lasts(lasts);
        World {
            description,
            body: &body,
            ..World::default()
        }
        .run()
    };
    let seen = lasting(3 * SECOND / 2);
    assert_eq!(seen.starts_of("a"), [0.0, 2.0, 3.5]);
    assert_eq!(seen.ended_at(), 5.0);
    let seen = lasting(9 * SECOND);
    assert_eq!(seen.starts_of("a"), [0.0]);
    assert_eq!(
        seen.reason(),
        "a: never ran at teardown, since the run before did not end"
    );
}
