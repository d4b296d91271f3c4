"""Pauses beside other plugins, and in tests of every kind."""

from __future__ import annotations

import re

import pytest

from support import collecting, kinds
from support.pausing import NO_HOST, Pauses
from support.polling import until
from support.project import Project

FLAKY = """
import pytest

@pytest.mark.flaky(reruns=2)
def test_f():
    assert 0
"""


@pytest.mark.difference("livepause-14")
@pytest.mark.parametrize("method", ["signal", "thread"])
@pytest.mark.parametrize("func_only", ["true", "false"])
def test_timeout_stands_still(project: Project, method: str, func_only: str) -> None:
    """Longer than the limit in a pause; afterwards what was left of it holds."""
    project.write(
        "test_x.py",
        f"""
import time
import pytest
from pytest_host import checkpoint

@pytest.mark.timeout(2, method="{method}", func_only={func_only.title()})
def test_a():
    checkpoint(task="x")

def test_b():
    pass

@pytest.mark.timeout(1, method="{method}", func_only={func_only.title()})
def test_c():
    assert checkpoint(task="x", timeout=0.1).outcome == "timed_out"
    time.sleep(60)
""",
    )
    pauses = Pauses(project, timeout=4)
    outcome = pauses.start("-v", environ={**NO_HOST, **kinds.plugins(project)}).finish()
    assert "test_x.py::test_a PASSED" in outcome.stdout, outcome
    assert "test_x.py::test_b PASSED" in outcome.stdout
    assert re.search(r"Timeout( \(>1\.0s\))?", outcome.stdout + outcome.stderr)
    assert "test_x.py::test_c PASSED" not in outcome.stdout
    assert outcome.seconds < 50


def test_faulthandler_stands_still(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\nfaulthandler_timeout = 1\n")
    project.write(
        "test_x.py",
        "import time\nfrom pytest_host import checkpoint\n"
        "def test_a():\n    checkpoint(task='x')\n"
        "def test_b():\n    checkpoint(task='x', timeout=0)\n    time.sleep(2)\n",
    )
    outcome = Pauses(project, timeout=3).start(on_failure=False, environ=NO_HOST).finish()
    assert outcome.code == 0, outcome
    # Of the one that sleeps after its pause, and of no other.
    assert outcome.stderr.count("Timeout (") == 1
    assert "in test_b" in outcome.stderr
    assert "in test_a" not in outcome.stderr


@pytest.mark.difference("livepause-13")
@pytest.mark.parametrize(("attempts", "count"), [((), 1), (("--pause-attempts", "all"), 3)])
def test_rerunfailures(project: Project, attempts: tuple[str, ...], count: int) -> None:
    project.write("test_x.py", FLAKY)
    collecting.configure(project)
    pauses = Pauses(project, timeout=0.1)
    outcome = pauses.start("--sinks", "collector", *attempts).finish()
    assert "1 failed, 2 rerun" in outcome.stdout, outcome
    assert len(pauses.records()) == count
    events = collecting.events(project)
    collecting.check_whole(events)
    assert len(collecting.of_kind(events, "pause-closed")) == count


KINDS = """
import unittest
import pytest
from pytest_host import checkpoint

@pytest.fixture
def fix():
    checkpoint(task="setup")
    yield
    checkpoint(task="teardown")

def test_fixture(fix): pass

class TestUnit(unittest.TestCase):
    def test_unit(self):
        checkpoint(task="unit")
        self.assertEqual(1, 2)

@pytest.mark.asyncio
async def test_async():
    checkpoint(task="async")
    assert 0

def test_subtests(subtests):
    with subtests.test("first"):
        assert 0
    with subtests.test("second"):
        checkpoint(task="subtest")

@pytest.mark.parametrize("word", ["::", "/", "[x]"])
def test_params(word):
    checkpoint(task=word)
"""


def test_kinds_of_tests(project: Project) -> None:
    """Each pauses once where it fails, and wherever it asks to; all are told."""
    project.write("test_x.py", KINDS)
    collecting.configure(project)
    pauses = Pauses(project, timeout=0.05)
    plugins = kinds.plugins(project)
    outcome = pauses.start("--sinks", "collector", environ=plugins).finish()
    assert outcome.code == 1, outcome
    inspect = "Inspect the failure and then resume the test."
    expected = [
        ("test_fixture", "setup"),
        ("test_fixture", "teardown"),
        ("TestUnit::test_unit", "unit"),
        ("TestUnit::test_unit", inspect),
        ("test_async", "async"),
        ("test_async", inspect),
        ("test_subtests", inspect),
        ("test_subtests", "subtest"),
        ("test_params[::]", "::"),
        ("test_params[/]", "/"),
        ("test_params[[x]]", "[x]"),
    ]
    found = [(kinds.name(record["nodeid"]), record["task"]) for record in pauses.records()]
    assert found == expected, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    opened = collecting.of_kind(events, "pause-opened")
    assert [(kinds.name(each["nodeid"]), each["task"]) for each in opened] == expected


def test_interrupted_controller_releases_its_workers(project: Project) -> None:
    """Ctrl-C that reaches the controller alone."""
    project.write("test_x.py", "def test_a(): assert 0\ndef test_b(): assert 0\n")
    pauses = Pauses(project)
    running = pauses.start("-n2")
    pauses.pending(2)
    running.interrupt()
    until("both to be over", lambda: not [r for r in pauses.records() if r["status"] == "pending"])
    assert running.finish().code == 2
    assert {record["status"] for record in pauses.records()} == {"abandoned"}
