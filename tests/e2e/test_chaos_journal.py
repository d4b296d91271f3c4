"""Journals that are damaged, newer, or wanted by several at once: it is told, and others go on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import delivered
from support.processes import Outcome
from support.project import MakeProject, Project, read_results
from support.receiving import Receiver
from support.waiting import HELPERS

TESTS = 200
SEED = 20261121

#: `host drain`, and no more patience than these few events take.
DRAIN = ("host", "drain", "--timeout=20s")


@dataclass(frozen=True)
class Kept:
    """Two runs of which `publish` has nothing, the first one to be broken."""

    project: Project
    port: int
    #: As the runs were left.
    copy: Path
    broken: str
    whole: str

    def journal(self, suffix: str = "") -> Path:
        runs = self.project.folder / ".pytest_host" / "runs"
        return runs / self.broken / f"journal.db{suffix}"

    def restore(self) -> None:
        folder = self.project.folder / ".pytest_host"
        shutil.rmtree(folder)
        shutil.copytree(self.copy, folder)

    def drain(self) -> tuple[Outcome, dict[str, Counter[str]]]:
        """What came of it, and the tests that were delivered of each run."""
        receiver = self.project.receiver(port=self.port)
        outcome = self.project.run(*DRAIN)
        receiver.end()
        return outcome, by_run(receiver)


def by_run(receiver: Receiver) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for request in delivered.once(receiver.requests()):
        run = request.key.rpartition("-")[0]
        found.setdefault(run, Counter())[request.json["nodeid"]] += 1
    return found


@pytest.fixture(scope="module")
def kept(make_project: MakeProject) -> Iterator[Kept]:
    project = make_project()
    project.write("test_n.py", delivered.suite(TESTS))
    receiver = project.receiver("--status", "503")
    url = f"--set=publish.url={receiver.url}"
    for _ in range(2):
        args = ("--sinks=publish", url, "--drain-timeout=0s")
        outcome = project.run("host", "run", *args)
        assert outcome.code == 1, outcome
    receiver.end()
    folder = project.folder / ".pytest_host"
    runs = sorted(path.name for path in (folder / "runs").iterdir())
    copy = project.folder / "kept"
    shutil.copytree(folder, copy)
    yield Kept(project, receiver.port, copy, *runs)
    project.end()


def damage(path: Path, rng: random.Random) -> str:
    """Cut anywhere, or overwritten at some places; says how."""
    content = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        size = rng.randrange(len(content))
        path.write_bytes(content[:size])
        return f"cut after {size} bytes"
    places = rng.choice([1, 10, 100])
    for _ in range(places):
        at = rng.randrange(len(content) - 16)
        content[at : at + 16] = rng.randbytes(16)
    path.write_bytes(content)
    return f"overwritten at {places} places"


@pytest.mark.parametrize("checkpointed", [False, True], ids=["log", "database"])
def test_damaged(kept: Kept, checkpointed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the run with the damage, what can be read is delivered or left where it is, and it is
    told; the other one is delivered.
    """
    told: Counter[str] = Counter()
    for number in range(12):
        rng = random.Random(f"{SEED} {checkpointed} {number}")
        kept.restore()
        if checkpointed:
            # All in one file, as it is once its last owner closed it.
            with sqlite3.connect(kept.journal()) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            kept.journal("-wal").unlink(missing_ok=True)
        path = kept.journal("" if checkpointed else "-wal")
        how = damage(path, rng)
        outcome, found = kept.drain()
        where = f"{how}: {outcome}"
        assert "panicked" not in outcome.stderr, where
        assert found[kept.whole] == Counter(delivered.nodeids(TESTS)), where
        got = found.get(kept.broken, Counter())
        assert set(got) <= delivered.nodeids(TESTS), where
        assert max(got.values(), default=1) == 1, where
        if got.total() == TESTS:
            told["delivered whole"] += 1
            continue
        says = outcome.stdout + outcome.stderr
        if "journal" in says or "lost" in says or "left" in says:
            told["told"] += 1
        else:
            # A file that ends early at the right place is a file that was written so.
            assert how.startswith("cut"), where
            assert not got, where
            told["gone without a trace"] += 1
    with capsys.disabled():
        print(f"\n{'database' if checkpointed else 'log'} damaged: {dict(told)}")


def test_what_cannot_be_opened_is_left_as_it_is(kept: Kept) -> None:
    kept.restore()
    kept.journal("-wal").unlink()
    kept.journal("-shm").unlink(missing_ok=True)
    content = random.Random(SEED).randbytes(20_000)
    kept.journal().write_bytes(content)
    outcome, found = kept.drain()
    assert outcome.code == 1, outcome
    assert f"run {kept.broken}\nhost: the journal cannot be used: file is not a database" in (
        outcome.stdout
    )
    assert set(found) == {kept.whole}
    assert kept.journal().read_bytes() == content


def test_a_newer_one(kept: Kept) -> None:
    kept.restore()
    with sqlite3.connect(kept.journal()) as connection:
        (known,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    outcome, found = kept.drain()
    assert outcome.code == 1, outcome
    says = f"run {kept.broken}\nhost: the journal has format 99; this host knows up to "
    assert says in outcome.stdout, outcome
    assert set(found) == {kept.whole}
    with sqlite3.connect(kept.journal()) as connection:
        connection.execute(f"PRAGMA user_version = {known}")
    connection.close()
    outcome, found = kept.drain()
    assert outcome.code == 0, outcome
    assert found == {kept.broken: Counter(delivered.nodeids(TESTS))}


def test_several_drains_at_once(kept: Kept) -> None:
    """Each run has one owner: nothing is delivered twice."""
    kept.restore()
    receiver = kept.project.receiver("--delay", "0.05", port=kept.port)
    drains = [kept.project.start(*DRAIN) for _ in range(4)]
    for drain in drains:
        outcome = drain.finish()
        assert outcome.code in (0, 1), outcome
        assert "panicked" not in outcome.stderr, outcome
    every = Counter(delivered.nodeids(TESTS))
    assert by_run(receiver) == {kept.broken: every, kept.whole: every}
    assert delivered.taken(receiver.requests()) == 2 * TESTS
    receiver.end()


@pytest.mark.parametrize("runs", [2, 10])
def test_several_runs_at_once_in_one_folder(project: Project, runs: int) -> None:
    """Each is told whole, by a core of its own."""
    for number in range(runs):
        project.write(f"test_{number}.py", delivered.suite(20))
    receiver = project.receiver()
    sets = [f"--sinks-set={text}" for text in (f"publish.url={receiver.url}", "pubdir.dir=results")]
    begun = [
        project.start("pytest", "-q", f"test_{number}.py", "--sinks=publish,pubdir", *sets)
        for number in range(runs)
    ]
    for running in begun:
        outcome = running.finish()
        assert outcome.code == 0, outcome
        assert "20 passed" in outcome.stdout, outcome
    project.wait_for_cores()
    every = {name for n in range(runs) for name in delivered.nodeids(20, f"test_{n}.py")}
    assert {len(found) for found in by_run(receiver).values()} == {20}
    assert Counter(each.json["nodeid"] for each in receiver.requests()) == Counter(every)
    results = read_results(project.folder / "results")
    assert Counter(result["nodeid"] for result in results) == Counter(every)
    assert len(list((project.folder / ".pytest_host" / "runs").iterdir())) == runs


WAITS = f"""
{HELPERS}

@pytest.mark.parametrize("n", range({TESTS}))
def test_n(n):
    print("said by", n)
    if n == 50:
        announce("midway")
        wait("go")
"""


def test_a_core_that_is_stopped_keeps_its_run(project: Project) -> None:
    """Nobody takes a run from an owner that does not answer; once that is gone, somebody does."""
    project.write("test_n.py", WAITS)
    receiver = project.receiver()
    running = project.start("host", "run", "--sinks=publish", f"--set=publish.url={receiver.url}")
    project.wait_for("midway")
    core = project.core()
    os.kill(core, signal.SIGSTOP)
    (run,) = (project.folder / ".pytest_host" / "runs").iterdir()
    refused = project.run(*DRAIN, run.name)
    assert refused.code == 1, refused
    assert "a core is at work on it" in refused.stdout
    (project.folder / "go").touch()
    os.kill(core, signal.SIGKILL)
    outcome = running.finish()
    assert outcome.code == 0, outcome
    drained = project.run(*DRAIN)
    assert drained.code == 0, drained
    assert by_run(receiver) == {run.name: Counter(delivered.nodeids(TESTS))}
