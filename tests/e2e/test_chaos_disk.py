"""Disks that are full, cannot be written to, or have long paths: runs go on as ever, and what was
kept is delivered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import delivered, disk
from support.printed import without_times
from support.project import Project, read_results

TESTS = 300
ALL = delivered.nodeids(TESTS)

#: Each test says as much as the disk has room for a few hundred times.
SUITE = delivered.suite(TESTS) + "\n\nTEXT = 'x' * 20_000\n"

SIZE = 3 << 20

QUIET = ("-q", "--tb=no", "-p", "no:cacheprovider")


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE.replace("print('said by', n)", "print(n, TEXT)"))
    return project


@pytest.fixture
def full(suite: Project) -> Iterator[disk.Full]:
    """Where runs are kept."""
    made = disk.Full(suite.folder / ".pytest_host", SIZE)
    yield made
    suite.end()
    made.end()


def named(folder: Path) -> list[str]:
    return [str(result["nodeid"]) for result in read_results(folder)]


def test_full(suite: Project, full: disk.Full, capsys: pytest.CaptureFixture[str]) -> None:
    """What does not fit is counted and told; what does is delivered once there is room."""
    plain = suite.run("pytest", *QUIET)
    args = ("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results", "--drain-timeout=1s")
    with full.in_force():
        outcome = suite.run(*args, "--", *QUIET)
    assert outcome.code == plain.code == 1, outcome
    assert without_times(outcome.stdout) == without_times(plain.stdout)
    if full.is_mounted:
        assert re.search(r"pytest-host: .*\d+ events .*could not be kept", outcome.stdout), outcome
    before = named(suite.folder / "results")
    assert 0 < len(before) < TESTS
    full.make_room()
    drained = suite.run("host", "drain")
    assert drained.code == 0, drained
    after = named(suite.folder / "results")
    # All that was kept, each once and up to where the disk was full.
    assert len(after) >= len(before) if full.is_mounted else len(after) == TESTS
    assert Counter(after) == Counter(delivered.nodeids(len(after)))
    assert suite.run("host", "drain").stdout == "nothing is left to deliver\n"
    with capsys.disabled():
        print(f"\n{'tmpfs' if full.is_mounted else 'limit'}: {len(before)} of {TESTS} delivered")
        print(f"on a full disk, {len(after)} once there was room, none twice")


def test_a_checkout_that_cannot_be_written_to(
    suite: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Runs are kept in a folder of the user's."""
    results = tmp_path_factory.mktemp("results")
    args = ("host", "run", "--sinks=pubdir", f"--set=pubdir.dir={results}", "--", *QUIET)
    with disk.read_only(suite.folder):
        plain = suite.run("pytest", *QUIET)
        outcome = suite.run(*args)
        assert suite.run("host", "drain").stdout == "nothing is left to deliver\n"
    assert outcome.code == plain.code == 1, outcome
    assert without_times(outcome.stdout) == without_times(plain.stdout)
    assert outcome.stderr == f"host: pubdir  {5 * TESTS + 4} events delivered\n"
    assert set(named(results)) == ALL
    assert not (suite.folder / ".pytest_host").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results", "--"),
        ("pytest", "--pubdir", "results"),
    ],
)
def test_a_long_path(suite: Project, command: tuple[str, ...]) -> None:
    """Longer than the path of a socket may be."""
    folder = suite.folder / ("d" * 200)
    folder.mkdir()
    (suite.folder / "test_n.py").rename(folder / "test_n.py")
    outcome = suite.run(*command, *QUIET, folder=folder)
    assert outcome.code == 1, outcome
    assert len(str(folder / ".pytest_host")) > 200
    assert (folder / ".pytest_host" / "runs").is_dir()
    assert Counter(named(folder / "results")) == Counter(ALL)
