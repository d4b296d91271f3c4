//! Warnings are told with what they are of.

use super::*;

#[test]
fn a_warning_is_told_with_its_test_again() {
    let events = [passed("t.py::a"), vec![warning(Some("t.py::a"), "careful")]].concat();
    let told = said(&run_of(&["t.py::a"], events, 0));
    assert_eq!(
        told[5..],
        [
            "T 0 t.py::a done passed yellow [warning call t.py:2: UserWarning: careful]",
            "S done yellow 1",
        ]
    );
}

#[test]
fn warnings_while_collecting_are_the_sessions() {
    let events = [
        vec![warning(None, "one"), warning(None, "two")],
        passed("t.py::a"),
    ]
    .concat();
    let told = said(&run_of(&["t.py::a"], events, 0));
    let one = "[warning collect /suite/t.py:2: UserWarning: one]";
    let both = format!("{one} [warning collect /suite/t.py:2: UserWarning: two]");
    assert_eq!(told[0], "S open - 1");
    assert_eq!(told[1], format!("S open - 1 {one}"));
    assert_eq!(told[2], format!("S open - 1 {both}"));
    assert_eq!(told[3], format!("S in-progress - 1 {both}"));
    assert_eq!(told.last().unwrap(), &format!("S done yellow 1 {both}"));
}

#[test]
fn workers_that_see_the_same_warning_tell_of_it_once() {
    let mut bench = Bench::of(Session {
        dist: Some("load".into()),
        ..session()
    });
    let twice = vec![warning(None, "one"), warning(None, "one")];
    bench.handle(&run_of(&["t.py::a"], twice, 0));
    assert_eq!(
        bench.told().last().unwrap(),
        "S done yellow 1 [warning collect /suite/t.py:2: UserWarning: one]"
    );
}

#[test]
fn a_large_session_is_not_sent_for_each_warning() {
    let mut bench = Bench::new();
    let names: Vec<String> = (0..2000)
        .map(|number| format!("t.py::a_rather_long_name_of_test_{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let warnings = (0..50)
        .map(|number| warning(None, &number.to_string()))
        .collect();
    bench.handle(&run_of(&names, warnings, 0));
    let told = bench.told();
    assert_eq!(
        told.len(),
        4,
        "open, one for all warnings, in progress, done"
    );
    assert_eq!(told[3].matches("[warning").count(), 50);
}
