"""`host runs`: what is kept of runs, moved between folders, and removed."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.polling import until
from support.processes import Outcome
from support.project import MakeProject, Project
from support.waiting import HELPERS

SUITE = (
    HELPERS
    + """
def test_passes():
    time.sleep(0.05)

def test_fails():
    assert 1 == 2, "\\x1b[31mred"

def test_held():
    announce("held")
    wait("go")

def test_after():
    pass
"""
)
#: A conftest that is loaded before pytest says hello, and waits until a folder is gone.
GONE = """
import time
from pathlib import Path
end = time.monotonic() + 30
while Path({!r}).exists():
    assert time.monotonic() < end
    time.sleep(0.01)
"""
RUN = ("host", "run", "--sinks", "pubdir", "--set", "pubdir.dir=results")
DAY = 24 * 3600
NEW = "2026-11-21T10-10-42-3f9a"


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_it.py", SUITE)
    return project


@pytest.fixture
def elsewhere(make_project: MakeProject) -> Project:
    return make_project()


def runs(project: Project, *args: str) -> list[dict[str, Any]]:
    outcome = project.run("host", "runs", "ls", "--json", *args)
    assert outcome.code == 0, outcome
    listed: list[dict[str, Any]] = json.loads(outcome.stdout)
    return listed


def names(project: Project) -> list[str]:
    """Oldest first."""
    return [run["run"] for run in reversed(runs(project))]


def show(project: Project, run: str = "last") -> dict[str, Any]:
    outcome = project.run("host", "runs", "show", run, "--json")
    assert outcome.code == 0, outcome
    shown: dict[str, Any] = json.loads(outcome.stdout)
    return shown


def go(project: Project) -> None:
    (project.folder / "go").touch()


def new_run(project: Project) -> str:
    """Of the suite, to its end."""
    go(project)
    known = names(project)
    outcome = project.run(*RUN)
    assert outcome.code == 1, outcome
    project.wait_for_cores()
    [new] = set(names(project)) - set(known)
    return new


def folder_of(project: Project, run: str) -> Path:
    return project.folder / ".pytest_host" / "runs" / run


def make_older(project: Project, run: str, days: float) -> None:
    """As if it had begun so many days before now, and all in it had happened then."""
    folder = folder_of(project, run)
    then = time.time() - days * DAY
    os.utime(folder / "lock", (then, then))
    with closing(sqlite3.connect(folder / "journal.db")) as journal, journal:
        journal.execute("UPDATE events SET time = ?, sum = NULL", (then,))


def prune(project: Project, *args: str, **environ: str) -> dict[str, Any]:
    outcome = project.run("host", "runs", "prune", "--json", *args, folder=None, **environ)
    assert outcome.code == 0, outcome
    pruned: dict[str, Any] = json.loads(outcome.stdout)
    return pruned


def removed(pruned: dict[str, Any]) -> list[tuple[str, str]]:
    return [(old["run"], old["limit"]) for old in pruned["removed"]]


def comparable(shown: dict[str, Any]) -> dict[str, Any]:
    """Without what is not part of an export."""
    return {key: value for key, value in shown.items() if key not in ("sinks", "bytes")}


def moved(project: Project, elsewhere: Project, run: str = "last") -> str:
    file = project.folder / "moved.tar.gz"
    outcome = project.run("host", "runs", "export", run, "-o", str(file))
    assert outcome.code == 0, outcome
    outcome = elsewhere.run("host", "runs", "import", str(file))
    assert outcome.code == 0, outcome
    return names(elsewhere)[-1]


def test_a_run_as_it_is_listed_and_shown(make_project: MakeProject, python: str) -> None:
    suite = make_project(python)
    suite.write("test_it.py", SUITE)
    go(suite)
    outcome = suite.run(*RUN, "--", "-x")
    assert outcome.code == 1, outcome
    suite.wait_for_cores()
    [listed] = runs(suite)
    assert (listed["state"], listed["exitstatus"], listed["not_run"]) == ("finished", 1, 2)
    assert listed["duration"] > 0.05
    assert (listed["counts"]["passed"], listed["counts"]["failed"]) == (1, 1)
    shown = show(suite, listed["run"])
    assert {key: shown[key] for key in listed if key in shown} == {
        key: listed[key] for key in listed if key in shown
    }
    assert shown["args"] == ["-x"]
    slowest = {test["nodeid"]: test["seconds"] for test in shown["slowest"]}
    assert list(slowest.values()) == sorted(slowest.values(), reverse=True)
    assert slowest["test_it.py::test_passes"] > 0.05
    assert [test["nodeid"] for test in shown["not_run_tests"]] == [
        "test_it.py::test_held",
        "test_it.py::test_after",
    ]
    table = suite.run("host", "runs", "ls").stdout.splitlines()
    assert len(table) == 2
    assert table[1].startswith(listed["run"])
    assert table[1].endswith("1 passed, 1 failed, 2 not run")
    text = suite.run("host", "runs", "show").stdout
    assert "FAILED test_it.py::test_fails - AssertionError: red" in text
    assert "\x1b" not in text
    assert "  2: maxfail\n      test_it.py::test_held\n" in text
    one = suite.run("host", "runs", "show", "--slowest", "1").stdout
    assert [name for name in slowest if name in one.partition("failures")[0]] == [
        shown["slowest"][0]["nodeid"]
    ]


def test_the_newest_come_first(suite: Project) -> None:
    made = [new_run(suite) for _ in range(3)]
    assert [run["run"] for run in runs(suite)] == sorted(made, reverse=True)
    assert [run["run"] for run in runs(suite, "--limit", "2")] == sorted(made, reverse=True)[:2]
    assert show(suite)["run"] == max(made)


def test_a_run_that_goes_on_is_shown_and_not_disturbed(suite: Project) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held")
    held = until("the held test to be seen", lambda: running_tests(suite))
    assert held == ["test_it.py::test_held"]
    [listed] = runs(suite)
    assert (listed["state"], listed["exitstatus"]) == ("running", None)
    text = suite.run("host", "runs", "show").stdout
    assert "running: 2 of 4 done: 1 passed, 1 failed" in text
    go(suite)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    suite.wait_for_cores()
    [listed] = runs(suite)
    assert (listed["state"], listed["counts"]["passed"]) == ("finished", 3)
    assert listed["sinks"][0]["left"] == 0


def running_tests(project: Project) -> list[str]:
    return [test["nodeid"] for test in show(project)["running"]]


def test_nothing_is_kept(suite: Project) -> None:
    assert runs(suite) == []
    outcome = suite.run("host", "runs", "ls")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("no run is kept for ")
    assert suite.run("host", "runs", "show").code == 2
    assert prune(suite) == {"removed": [], "kept": []}
    assert not (suite.folder / ".pytest_host").exists()


def test_an_unknown_run(suite: Project) -> None:
    last = new_run(suite)
    for command in ("show", "export"):
        outcome = suite.run("host", "runs", command, "2020")
        assert (outcome.code, outcome.stdout) == (2, "")
        assert outcome.stderr == f'host: no run is named "2020"; the last one is {last}\n'


def test_a_run_is_the_same_elsewhere(suite: Project, elsewhere: Project) -> None:
    run = new_run(suite)
    assert moved(suite, elsewhere) == run
    assert comparable(show(elsewhere, run)) == comparable(show(suite, run))
    assert show(elsewhere, run)["sinks"] == []
    assert "nothing is left to deliver" in elsewhere.run("host", "drain").stdout
    again = elsewhere.run("host", "runs", "import", str(suite.folder / "moved.tar.gz"))
    assert again.code == 2
    assert again.stderr.endswith(f"a run is named {run} already; take another name with --as\n")


def test_the_default_name_of_the_file(suite: Project) -> None:
    run = new_run(suite)
    outcome = suite.run("host", "runs", "export", "last")
    assert outcome.stdout.startswith(f"{run}.tar.gz: run {run}, ")
    assert (suite.folder / f"{run}.tar.gz").is_file()


def test_an_export_while_the_run_goes_on(suite: Project, elsewhere: Project) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held")
    until("the held test to be seen", lambda: running_tests(suite))
    part = moved(suite, elsewhere)
    go(suite)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    suite.wait_for_cores()
    assert show(suite)["counts"]["passed"] == 3
    shown = show(elsewhere, part)
    assert (shown["state"], shown["counts"]["passed"]) == ("lost", 1)
    assert [test["nodeid"] for test in shown["running"]] == ["test_it.py::test_held"]


def test_what_no_core_has_taken_in_comes_along(suite: Project, elsewhere: Project) -> None:
    """The core is killed, pytest goes on without: its segments are the only record."""
    running = suite.start(*RUN)
    suite.wait_for("held")
    until("the held test to be seen", lambda: running_tests(suite))
    os.kill(suite.core(), signal.SIGKILL)
    go(suite)
    running.finish()
    [listed] = runs(suite)
    assert (listed["state"], listed["counts"]["passed"]) == ("lost", 1)
    run = moved(suite, elsewhere)
    assert suite.run("host", "drain").code == 0
    assert elsewhere.run("host", "drain").code == 0
    here, there = show(suite, run), show(elsewhere, run)
    assert (there["state"], there["counts"]["passed"]) == ("finished", 3)
    assert there["end"]["exitstatus"] == here["end"]["exitstatus"] == 1
    assert {key: here[key] for key in ("counts", "failures", "slowest")} == {
        key: there[key] for key in ("counts", "failures", "slowest")
    }


def test_settings_of_sinks_stay_here(suite: Project) -> None:
    go(suite)
    receiver = suite.receiver("--status", "503")
    suite.configure(
        f'[sink.publish]\nurl = "{receiver.url}"\n'
        'headers.X-Team = "t3am"\nheaders.Authorization = "Bearer s3cr3t"\n'
    )
    suite.run("host", "run", "--sinks", "publish", "--drain-timeout=100ms")
    suite.wait_for_cores()
    files = list(folder_of(suite, names(suite)[-1]).glob("journal.db*"))
    assert any(b"t3am" in file.read_bytes() for file in files), "it is in the run itself"
    assert not any(b"s3cr3t" in file.read_bytes() for file in files), "secrets are nowhere"
    suite.run("host", "runs", "export", "last", "-o", "moved.tar.gz")
    content = gzip.decompress((suite.folder / "moved.tar.gz").read_bytes())
    assert b"journal.db" in content
    assert b"t3am" not in content
    assert b"s3cr3t" not in content
    assert receiver.url.encode() not in content


def refused(project: Project, file: Path) -> str:
    """An import that leaves nothing behind."""
    before = names(project)
    outcome: Outcome = project.run("host", "runs", "import", str(file), "--as", NEW)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome
    assert outcome.stderr.count("\n") == 1, outcome
    assert names(project) == before
    temporary = project.folder / ".pytest_host" / "temporary"
    assert list(temporary.iterdir()) == []
    return outcome.stderr.removeprefix(f"host: {file}: ").strip()


def test_a_file_that_was_damaged_on_its_way(suite: Project) -> None:
    new_run(suite)
    suite.run("host", "runs", "export", "last", "-o", "moved.tar.gz")
    whole = (suite.folder / "moved.tar.gz").read_bytes()
    file = suite.folder / "damaged.tar.gz"
    file.write_bytes(whole[: len(whole) // 2])
    assert refused(suite, file) == "damaged: it is cut off"
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0x40
    file.write_bytes(changed)
    assert refused(suite, file).startswith("damaged: ")
    file.write_bytes(b"no archive")
    assert refused(suite, file).startswith("not a run that was exported: ")
    assert suite.run("host", "runs", "import", "no/such/file").code == 1


@pytest.mark.parametrize("evil", ["traversal", "absolute", "symlink", "bomb", "escapes"])
def test_a_file_that_means_harm(suite: Project, evil: str) -> None:
    new_run(suite)
    suite.run("host", "runs", "export", "last", "-o", "moved.tar.gz")
    file = suite.folder / "evil.tar.gz"
    with (
        tarfile.open(suite.folder / "moved.tar.gz") as good,
        tarfile.open(file, "w:gz") as bad,
    ):
        members = {member.name: good.extractfile(member) for member in good}
        manifest = json.loads(members["manifest.json"].read())  # type: ignore[union-attr]
        journal = members["journal.db"].read()  # type: ignore[union-attr]
        name = {"traversal": "../../escaped", "absolute": str(suite.folder / "escaped")}.get(evil)
        info = tarfile.TarInfo(name or "journal.db")
        if evil == "symlink":
            info.type, info.linkname, journal = tarfile.SYMTYPE, "../../escaped", b""
        elif evil == "bomb":
            journal = bytes(64 << 20)
            manifest["members"][0]["size"] = len(journal) + (1 << 40)
        elif evil == "escapes":
            manifest |= {"format": 2, "host": "\x1b[31m9.9"}
        elif name:
            manifest["members"][0]["name"] = name
        text = json.dumps(manifest).encode()
        first = tarfile.TarInfo("manifest.json")
        first.size, info.size = len(text), len(journal)
        bad.addfile(first, io.BytesIO(text))
        bad.addfile(info, io.BytesIO(journal))
    why = refused(suite, file)
    expected = {
        "symlink": "is no plain file",
        "bomb": "more than 4.0 GiB",
        "escapes": "made by host 9.9, in format 2; this host knows up to 1",
    }
    assert expected.get(evil, "does not belong in it") in why
    assert not list(suite.folder.rglob("escaped"))


def test_old_runs_go_when_a_run_begins(suite: Project) -> None:
    old, young = new_run(suite), new_run(suite)
    make_older(suite, old, 31)
    make_older(suite, young, 29)
    newest = new_run(suite)
    until("the old run to go", lambda: not folder_of(suite, old).exists())
    assert sorted(names(suite)) == sorted([young, newest])
    log = (suite.folder / ".pytest_host" / "core.log").read_text()
    assert f"removed the old run {old}" in log


def test_more_runs_than_are_kept(suite: Project) -> None:
    made = [new_run(suite) for _ in range(4)]
    for age, run in enumerate(reversed(made)):
        make_older(suite, run, age)
    oldest = [(run, "runs") for run in made[:2]]
    assert removed(prune(suite, "--dry-run", PYTEST_HOST_KEEP__RUNS="2")) == oldest
    assert len(names(suite)) == 4
    assert removed(prune(suite)) == []
    suite.configure("[keep]\nruns = 2\n")
    outcome = suite.run("host", "runs", "prune")
    assert [line.split(",")[0] for line in outcome.stdout.splitlines()] == [
        *(f"removed {run}" for run in made[:2]),
        "removed 2 runs",
    ]
    assert sorted(names(suite)) == sorted(made[2:])


def test_larger_runs_than_are_kept(suite: Project) -> None:
    made = [new_run(suite) for _ in range(3)]
    for age, run in enumerate(reversed(made)):
        make_older(suite, run, age)
    size = sum(run["bytes"] for run in runs(suite))
    assert removed(prune(suite, PYTEST_HOST_KEEP__SIZE=str(size))) == []
    assert removed(prune(suite, PYTEST_HOST_KEEP__SIZE=str(size - 1))) == [(made[0], "size")]
    assert removed(prune(suite, PYTEST_HOST_KEEP__SIZE="1")) == [(made[1], "size")]
    assert names(suite) == [made[2]], "the newest stays"
    assert removed(prune(suite, PYTEST_HOST_KEEP__SIZE="0")) == []


def test_what_is_not_delivered_is_kept_until_it_is_too_old(suite: Project) -> None:
    go(suite)
    receiver = suite.receiver("--status", "503")
    suite.run(
        *("host", "run", "--sinks", "publish", f"--set=publish.url={receiver.url}"),
        "--drain-timeout=100ms",
    )
    suite.wait_for_cores()
    [left] = names(suite)
    make_older(suite, left, 20)
    new_run(suite)
    pruned = prune(suite, PYTEST_HOST_KEEP__RUNS="1")
    assert removed(pruned) == []
    assert [old["run"] for old in pruned["kept"]] == [left]
    assert pruned["kept"][0]["left"].startswith("publish: ")
    make_older(suite, left, 40)
    # Else the core may be at work on it, to deliver what is left.
    suite.write("conftest.py", GONE.format(str(folder_of(suite, left))))
    new_run(suite)
    log = (suite.folder / ".pytest_host" / "core.log").read_text()
    line = next(line for line in log.splitlines() if f"removed the run {left}" in line)
    assert "WARN" in line
    assert "of 40 days ago, which nobody has delivered: publish: " in line


def test_a_run_that_goes_on_is_never_removed(suite: Project) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held")
    until("the held test to be seen", lambda: running_tests(suite))
    assert removed(prune(suite, PYTEST_HOST_KEEP__AGE="1ms")) == []
    go(suite)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    suite.wait_for_cores()
    [run] = names(suite)
    assert show(suite)["counts"]["passed"] == 3
    assert removed(prune(suite, PYTEST_HOST_KEEP__AGE="1ms")) == [(run, "age")]
    assert names(suite) == []


def test_what_a_killed_process_was_removing_goes(suite: Project) -> None:
    new_run(suite)
    leftover = suite.folder / ".pytest_host" / "temporary" / "gone-1"
    leftover.mkdir()
    (leftover / "journal.db").write_text("half")
    run = new_run(suite)
    until("the leftover to go", lambda: not leftover.exists())
    assert run in names(suite)


def test_cores_that_prune_at_once(suite: Project) -> None:
    go(suite)
    for _ in range(3):
        new_run(suite)
    running = [suite.start(*RUN, PYTEST_HOST_KEEP__RUNS="1") for _ in range(3)]
    for one in running:
        outcome = one.finish()
        assert outcome.code == 1, outcome
    suite.wait_for_cores()
    prune(suite, PYTEST_HOST_KEEP__RUNS="1")
    [last] = runs(suite)
    assert (last["state"], last["counts"]["passed"]) == ("finished", 3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("keep.runs = -1", "keep.runs should be a number of runs, such as 100, or 0 for no limit"),
        ('keep.age = "soon"', 'keep.age should be a time, such as "30 days", or 0 for no limit'),
        ("keep.rnus = 1", 'unknown key "keep.rnus"; did you mean "runs"?'),
    ],
)
def test_what_is_to_be_kept_is_checked(suite: Project, text: str, problem: str) -> None:
    suite.configure(text + "\n")
    outcome = suite.run(*RUN)
    assert outcome.code == 2
    assert outcome.stderr == f"host: host.toml:1: {problem}\n"
