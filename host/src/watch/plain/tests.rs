use super::*;
use crate::watch::Teller;
use crate::watch::testing::{START, at, busy, done, feed, session_end};

fn without_colour(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The time of day depends on where the test runs.
fn lines(watched: &mut Watched, now: f64, several: bool) -> String {
    let news = Teller::new(3.0).tell(watched, START + now);
    let lines: Vec<String> = news
        .iter()
        .map(|news| without_colour(&line(news, several))[9..].to_owned())
        .collect();
    lines.join("\n")
}

#[test]
fn lines_of_a_run() {
    insta::assert_snapshot!(lines(&mut busy(), 65.0, false), @r"
    run 2026-11-21T10-10-42-3f9a: pytest 9.2.0, 10 tests
    FAILED t.py::test_2 [gw0] - AssertionError: assert 1 == 2
    still running, 1m 2s: tests/deep/test_表.py::test_1[é] [gw1]
    still running, 1m: t.py::test_3 (attempt 2) [gw0]
    ");
    insta::assert_snapshot!(lines(&mut done(), 65.0, true), @r"
    run 2026-11-21T10-10-42-3f9a: pytest 9.2.0, 10 tests
    [3f9a] FAILED t.py::test_2 [gw0] - AssertionError: assert 1 == 2
    [3f9a] finished in 12.3 s: 2 passed, 1 failed, 1 xfailed (exit status 1)
    ");
}

#[test]
fn a_run_as_it_is() {
    insta::assert_snapshot!(without_colour(&state(&busy(), START + 65.0)), @r"
    run 2026-11-21T10-10-42-3f9a: pytest 9.2.0, 10 tests
      running for 1m 5s
      2 of 10: 1 passed, 1 failed
      running for 1m 2s: tests/deep/test_表.py::test_1[é] [gw1]
      running for 1m: t.py::test_3 (attempt 2) [gw0]
      FAILED t.py::test_2 [gw0] - AssertionError: assert 1 == 2
      sinks: publish 12 delivered, 30 left (connection refused); pubdir 42 delivered
    ");
    insta::assert_snapshot!(without_colour(&state(&done(), START + 65.0)), @r"
    run 2026-11-21T10-10-42-3f9a: pytest 9.2.0, 10 tests
      finished in 12.3 s: 2 passed, 1 failed, 1 xfailed (exit status 1)
      FAILED t.py::test_2 [gw0] - AssertionError: assert 1 == 2
      sinks: publish 12 delivered, 30 left (connection refused); pubdir 42 delivered
    ");
}

#[test]
fn a_run_that_cannot_be_read() {
    let mut watched = Watched::new("r");
    watched.state = State::Unreadable("the journal has format 9".into());
    insta::assert_snapshot!(without_colour(&state(&watched, 0.0)), @r"
    run r: pytest has not said anything yet
      cannot be read: the journal has format 9
    ");
    feed(&mut watched, [at(1.0, None, session_end(0))]);
    watched.state = State::Lost;
    insta::assert_snapshot!(lines(&mut watched, 1.0, false), @r"
    run r: pytest has not said anything yet
    lost: its host ended; `host drain` takes it up
    ");
}

#[test]
fn the_time_of_day_is_in_front() {
    let mut watched = busy();
    let news = Teller::new(3.0).tell(&mut watched, START);
    let text = line(&news[0], false);
    let (clock, _) = text.split_once(' ').unwrap();
    assert_eq!(clock.len(), "12:03:04".len(), "{text}");
    assert_eq!(clock.matches(':').count(), 2);
}
