"""What a terminal sends: Ctrl-C reaches pytest alone, and the summary is printed all the same."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import pytest

from support.project import Project
from support.terminal import Terminal

SUITE = """
import time
from pathlib import Path

def test_a():
    pass

def test_b():
    Path("midway").touch()
    time.sleep(60)

def test_c():
    pass
"""


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_slow.py", SUITE)
    return project


def results(text: str) -> Counter[str]:
    return Counter(line.split()[1] for line in text.splitlines() if line.startswith("host: "))


def test_ctrl_c(suite: Project) -> None:
    receiver = suite.receiver()
    terminal = Terminal(
        suite, "host", "run", "--sinks", "publish", f"--set=publish.url={receiver.url}"
    )
    suite.wait_for("midway")
    terminal.type(b"\x03")
    code, said = terminal.finish()
    assert code == 2, said
    assert "KeyboardInterrupt" in said
    assert "1 passed" in said
    assert "host: publish  " in said
    assert " left" not in said
    assert [result["nodeid"] for result in receiver.results()] == ["test_slow.py::test_a"]
    suite.wait_for_cores()


def test_ctrl_c_under_pytest_alone(suite: Project) -> None:
    terminal = Terminal(suite, "pytest", "--pubdir", "results")
    suite.wait_for("midway")
    terminal.type(b"\x03")
    code, said = terminal.finish()
    assert code == 2, said
    assert (suite.folder / "results" / "test_a" / "0.pass" / "result.json").is_file()
    suite.wait_for_cores()


def test_ctrl_c_with_workers(suite: Project) -> None:
    """pytest ends with 2, and what was done is delivered."""
    receiver = suite.receiver()
    terminal = Terminal(
        suite,
        *("host", "run", "--sinks", "publish", f"--set=publish.url={receiver.url}", "--", "-n2"),
    )
    suite.wait_for("midway")
    terminal.type(b"\x03")
    code, said = terminal.finish()
    assert code == 2, said
    assert {result["result"] for result in receiver.results()} <= {"pass"}
    suite.wait_for_cores()


def test_ctrl_c_while_delivering(suite: Project) -> None:
    """The second key leaves the rest for later."""
    suite.write("test_slow.py", "def test_a(): pass\n")
    receiver = suite.receiver("--status", "503")
    terminal = Terminal(
        suite, "host", "run", "--sinks", "publish", f"--set=publish.url={receiver.url}"
    )
    terminal.wait_for(" events")
    started = time.monotonic()
    terminal.type(b"\x03")
    code, said = terminal.finish()
    assert code == 0, said
    assert "goes out with: host drain" in said
    assert time.monotonic() - started < 20, "30 s are the time that it would have tried"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_to_host_run_alone_are_passed_on(suite: Project, name: str) -> None:
    number = signal.Signals[name]
    running = suite.start("host", "run", "--sinks", "pubdir", "--set=pubdir.dir=results")
    suite.wait_for("midway")
    os.kill(running.pid, number)
    outcome = running.finish()
    assert outcome.code == 128 + number, outcome
    assert "host: pubdir" in outcome.stderr
    assert (suite.folder / "results" / "test_a" / "0.pass" / "result.json").is_file()
    suite.wait_for_cores()
