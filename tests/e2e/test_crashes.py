"""Processes that die in the middle of a test: all that happened before is delivered, and the rest
is accounted for.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest

from support import collecting
from support.collecting import Event
from support.processes import Outcome
from support.project import MakeProject, Project
from support.waiting import HELPERS

#: How a test dies, and what its process then ends with, as `subprocess` has it.
WAYS = {
    "exit": ("os._exit(9)", 9),
    "segfault": ("ctypes.string_at(0)", -signal.SIGSEGV),
    "kill": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "abort": ("os.abort()", -signal.SIGABRT),
}
PHASES = ("setup", "call", "teardown")

SUITE = f"""
{HELPERS}

@pytest.fixture
def around():
    if "setup" == PHASE: die()
    yield
    if "teardown" == PHASE: die()

def test_before(): print("said before")
def test_fails_before(): assert 0, "before"
def test_dies(around):
    print("last words")
    if "call" == PHASE: die()
def test_after(): pass
def test_after_that(): pass
"""


def write_suite(project: Project, way: str, phase: str, name: str = "test_c.py") -> None:
    project.write(name, f"{SUITE}\nPHASE = {phase!r}\ndef die(): {way}\n")


@pytest.fixture
def suite(make_project: MakeProject, python: str) -> Project:
    project = make_project(python)
    collecting.configure(project)
    return project


def check_crash(events: list[Event], phase: str) -> None:
    """Of a run in one process that died in `phase` of the third of five tests."""
    dies = "test_dies"
    collecting.check_whole(events)
    collecting.check_collection(events)
    steps = [step(event) for event in events if event.kind != "warning"]
    start = steps.index(("test-started", dies))
    assert steps[:start] == [
        ("session-started",),
        ("collected",),
        ("collection-finished",),
        ("test-started", "test_before"),
        *(("phase-finished", "test_before", each, "passed") for each in PHASES),
        ("test-finished", "test_before", "passed"),
        ("test-started", "test_fails_before"),
        ("phase-finished", "test_fails_before", "setup", "passed"),
        ("phase-finished", "test_fails_before", "call", "failed"),
        ("phase-finished", "test_fails_before", "teardown", "passed"),
        ("test-finished", "test_fails_before", "failed"),
    ]
    # A phase that passed without a word is told with the next that has one.
    told = [("phase-finished", dies, each, "passed") for each in ("setup", "call")]
    assert steps[start + 1 :] == [
        *(told if phase == "teardown" else []),
        ("test-finished", dies, "crashed"),
        ("not-run", "test_after", "aborted"),
        ("not-run", "test_after_that", "aborted"),
        ("session-finished",),
    ]
    assert events[-1].body == {"exitstatus": None, "reason": "aborted"}
    assert texts(events, "test_before") == ["said before\n"]
    assert texts(events, dies) == (["last words\n"] if phase == "teardown" else [])
    ended = [event for event in events if event.kind == "test-finished"]
    assert 0 <= ended[-1].body["duration"] < 60


def step(event: Event) -> tuple[str, ...]:
    """What happened to which test, in short."""
    body: Any = event.body
    if event.kind == "test-started":
        return event.kind, name(body[0])
    if event.kind == "not-run":
        return event.kind, name(body[0]), body[1]
    if event.kind == "phase-finished":
        return event.kind, name(body["nodeid"]), body["phase"], body["outcome"]
    if event.kind == "test-finished":
        return event.kind, name(body["nodeid"]), body["verdict"]
    return (event.kind,)


def name(nodeid: str) -> str:
    return nodeid.partition("::")[2]


def texts(events: list[Event], test: str) -> list[str]:
    """What the test was heard to say."""
    reports = collecting.of_kind(events, "phase-finished")
    return [
        section["content"]
        for report in reports
        for section in report["sections"]
        if report["name"] == test
    ]


#: What ends a process does not depend on the phase that it is in.
ALONE = [*((way, "call") for way in WAYS), ("kill", "setup"), ("kill", "teardown")]


@pytest.mark.parametrize(("way", "phase"), ALONE)
def test_under_pytest(suite: Project, way: str, phase: str) -> None:
    """The core outlives pytest."""
    code, expected = WAYS[way]
    write_suite(suite, code, phase)
    outcome = suite.run("pytest", "--sinks", "collector")
    assert outcome.code == expected, outcome
    check_crash(collecting.events(suite), phase)


@pytest.mark.parametrize("way", WAYS)
def test_under_host_run(project: Project, way: str) -> None:
    collecting.configure(project)
    code, expected = WAYS[way]
    write_suite(project, code, "call")
    outcome = project.run("host", "run")
    assert outcome.code == (128 - expected if expected < 0 else expected), outcome
    assert "host: collector  " in outcome.stderr
    check_crash(collecting.events(project), "call")


WAITS = SUITE + "\nPHASE = 'call'\ndef die(): announce('midway'); wait('never')\n"


@pytest.mark.parametrize("command", [("pytest", "--sinks", "collector"), ("host", "run")])
def test_killed_from_outside(suite: Project, command: tuple[str, ...]) -> None:
    suite.write("test_c.py", WAITS)
    running = suite.start(*command)
    suite.wait_for("midway")
    os.kill(int((suite.folder / "midway").read_text()), signal.SIGKILL)
    outcome = running.finish()
    assert outcome.code == (128 + signal.SIGKILL if command[0] == "host" else -signal.SIGKILL)
    check_crash(collecting.events(suite), "call")


def crashing(ways: dict[str, tuple[str, int]]) -> dict[str, str]:
    """Files with one crash each, and the node id of the test that is to blame."""
    return {
        f"test_{way}_{phase}.py": f"{SUITE}\nPHASE = {phase!r}\ndef die(): {code}\n"
        for way, (code, _) in ways.items()
        for phase in PHASES
    }


def test_workers_that_die_are_replaced(suite: Project) -> None:
    """Every way and phase in one run; all other tests run.

    One worker at a time: where two die at once, xdist may send tests to the one that it
    does not know to be dead yet, which is an internal error of its.
    """
    files = crashing(WAYS)
    for file, text in files.items():
        suite.write(file, text)
    outcome = suite.run("pytest", "--sinks", "collector", "-n1", "--max-worker-restart=99")
    assert outcome.code == 1, outcome
    events = collecting.events(suite)
    collecting.check_whole(events)
    collecting.check_collection(events)
    assert not collecting.of_kind(events, "not-run")
    assert events[-1].body == {"exitstatus": 1, "reason": None}
    attempts = collecting.attempts(events)
    crashed = [attempt for attempt in attempts if attempt.verdict == "crashed"]
    assert Counter(each.nodeid for each in crashed) == Counter(f"{f}::test_dies" for f in files)
    others = Counter(name(each.nodeid) for each in attempts if each.verdict != "crashed")
    names = ("test_before", "test_fails_before", "test_after", "test_after_that")
    assert others == Counter(dict.fromkeys(names, len(files)))
    # Each was the last of its worker, and its worker's end was told after it.
    lost = {event.body[0]: event for event in events if event.kind == "worker-lost"}
    assert set(lost) == {attempt.worker for attempt in crashed}
    assert {event.body[1] for event in lost.values()} == {"Not properly terminated"}
    for attempt in crashed:
        *told, last = attempt.phases
        at_end = "_teardown" in attempt.nodeid
        assert [each["phase"] for each in told] == (["setup", "call"] if at_end else [])
        assert last["failure"]["kind"] == "WorkerCrash"
        assert last["failure"]["message"].startswith(f"worker '{attempt.worker}' crashed while")
        assert (last["phase"], last["outcome"]) == ("call", "failed")
        of_worker = [event for event in events if event.worker == attempt.worker]
        assert of_worker[-1].kind == "test-finished"
        assert of_worker[-1].test == (attempt.nodeid, attempt.number)


@pytest.mark.parametrize("command", [("pytest", "--sinks", "collector"), ("host", "run", "--")])
def test_a_worker_that_is_not_replaced(suite: Project, command: tuple[str, ...]) -> None:
    """One worker, and none after it: what it did not run is told, with xdist's reason."""
    write_suite(suite, WAYS["kill"][0], "call")
    outcome = suite.run(*command, "-n1", "--max-worker-restart=0")
    check_not_replaced(outcome, collecting.events(suite))


def check_not_replaced(outcome: Outcome, events: list[Event]) -> None:
    assert outcome.code in (1, 2), outcome
    collecting.check_whole(events)
    attempts = {name(each.nodeid): each.verdict for each in collecting.attempts(events)}
    assert attempts == {
        "test_before": "passed",
        "test_fails_before": "failed",
        "test_dies": "crashed",
    }
    not_run = dict(collecting.of_kind(events, "not-run"))
    assert {name(nodeid) for nodeid in not_run} == {"test_after", "test_after_that"}
    assert set(not_run.values()) == {events[-1].body["reason"]}
    assert events[-1].body["reason"].endswith("crashed and worker restarting disabled")
    assert events[-1].body["exitstatus"] == outcome.code
    assert collecting.of_kind(events, "worker-lost") == [["gw0", "Not properly terminated"]]


def test_a_worker_killed_from_outside(suite: Project) -> None:
    suite.write("test_c.py", WAITS)
    running = suite.start("pytest", "--sinks", "collector", "-n1", "--max-worker-restart=1")
    suite.wait_for("midway")
    os.kill(int((suite.folder / "midway").read_text()), signal.SIGKILL)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    events = collecting.events(suite)
    collecting.check_whole(events)
    verdicts = Counter(attempt.verdict for attempt in collecting.attempts(events))
    assert verdicts == Counter(passed=3, failed=1, crashed=1)
    assert len(collecting.of_kind(events, "worker-lost")) == 1


def test_the_controller_killed_from_outside(suite: Project) -> None:
    """Its workers die with it, or go on in vain: their tests are told, and the run ends."""
    suite.write("test_c.py", WAITS.replace("wait('never')", "wait('go')"))
    running = suite.start("pytest", "--sinks", "collector", "-n1")
    suite.wait_for("midway")
    os.kill(running.pid, signal.SIGKILL)
    (suite.folder / "go").touch()
    outcome = running.finish()
    assert outcome.code == -signal.SIGKILL
    events = collecting.events(suite)
    collecting.check_whole(events)
    assert events[-1].body == {"exitstatus": None, "reason": "aborted"}
    verdicts = {name(each.nodeid): each.verdict for each in collecting.attempts(events)}
    assert (verdicts["test_before"], verdicts["test_fails_before"]) == ("passed", "failed")
    assert verdicts["test_dies"] in ("passed", "crashed")
