//! What an event that fails means for its test.

use super::world::{Body, SECOND, Seen, World};

fn failing(more: &str) -> Seen {
    let description = format!(
        r#"{{"test_name": "t", "total_seconds": 5, "events": [
            {{"name": "a", "interval_sec": 1{more}}}, {{"name": "z", "at_startup": false, "at_teardown": true}}]}}"#
    );
    World {
        description: &description,
        body: &|name, run| {
            if name == "a" && run % 2 == 0 {
                Body::raises("RuntimeError: boom")
            } else {
                Body::lasts(SECOND / 2)
            }
        },
        ..World::default()
    }
    .run()
}

#[test]
fn it_fails_in_the_end() {
    let seen = failing("");
    assert_eq!(seen.starts_of("a").len(), 5);
    assert_eq!(
        seen.reason(),
        "a failed in 2 of 5 runs, first: RuntimeError: boom"
    );
    assert!(seen.said().starts_with("Error a: RuntimeError: boom"));
}

#[test]
fn it_goes_on() {
    let seen = failing(r#", "on_error": "continue""#);
    assert_eq!(seen.reason(), "");
    assert!(seen.said().starts_with("Warning a: RuntimeError: boom"));
}

#[test]
fn it_stops_at_once() {
    let seen = failing(r#", "on_error": "stop""#);
    assert_eq!(seen.in_order(), "0 a, 1 a, 1 z");
    assert_eq!(seen.ended_at(), 1.5);
    assert_eq!(
        seen.reason(),
        "a failed in 1 of 2 runs, first: RuntimeError: boom"
    );
}

#[test]
fn so_many_may_fail_and_no_more() {
    assert_eq!(failing(r#", "max_failures": 2"#).reason(), "");
    assert_ne!(failing(r#", "max_failures": 1"#).reason(), "");
    let more = r#", "on_error": "stop", "max_failures": 1"#;
    assert_eq!(failing(more).starts_of("a"), [0.0, 1.0, 2.0, 3.0]);
    let more = r#", "on_error": "continue", "max_failures": 1"#;
    assert_ne!(failing(more).reason(), "");
}

#[test]
fn what_takes_too_long_has_failed() {
    assert_eq!(
        failing(r#", "max_duration": 0.4, "count": 1"#).reason(),
        "a: took 0.5 s, longer than max_duration, 0.4 s"
    );
    let seen = failing(r#", "max_duration": 0.5"#);
    assert!(!seen.said().contains("took"), "{}", seen.said());
}
