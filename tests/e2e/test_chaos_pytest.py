"""pytest or one of its workers killed at any moment: what ran is told, and the rest is named."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from support import collecting
from support.polling import until
from support.project import Project

SEED = 20261121
TESTS = 400

#: Each test says that it runs, where a kill does not undo it.
SUITE = f"""
import os
from pathlib import Path
import pytest

LOG = os.open(Path(__file__).with_name("ran"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

@pytest.mark.parametrize("n", range({TESTS}))
def test_n(n):
    os.write(LOG, f"{{os.getpid()}} {{n}}\\n".encode())
    print("said by", n)
    assert n % 10 != 5
"""


def ran(project: Project) -> dict[int, list[str]]:
    """The node ids that each process came to, in order."""
    log = project.folder / "ran"
    found: dict[int, list[str]] = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        pid, n = line.split()
        found.setdefault(int(pid), []).append(f"test_n.py::test_n[{n}]")
    return found


def wait_for(project: Project, tests: int) -> None:
    until(f"{tests} tests", lambda: sum(map(len, ran(project).values())) >= tests)


@pytest.fixture
def suite(project: Project) -> Project:
    collecting.configure(project)
    project.write("test_n.py", SUITE)
    return project


@pytest.mark.parametrize("moment", range(3))
def test_pytest(suite: Project, moment: int) -> None:
    rng = random.Random(SEED + moment)
    running = suite.start("pytest", "-q", "--sinks", "collector")
    wait_for(suite, rng.randrange(1, TESTS // 2))
    time.sleep(rng.random() / 20)
    os.kill(running.pid, signal.SIGKILL)
    assert running.finish().code in (-signal.SIGKILL, 1)
    (begun,) = ran(suite).values()
    events = collecting.events(suite)
    collecting.check_whole(events)
    verdicts = {each.nodeid: each.verdict for each in collecting.attempts(events)}
    for nodeid in begun[:-1]:
        expected = "failed" if nodeid.endswith("5]") else "passed"
        assert verdicts.pop(nodeid) == expected, nodeid
    # The one that ran, or one that had begun and was not yet at its first line.
    assert len(verdicts) <= 2
    assert set(verdicts.values()) <= {"passed", "failed", "crashed"}
    not_run = dict(collecting.of_kind(events, "not-run"))
    assert len(not_run) == TESTS - len(begun[:-1]) - len(verdicts)
    if len(begun) < TESTS:
        assert events[-1].body == {"exitstatus": None, "reason": "aborted"}
        assert set(not_run.values()) <= {"aborted"}


@pytest.mark.parametrize("moment", range(2))
def test_a_worker(suite: Project, moment: int) -> None:
    """Another one takes its place, and every test is accounted for."""
    rng = random.Random(SEED + moment)
    running = suite.start("pytest", "-q", "-n2", "--max-worker-restart=4", "--sinks", "collector")
    wait_for(suite, rng.randrange(2, TESTS // 2))
    victim = rng.choice(sorted(ran(suite)))
    os.kill(victim, signal.SIGKILL)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    events = collecting.events(suite)
    collecting.check_whole(events)
    assert not collecting.of_kind(events, "not-run"), outcome
    assert len(collecting.of_kind(events, "worker-lost")) == 1
    attempts = collecting.attempts(events)
    crashed = [each for each in attempts if each.verdict == "crashed"]
    assert len(crashed) == 1, outcome
    ended = {(each.nodeid, each.worker) for each in attempts if each.verdict != "crashed"}
    for nodeid in ran(suite)[victim][:-1]:
        assert (nodeid, crashed[0].worker) in ended, nodeid
