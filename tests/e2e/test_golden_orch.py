"""The captures of pytest-orchestration: what happens now, each next to docs/compatibility.md."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from support.orchestrating import FOLDER, SCALE, Capture, Orchestrations, capture, faster
from support.polling import until
from support.processes import Outcome
from support.project import SUITES, Project

#: Seconds that an event may be late on a machine that is busy; theirs were late by a minute.
LATE = 1.0


@pytest.fixture
def here(project: Project) -> Orchestrations:
    return Orchestrations(project)


def replay(here: Orchestrations, name: str, *args: str) -> tuple[Capture, Outcome]:
    """The capture's description, faster; the orchestrated test alone unless `args` say more."""
    then = capture(name)
    here.describe(faster(json.loads(then.description)))
    command = args or (*then.args, "descriptions/demo.json")
    return then, here.project.run("pytest", "-v", *command, ORCH_SCALE=str(SCALE))


def assert_on_plan(here: Orchestrations, words: str, *seconds: float) -> None:
    """At these seconds of the capture's description, counted from the first event."""
    found = here.seconds(words)
    assert len(found) == len(seconds), here.log()
    for is_at, planned in zip(found, seconds, strict=True):
        assert abs(is_at - planned * SCALE) < LATE, here.log()


def test_every_capture_has_a_test() -> None:
    text = Path(__file__).read_text()
    names = {path.name.partition(".")[0] for path in FOLDER.iterdir()}
    assert len(names) > 20
    for name in names:
        assert f'"{name}' in text, name


@pytest.mark.difference("orch-1")
@pytest.mark.difference("orch-3")
def test_demo(here: Orchestrations) -> None:
    """An event that raises fails the test, which ends when it should."""
    events = (FOLDER / "demo.eventlog.txt").read_text().splitlines()
    theirs = [line.split(" ", 1)[1] for line in events]
    description = json.loads((SUITES / "orch" / "descriptions" / "demo.json").read_text())
    here.describe(faster(description))
    outcome = here.run("-v", "-o", "log_level=INFO", ORCH_SCALE=str(SCALE))
    assert sorted(here.words()) == sorted(theirs)
    assert_on_plan(here, "interval", 0, 2, 4)
    assert_on_plan(here, "late", 3)
    assert_on_plan(here, "end False", 5.4)
    assert outcome.code == 1
    assert "RuntimeError: event boom" in outcome.stdout
    assert 'raise RuntimeError("event boom")' in outcome.stdout
    captured = (FOLDER / "demo.stdout.txt").read_text()
    for line in ("orchestration.reporter", "all fine", "an error happened", "device up"):
        assert line in captured, line
        assert line in outcome.stdout, line


def test_bad_fixture(here: Orchestrations) -> None:
    then, outcome = replay(here, "bad-fixture")
    assert outcome.code == then.code
    assert "fixture 'nofix' not found" in outcome.stdout
    assert "fixture 'nofix' not found" in then.output


@pytest.mark.difference("orch-2")
def test_ctrl_c(here: Orchestrations) -> None:
    """Teardown events run."""
    then = capture("ctrl-c")
    here.describe(faster(json.loads(then.description)))
    running = here.start(ORCH_SCALE=str(SCALE))
    until("three runs", lambda: len(here.words()) >= 3)
    running.interrupt()
    outcome = running.finish()
    assert outcome.code == then.code == signal.SIGINT
    assert here.words()[:3] == then.starts()
    assert here.words()[-1] == "end False"
    assert "KeyboardInterrupt" in outcome.stdout


@pytest.mark.parametrize("name", ["filename-mismatch", "not-json-file"])
def test_what_files_are_called(here: Orchestrations, name: str) -> None:
    """`test_name` counts, and what is no description is left alone."""
    here.project.write("descriptions/a.txt", "no description")
    then = capture(name)
    here.describe(json.loads(then.description), "another.json")
    outcome = here.project.run("pytest", *then.args, "descriptions/another.json")
    assert outcome.code == then.code == 0, outcome
    assert here.words() == then.starts() == ["interval"]


@pytest.mark.difference("orch-4")
def test_hang(here: Orchestrations) -> None:
    """It ends as it did, and is waited for; the test does not go on for a minute."""
    then, outcome = replay(here, "hang")
    assert outcome.code == then.code == 0, outcome
    *begun, end = here.words()
    # Two that are due at the same time may begin in any order.
    assert sorted(begun) == sorted(then.starts()[:-1])
    assert end == "hang ends True"
    assert outcome.seconds < 20


@pytest.mark.difference("orch-5")
def test_keyword_overlap(here: Orchestrations) -> None:
    """Other tests are selected as ever."""
    then, outcome = replay(here, "keyword-overlap", "--run-orch=demo", ".", "-k", "ordinary")
    assert outcome.code == then.code == 0
    assert "1 deselected" in outcome.stdout
    assert "test_ord.py::test_ordinary PASSED" in outcome.stdout
    assert "descriptions/demo.json::test_demo PASSED" in outcome.stdout
    assert "test_demo_other" not in outcome.stdout
    assert "test_demo_other PASSED" in then.output


@pytest.mark.difference("orch-6")
def test_kill(here: Orchestrations) -> None:
    then, outcome = replay(here, "kill")
    assert outcome.code == then.code == 1
    assert sorted(here.words()) == sorted([*then.starts(), "interval"])
    assert here.words()[-1] == "end True"
    assert "the kill switch was set" in outcome.stdout


@pytest.mark.difference("orch-7")
def test_kill_without_interval(here: Orchestrations) -> None:
    """It acts at once, and the test fails."""
    then, outcome = replay(here, "kill-noint")
    assert (then.code, outcome.code) == (0, 1)
    assert here.words() == then.starts() == ["kill"]
    assert outcome.seconds < 0.01 * 3600 * SCALE


@pytest.mark.difference("orch-8")
def test_load(here: Orchestrations) -> None:
    then, outcome = replay(here, "load-orch", "--load-orch")
    assert (then.code, outcome.code) == (2, 0)
    assert "descriptions/demo.json::test_demo\n  ev_interval  events.py:" in outcome.stdout
    assert here.words() == []


@pytest.mark.difference("orch-9")
def test_missing_event(here: Orchestrations) -> None:
    then, outcome = replay(here, "missing-event")
    assert (then.code, outcome.code) == (1, 4)
    message = "descriptions/demo.json: no function for ev_nope in events.py (orchestration_sources)"
    assert f"pytest-host: {message}" in outcome.stderr
    assert here.words() == []


def test_units_of_intervals(here: Orchestrations) -> None:
    then, outcome = replay(here, "no-interval-units")
    assert outcome.code == then.code == 0, outcome
    assert here.words() == then.starts()
    assert_on_plan(here, "interval", 0, 1.2)


@pytest.mark.difference("orch-10")
def test_overlap(here: Orchestrations) -> None:
    then, outcome = replay(here, "overlap")
    assert outcome.code == then.code == 0, outcome
    assert then.starts()[:2] == ["ov begin"] * 2
    assert here.words() == ["ov begin", "ov end"] * 2
    assert_on_plan(here, "ov begin", 0, 4)


@pytest.mark.difference("orch-11")
def test_comments(here: Orchestrations) -> None:
    then = capture("readme-comments")
    here.describe(then.description.replace("0.001", "0").replace("[]}", "[],}"))
    outcome = here.run()
    assert (then.code, outcome.code) == (2, 0), outcome


@pytest.mark.difference("orch-12")
def test_flag_of_the_readme(here: Orchestrations) -> None:
    then, outcome = replay(here, "readme-flag")
    assert (then.code, outcome.code) == (4, 0), outcome
    assert then.args == ("--test-orch=demo",)
    assert set(here.words()) == {"interval"}


def test_runtime(here: Orchestrations) -> None:
    then = capture("runtime-orch")
    here.describe(json.loads(then.description))
    outcome = here.project.run("pytest", *then.args, "descriptions/demo.json")
    assert outcome.code == then.code == 0
    assert here.words() == then.starts() == ["interval"] * 2
    assert outcome.seconds < 20


@pytest.mark.difference("orch-13")
@pytest.mark.parametrize("name", ["same-event-twice", "substr-param"])
def test_names_of_params(here: Orchestrations, name: str) -> None:
    then, outcome = replay(here, name)
    assert (then.code, outcome.code) == (1, 0), outcome
    twice = ["interval", "interval"] if name == "same-event-twice" else []
    assert sorted(here.words()) == sorted([*twice, f"sub {'P1' if twice else 'P'} V"])


@pytest.mark.difference("orch-14")
def test_spaced_sources(here: Orchestrations) -> None:
    """They may have blanks around them; one that is not there is told."""
    then = capture("spaced-sources")
    here.describe(faster(json.loads(then.description)))
    missing = here.run("-o", "orchestration_sources=nope.py, events.py")
    assert missing.code == 4
    assert "pytest-host: orchestration_sources: nope.py is not there" in missing.stderr
    here.project.write("more.py", "")
    outcome = here.run("-o", "orchestration_sources= more.py , events.py")
    assert (then.code, outcome.code) == (1, 0), outcome
    assert set(here.words()) == {"interval"}


@pytest.mark.difference("orch-15")
def test_slow_teardown(here: Orchestrations) -> None:
    """It is waited for before there is a verdict, and the kill switch is set after it."""
    then, outcome = replay(here, "teardown-slow")
    assert outcome.code == then.code == 0
    assert then.starts() == ["hang begins", "hang ends True"]
    assert here.words() == ["hang begins", "hang ends False"]


@pytest.mark.difference("orch-16")
def test_unknown_name(here: Orchestrations) -> None:
    then, outcome = replay(here, "unknown-name")
    assert (then.code, outcome.code) == (2, 4)
    message = "descriptions: no description has the test_name 'other'; known are demo"
    assert f"pytest-host: {message}" in outcome.stderr


@pytest.mark.difference("orch-17")
def test_unsorted(here: Orchestrations) -> None:
    """The soonest first."""
    then, outcome = replay(here, "unsorted")
    assert outcome.code == then.code == 0
    assert then.starts()[:2] == ["late", "interval"]
    assert here.words()[:3] == ["interval"] * 3
    assert len(here.seconds("interval")) == 7
    # Counted from the first event, a second after the start.
    assert_on_plan(here, "late", 3)
