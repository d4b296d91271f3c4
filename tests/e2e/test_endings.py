"""How a session may end: what did not run, and why; what it was interrupted by; its exit status."""

from __future__ import annotations

import os
import signal

import pytest

from support import collecting
from support.project import MakeProject, Project
from support.waiting import HELPERS

ENDINGS = """
import pytest

def test_a(): pass
def test_b(request): {body}
def test_c(): pass
"""

#: What the second of three tests does, with which arguments; what pytest ends with; the reason
#: that is told for the third, and for the session; what the run was interrupted by, and the
#: second test's verdict.
REASONS = {
    "exitfirst": ("assert 0", ("-x",), 1, "maxfail", None, "failed"),
    "maxfail": ("assert 0", ("--maxfail=1",), 1, "maxfail", None, "failed"),
    "interrupt": (
        *("raise KeyboardInterrupt", (), 2, "interrupted", "KeyboardInterrupt", "interrupted"),
    ),
    "exit": ("pytest.exit('enough', 9)", (), 9, "exit: enough", "exit: enough", "interrupted"),
    "stop": ("request.session.shouldstop = 'had it'", (), 2, "had it", "had it", "passed"),
}


@pytest.mark.parametrize("name", REASONS)
def test_not_run(project: Project, name: str) -> None:
    body, args, code, reason, interruption, verdict = REASONS[name]
    collecting.configure(project)
    project.write("test_e.py", ENDINGS.format(body=body))
    outcome = project.run("pytest", "--sinks", "collector", *args)
    assert outcome.code == code, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    assert collecting.of_kind(events, "not-run") == [["test_e.py::test_c", reason]]
    assert collecting.of_kind(events, "interrupted") == [interruption] * bool(interruption)
    assert events[-1].body == {"exitstatus": code, "reason": reason}
    attempts = collecting.attempts(events)
    assert [attempt.verdict for attempt in attempts] == ["passed", verdict]


@pytest.mark.parametrize("name", ["exitfirst", "maxfail"])
def test_not_run_by_workers(project: Project, name: str) -> None:
    """xdist has its own words for it, and its workers have queues."""
    collecting.configure(project)
    project.write("test_e.py", "def test_a(): assert 0\n" + "".join(
        f"def test_{n}(): pass\n" for n in range(50)
    ))  # fmt: skip
    outcome = project.run("pytest", "--sinks", "collector", "-n1", *REASONS[name][1])
    events = collecting.events(project)
    collecting.check_whole(events)
    reasons = {reason for _, reason in collecting.of_kind(events, "not-run")}
    assert reasons == {"maxfail"}
    assert events[-1].body == {"exitstatus": outcome.code, "reason": "maxfail"}


WAITS = f"""
{HELPERS}
def test_a(): pass
def test_b(): announce("midway"); wait("never")
def test_c(): pass
"""


@pytest.mark.parametrize("args", [(), ("-n1",)], ids=["alone", "xdist"])
def test_interrupted_by_a_signal(
    make_project: MakeProject, python: str, args: tuple[str, ...]
) -> None:
    """As Ctrl-C in a terminal: to all of pytest's processes."""
    project = make_project(python)
    collecting.configure(project)
    project.write("test_i.py", WAITS)
    running = project.start("pytest", "--sinks", "collector", *args)
    project.wait_for("midway")
    os.killpg(running.pid, signal.SIGINT)
    outcome = running.finish()
    assert outcome.code == 2, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    assert collecting.of_kind(events, "interrupted") == ["KeyboardInterrupt"]
    assert collecting.of_kind(events, "not-run") == [["test_i.py::test_c", "interrupted"]]
    assert events[-1].body == {"exitstatus": 2, "reason": "interrupted"}
    verdicts = [attempt.verdict for attempt in collecting.attempts(events)]
    assert verdicts == ["passed", "interrupted"]


#: Files, arguments, exit status and reason.
ENDS: dict[str, tuple[dict[str, str], tuple[str, ...], int, str | None]] = {
    "passed": ({"test_a.py": "def test_a(): pass"}, (), 0, None),
    "no-tests": ({}, (), 5, None),
    "usage": ({}, ("nosuch.py",), 4, "usage"),
    "collection-error": (
        {"test_a.py": "import nosuch"},
        (),
        2,
        "1 error during collection",
    ),
    "internal-error": (
        {
            "test_a.py": "def test_a(): pass",
            "conftest.py": "def pytest_runtest_logfinish(nodeid): 1 / 0",
        },
        (),
        3,
        "internal error",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_session_finished(project: Project, name: str) -> None:
    files, args, code, reason = ENDS[name]
    collecting.configure(project)
    for file, text in files.items():
        project.write(file, text)
    outcome = project.run("pytest", "--sinks", "collector", *args)
    assert outcome.code == code, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    assert events[-1].body == {"exitstatus": code, "reason": reason}
