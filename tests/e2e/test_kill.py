"""The core killed in the middle of a run: pytest does not notice, and a drain delivers the rest."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from support import delivered
from support.polling import until
from support.printed import without_times
from support.project import Project, read_results

SUITE = """
import time
from pathlib import Path
import pytest

def wait(name):
    end = time.monotonic() + 60
    while not Path(name).exists():
        assert time.monotonic() < end
        time.sleep(0.01)

@pytest.mark.parametrize("n", range(60))
def test_n(n):
    if n == 30:
        Path("midway").touch()
        wait("go")
    print("said by", n)
    assert n != 50
"""

TESTS = {f"test_n.py::test_n[{n}]" for n in range(60)}


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    return project


@pytest.fixture
def plain(suite: Project) -> list[str]:
    """What pytest prints by itself."""
    (suite.folder / "go").touch()
    outcome = suite.run("pytest")
    (suite.folder / "go").unlink()
    (suite.folder / "midway").unlink()
    assert outcome.code == 1
    return without_times(outcome.stdout)


def kill_midway(suite: Project) -> None:
    suite.wait_for("midway")
    os.kill(suite.core(), signal.SIGKILL)
    suite.wait_for_cores()
    (suite.folder / "go").touch()


def test_under_host_run(suite: Project, plain: list[str]) -> None:
    receiver = suite.receiver()
    sets = (f"--set=publish.url={receiver.url}", "--set=pubdir.dir=results")
    running = suite.start("host", "run", "--sinks", "publish,pubdir", *sets)
    kill_midway(suite)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    assert without_times(outcome.stdout) == plain
    assert outcome.stderr == (
        "host: the core ended before the run did; what it has not delivered is kept, and goes out"
        " with: host drain\n"
    )
    before = len(receiver.results())
    assert before < len(TESTS)
    drained = suite.run("host", "drain")
    assert drained.code == 0, drained
    assert Counter(result["nodeid"] for result in receiver.results()) == Counter(TESTS)
    delivered.check_folder(suite, TESTS)


def test_under_pytest(suite: Project, plain: list[str]) -> None:
    running = suite.start("pytest", "--pubdir", "results")
    kill_midway(suite)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    assert without_times(outcome.stdout) == plain
    assert "pytest-host: " in outcome.stdout
    drained = suite.run("host", "drain")
    assert drained.code == 0, drained
    delivered.check_folder(suite, TESTS)


def test_pytest_itself_killed(suite: Project) -> None:
    """What ran before is delivered; the exit code is the signal's."""
    receiver = suite.receiver()
    running = suite.start(
        *("host", "run", "--sinks", "publish", f"--set=publish.url={receiver.url}"),
    )
    suite.wait_for("midway")
    os.kill(suite.pytest_of(running.pid), signal.SIGKILL)
    outcome = running.finish()
    assert outcome.code == 128 + signal.SIGKILL, outcome
    early = {f"test_n.py::test_n[{n}]" for n in range(30)}
    assert Counter(result["nodeid"] for result in receiver.results()) == Counter(early)
    assert "host: publish " in outcome.stderr


def test_host_run_itself_killed(suite: Project, plain: list[str]) -> None:
    """Its core goes on with pytest, which becomes an orphan."""
    receiver = suite.receiver()
    running = suite.start(
        *("host", "run", "--sinks", "publish,pubdir", f"--set=publish.url={receiver.url}"),
        "--set=pubdir.dir=results",
    )
    suite.wait_for("midway")
    os.kill(running.pid, signal.SIGKILL)
    (suite.folder / "go").touch()
    suite.wait_for_cores()
    assert Counter(result["nodeid"] for result in receiver.results()) == Counter(TESTS)
    delivered.check_folder(suite, TESTS)
    running.finish()


def test_while_sinks_are_loaded(suite: Project) -> None:
    """pytest was welcomed, and no sink has begun: a drain knows which they were to be."""
    (suite.folder / "go").touch()
    # So that they have to be compiled.
    suite.environ["XDG_CACHE_HOME"] = str(suite.folder / "cache")
    running = suite.start("pytest", "--pubdir", "results")
    runs = suite.folder / ".pytest_host" / "runs"
    until("pytest to be welcomed", lambda: list(runs.glob("*/segments/main-*.seg")))
    os.kill(suite.core(), signal.SIGKILL)
    assert running.finish().code == 1
    drained = suite.run("host", "drain")
    assert drained.code == 0, drained
    assert Counter(r["nodeid"] for r in read_results(suite.folder / "results")) == Counter(TESTS)
