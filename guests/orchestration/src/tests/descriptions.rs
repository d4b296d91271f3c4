//! What is wrong with a description, and where.

use crate::description::Description;

fn wrong(text: &str) -> String {
    Description::parse(text, None, 0).unwrap_err().to_string()
}

fn wrong_event(event: &str) -> String {
    wrong(&format!(
        "{{\"test_name\": \"t\", \"total_hours\": 1,\n \"events\": [{event}]}}"
    ))
}

#[test]
fn what_is_no_json_has_a_place() {
    assert_eq!(wrong(""), "1:1: is empty");
    assert_eq!(wrong("[]"), "1:1: should be an object, {…}");
    assert_eq!(
        wrong("{\"test_name\": \"t\",\n  \"total_hours\" 3}"),
        "2:17: expected colon after the string or word in object property"
    );
    assert!(wrong("{\"a\": /* for ever").starts_with("1:7: "));
}

#[test]
fn what_has_to_be_there() {
    assert_eq!(wrong("{}"), "1:1: \"test_name\" is missing");
    assert!(wrong(r#"{"test_name": "t"}"#).starts_with("1:1: \"total_hours\" is missing"));
    assert_eq!(wrong_event("{}"), "2:13: \"name\" is missing");
    assert_eq!(wrong_event(r#"{"name": ""}"#), "2:22: name is empty");
}

#[test]
fn keys_that_nobody_knows() {
    assert_eq!(
        wrong_event(r#"{"name": "a", "intervall_sec": 3}"#),
        "2:27: unknown key \"intervall_sec\"; did you mean \"interval_sec\"?"
    );
    assert_eq!(
        wrong_event(r#"{"name": "a", "colour": 3}"#),
        "2:27: unknown key \"colour\""
    );
    assert_eq!(
        wrong_event(r#"{"name": "a", "name": "b"}"#),
        "2:27: \"name\" is there twice"
    );
    let noted = r#"{"test_name": "t", "total_hours": 1, "_by": "me", "description": "…",
        "events": [{"name": "a", "comment": "…", "interval_sec": null}]}"#;
    assert!(Description::parse(noted, None, 0).is_ok());
}

#[test]
fn values_of_the_wrong_kind() {
    for (event, problem) in [
        (r#"{"name": 1}"#, "name should be a text"),
        (
            r#"{"name": "é", "interval_sec": "3"}"#,
            "interval_sec should be a number, 0 or more",
        ),
        (
            r#"{"name": "a", "interval_sec": -1}"#,
            "interval_sec should be a number, 0 or more",
        ),
        (
            r#"{"name": "a", "interval_sec": 1e-9}"#,
            "interval_sec should be a millisecond or more",
        ),
        (
            r#"{"name": "a", "interval_sec": 1, "interval_min": 1}"#,
            "interval_min is given, and interval_sec as well",
        ),
        (
            r#"{"name": "a", "at_startup": 1}"#,
            "at_startup should be true or false",
        ),
        (
            r#"{"name": "a", "count": 1.5}"#,
            "count should be a whole number, 0 or more",
        ),
        (
            r#"{"name": "a", "interval_sec": 1, "jitter": 1}"#,
            "jitter should be less than the interval",
        ),
        (
            r#"{"name": "a", "on_error": "die"}"#,
            r#"on_error should be "fail", "continue" or "stop", not "die""#,
        ),
        (
            r#"{"name": "a", "params": []}"#,
            "params should be an object, {…}",
        ),
        ("1", "events should be a list of objects, {…}"),
    ] {
        let said = wrong_event(event);
        assert!(said.ends_with(&format!(": {problem}")), "{said}");
        assert!(said.starts_with("2:"), "{said}");
    }
    assert_eq!(
        wrong(r#"{"test_name": "t", "total_hours": 1, "unref_setup_fixtures": ["a", 1]}"#),
        "1:68: unref_setup_fixtures should be a list of texts"
    );
}

#[test]
fn hours_from_outside_win() {
    let text = r#"{"test_name": "t", "total_hours": 9}"#;
    let parsed = Description::parse(text, Some(0.0005), 0).unwrap();
    assert_eq!(parsed.end, 1_800_000_000);
    let without = Description::parse(r#"{"test_name": "t"}"#, Some(1.0), 0);
    assert!(without.is_ok());
    let never = Description::parse(text, Some(f64::NAN), 0).unwrap_err();
    assert_eq!(never.to_string(), "1:1: cannot run for NaN hours");
}

#[test]
fn places_count_characters() {
    let said = wrong_event(r#"{"name": "é", "count": -1}"#);
    assert!(said.starts_with("2:36: "), "{said}");
}
