"""The core killed at any moment: pytest does not notice, and a drain delivers the rest."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from support import delivered, variables
from support.polling import until
from support.printed import without_times
from support.processes import Outcome
from support.project import MakeProject, Project

TESTS = 2000

#: Of the moments, so that a failure can be looked at again.
SEED = 20261121


@pytest.fixture(scope="module")
def plain(make_project: MakeProject) -> Outcome:
    """pytest by itself."""
    project = make_project()
    project.write("test_n.py", delivered.suite(TESTS))
    outcome = project.run("pytest", "-q")
    assert outcome.code == 1, outcome
    return outcome


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", delivered.suite(TESTS))
    return project


#: What a call of a sink is given at the most; what one that was killed had sent is sent again.
#: A test has five events here: two tests of a batch may lie in another one too.
BATCH = 256 // 5 + 2

MOMENTS = int(variables.MOMENTS or 4)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_at_any_moment(
    suite: Project, plain: Outcome, moment: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """More moments than these: PYTEST_HOST_TEST_MOMENTS=20, with -s for the figures."""
    receiver = suite.receiver()
    # One in each part of the run, or most are somewhere in its middle.
    part = (moment + random.Random(SEED + moment).random()) / MOMENTS
    sets = [f"--set={text}" for text in delivered.sets(receiver)]
    running = suite.start("host", "run", "--sinks=publish,pubdir,rt", *sets, "--", "-q")
    core = suite.core()
    runs = suite.folder / ".pytest_host" / "runs"
    until("pytest to attach", lambda: list(runs.glob("*/journal.db-wal")))
    # What is to be random is the time of the kill.
    time.sleep(part * plain.seconds)
    os.kill(core, signal.SIGKILL)
    before = len(receiver.requests())
    outcome = running.finish()
    assert outcome.code == plain.code, outcome
    assert without_times(outcome.stdout) == without_times(plain.stdout)
    drained = suite.run("host", "drain", "--timeout=2min")
    assert drained.code == 0, drained
    twice = delivered.check(suite, receiver, delivered.nodeids(TESTS))
    # `rt` sends two messages a test.
    assert twice.publish <= BATCH
    assert twice.rt <= 2 * BATCH
    with capsys.disabled():
        print(
            f"\nkilled {part * plain.seconds:.2f} s into the run, after {before} posts:"
            f" none missing, {twice.publish} of publish and {twice.rt} of rt twice;"
            f" pytest took {outcome.seconds / plain.seconds:.2f} times as long as by itself,"
            f" the drain {drained.seconds:.1f} s"
        )
