use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::guest::bindings::events::Verdict;
use crate::watch::testing::{START, at, busy, done, end, feed};
use crate::watch::view::Key;

const SCENE: Scene<'_> = Scene {
    root: "/srv/project",
    slow: 60.0,
};

fn terminal(width: u16, height: u16, runs: &[Watched], ui: &Ui) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(frame, &SCENE, runs, START + 65.0, ui))
        .unwrap();
    terminal
}

fn screen(width: u16, height: u16, runs: &[Watched], ui: &Ui) -> String {
    terminal(width, height, runs, ui).backend().to_string()
}

/// A run with many failures.
fn failing() -> Watched {
    let mut watched = busy();
    let ends = (0..30).map(|n| {
        at(
            6.0,
            None,
            end(&format!("t.py::test_f{n}"), 1, Verdict::Failed),
        )
    });
    feed(&mut watched, ends);
    watched
}

#[test]
fn a_run_on_a_small_screen() {
    insta::assert_snapshot!(screen(60, 15, &[busy()], &Ui::default()), @r#"
    "run 2026-11-21T10-10-42-3f9a  running  1m 5s                "
    "pytest 9.2.0, 10 tests, 2 workers  /srv/project  -n2 tests  "
    "████████████                2/10                            "
    "1 passed, 1 failed                                          "
    " running (2) ───────────────────────────────────────────────"
    "  1m 2s gw1  tests/deep/test_表.py::test_1[é]               " Hidden by multi-width symbols: [(30, " ")]
    "     1m gw0  t.py::test_3 (attempt 2)                       "
    " failures (1) ──────────────────────────────────────────────"
    "FAILED t.py::test_2 [gw0]                                   "
    "  AssertionError: assert 1 == 2                             "
    "                                                            "
    "                                                            "
    "publish 12 delivered, 30 left (connection refused)          "
    "pubdir 42 delivered                                         "
    "q: end   arrows, PgUp, PgDn: failures                       "
    "#);
}

#[test]
fn runs_on_a_large_screen() {
    let mut last = done();
    last.id = "2026-11-21T10-12-00-aaaa".into();
    insta::assert_snapshot!(screen(100, 24, &[busy(), last], &Ui::default()), @r#"
    " 1 2026-11-21T10-10-42-3f9a  running  1m 5s  2/10                                                   "
    ">2 2026-11-21T10-12-00-aaaa  finished (exit status 1)  12s  4/10                                    "
    "run 2026-11-21T10-12-00-aaaa  finished (exit status 1)  12s                                         "
    "pytest 9.2.0, 10 tests, 2 workers  /srv/project  -n2 tests                                          "
    "████████████████████████████████████████        4/10                                                "
    "2 passed, 1 failed, 1 xfailed                                                                       "
    " running (0) ───────────────────────────────────────────────────────────────────────────────────────"
    "                                                                                                    "
    " failures (1) ──────────────────────────────────────────────────────────────────────────────────────"
    "FAILED t.py::test_2 [gw0]                                                                           "
    "  AssertionError: assert 1 == 2                                                                     "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "publish 12 delivered, 30 left (connection refused)                                                  "
    "pubdir 42 delivered                                                                                 "
    "q: end   Tab, 1-9: other runs   arrows, PgUp, PgDn: failures                                        "
    "#);
}

#[test]
fn nothing_yet() {
    insta::assert_snapshot!(screen(60, 2, &[], &Ui::default()), @r#"
    "no run yet in /srv/project; waiting (q ends)                "
    "                                                            "
    "#);
}

#[test]
fn keys_choose_a_run_and_move_through_failures() {
    let mut second = busy();
    second.id = "2026-11-21T10-12-00-aaaa".into();
    let runs = [failing(), second];
    let mut ui = Ui::default();
    assert_eq!(ui.selected(&runs), 1, "the newest");
    ui.press(Key::Next, &runs);
    assert_eq!(ui.selected(&runs), 0);
    ui.press(Key::Previous, &runs);
    ui.press(Key::Run(0), &runs);
    ui.press(Key::Run(8), &runs);
    assert_eq!(ui.selected(&runs), 0, "there is no ninth");
    let shown = screen(60, 15, &runs, &ui);
    assert!(
        shown.contains("test_f29") && !shown.contains("test_f9"),
        "{shown}"
    );
    ui.press(Key::PageUp, &runs);
    ui.press(Key::PageUp, &runs);
    let shown = screen(60, 15, &runs, &ui);
    assert!(shown.contains("failures (31, 20 below)"), "{shown}");
    assert!(
        shown.contains("test_f9") && !shown.contains("test_f10"),
        "{shown}"
    );
    ui.press(Key::First, &runs);
    ui.press(Key::Up, &runs);
    assert!(screen(60, 15, &runs, &ui).contains("t.py::test_2 [gw0]"));
    ui.press(Key::Last, &runs);
    assert_eq!(ui.back, 0);
    ui.press(Key::Down, &runs);
    assert_eq!(ui.back, 0);
}

#[test]
fn no_size_is_too_small() {
    let runs = [failing(), done(), failing()];
    for width in [1, 2, 7, 20, 59] {
        for height in 1..20 {
            screen(width, height, &runs, &Ui::new(true));
        }
    }
}

#[test]
fn slow_tests_stand_out_in_colour() {
    let drawn = terminal(80, 20, &[busy()], &Ui::new(true));
    let buffer = drawn.backend().buffer();
    let coloured = |colour| buffer.content().iter().any(|cell| cell.fg == colour);
    assert!(coloured(Color::Yellow) && coloured(Color::Red));
    let drawn = terminal(80, 20, &[busy()], &Ui::new(false));
    let plain = drawn.backend().buffer().content();
    assert!(plain.iter().all(|cell| cell.fg == Color::Reset));
}

#[test]
fn names_are_cut_at_their_start_by_columns() {
    assert_eq!(end_of("test_表表", 9), "test_表表");
    assert_eq!(end_of("test_表表", 6), "…_表表");
    assert_eq!(end_of("test_表表", 4), "…表");
    assert_eq!(end_of("abc", 0), "…");
}
