"""`host replay`: a recorded run through other sinks, as if it took place now."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from support import collecting, golden_rt
from support.guests import folder_of_guests
from support.journals import damage, has_started, journal_of, make_newer, runs
from support.polling import until
from support.processes import Outcome
from support.project import MakeProject, Project, read_tree
from support.receiving import Receiver
from support.waiting import HELPERS

SINKS = "publish,pubdir,rt,collector"


def settings(receiver: Receiver, prefix: str) -> list[str]:
    """Of all four sinks, in folders whose names begin with `prefix`."""
    sets = {
        "publish.url": f"{receiver.address}/publish",
        "rt.url": f"{receiver.address}/rt",
        "pubdir.dir": f"{prefix}-results",
        "collector.module": str(folder_of_guests() / "collector.wasm"),
        "collector.dir": f"{prefix}-collected",
        "collector.allow.write": f'["{prefix}-collected"]',
    }
    return [f"--set={key}={value}" for key, value in sets.items()]


def journal(project: Project) -> Path:
    """Of the one run that there is."""
    (run,) = runs(project)
    return journal_of(project, run)


def seen(project: Project, receiver: Receiver, prefix: str) -> dict[str, Any]:
    """All that the four sinks made of a run."""
    tree = read_tree(project.folder / f"{prefix}-results")
    return {
        "messages": {
            (request.path, request.key): (request.method, request.json)
            for request in receiver.requests()
        },
        "tree": {path: text.replace(f"{prefix}-", "") for path, text in tree.items()},
        "events": collecting.read(project.folder / f"{prefix}-collected" / "events.jsonl"),
    }


def test_every_sink_sees_what_it_saw(make_project: MakeProject, python: str) -> None:
    project = make_project(python)
    project.copy("main", "matrix")
    live, again = project.receiver(), project.receiver()
    outcome = project.run(
        *("host", "run", "--sinks", SINKS, *settings(live, "live")),
        *("--", "main", "matrix", "-n2", "-p", "no:cacheprovider"),
    )
    assert outcome.code == 1, outcome
    assert " left" not in outcome.stderr
    before = runs(project)
    replayed = project.run("host", "replay", "last", "--sinks", SINKS, *settings(again, "again"))
    assert replayed.code == 0, replayed
    expected, found = seen(project, live, "live"), seen(project, again, "again")
    assert found == expected
    collecting.check_whole(found["events"])
    assert len(found["events"]) > 100
    assert len(again.requests()) == len(found["messages"]), "each once"
    assert (
        len(
            golden_rt.jobs(
                message for (path, _), (_, message) in found["messages"].items() if path == "/rt"
            )
        )
        == 1
    )
    count = len(found["events"])
    assert replayed.stdout.splitlines() == [
        f"run {before[0]}",
        f"host: publish    {count} events delivered",
        f"host: pubdir     {count} events delivered",
        f"host: rt         {count} events delivered",
        f"host: collector  {count} events delivered",
    ]
    assert runs(project) == before, "it is no run of its own"
    assert project.run("host", "drain").stdout == "nothing is left to deliver\n"


@pytest.fixture
def recorded(project: Project) -> Project:
    """A short run, of one sink."""
    project.write("test_a.py", "def test_a(): pass\ndef test_b(): assert 0\n")
    outcome = project.run("host", "run", "--sinks", "pubdir", "--set=pubdir.dir=results")
    assert outcome.code == 1, outcome
    return project


def replay(project: Project, *args: str) -> Outcome:
    return project.run("host", "replay", *args)


def test_a_receiver_can_tell_that_it_has_a_result(recorded: Project) -> None:
    receiver = recorded.receiver()
    for _ in range(2):
        outcome = replay(recorded, "last", "--sinks=publish", f"--set=publish.url={receiver.url}")
        assert outcome.code == 0, outcome
    assert len(receiver.requests()) == 4
    assert len(receiver.results()) == 2, "by their keys"


def test_an_endpoint_that_is_dead(recorded: Project) -> None:
    """What is left is not kept: the run is."""
    before = runs(recorded)
    temporary = recorded.folder / "tmp"
    temporary.mkdir()
    receiver = recorded.receiver()
    receiver.end()
    args = ["last", "--sinks=publish,pubdir", f"--set=publish.url={receiver.url}"]
    args += ["--set=pubdir.dir=again", "--timeout=1s"]
    outcome = recorded.run("host", "replay", *args, TMPDIR=str(temporary))
    assert outcome.code == 1, outcome
    lines = outcome.stdout.splitlines()
    assert re.fullmatch(r"host: publish  \d+ events delivered, \d+ left \(.*refused.*\)", lines[1])
    assert re.fullmatch(r"host: pubdir   \d+ events delivered", lines[2])
    assert lines[3] == "host: what is left is not kept; the run is, and can be replayed again"
    assert list(temporary.iterdir()) == []
    assert runs(recorded) == before
    assert recorded.run("host", "drain").stdout == "nothing is left to deliver\n"
    again = recorded.receiver(port=receiver.port)
    assert replay(recorded, *args).code == 0
    assert len(again.results()) == 2


def test_json(recorded: Project) -> None:
    outcome = replay(recorded, "last", "--sinks=pubdir", "--set=pubdir.dir=again", "--json")
    found = json.loads(outcome.stdout)
    (sink,) = found.pop("sinks")
    assert found == {"run": runs(recorded)[0], "finished": True, "problem": None}
    count = sink["delivered"]
    assert count > 5
    rest = {"name": "pubdir", "set_aside": 0, "left": 0, "error": None}
    assert sink == {**rest, "delivered": count}


def test_the_sinks_of_the_file(recorded: Project) -> None:
    recorded.configure('sinks = ["pubdir"]\n[sink.pubdir]\ndir = "again"\n')
    assert replay(recorded, runs(recorded)[0]).code == 0
    assert len(read_tree(recorded.folder / "again")) == len(read_tree(recorded.folder / "results"))


WAITS = f"""
{HELPERS}

def test_a(): pass
def test_waits():
    announce("midway")
    wait("go")
def test_c(): pass
"""


def test_a_run_that_goes_on_is_not_disturbed(project: Project) -> None:
    """As far as it has come; then whole."""
    project.write("test_w.py", WAITS)
    live, again = project.receiver(), project.receiver()
    running = project.start("host", "run", "--sinks", SINKS, *settings(live, "live"))
    project.wait_for("midway")
    until(
        "the start of the test to be recorded", lambda: has_started(journal(project), "test_waits")
    )
    outcome = replay(project, "last", "--sinks", SINKS, *settings(again, "again"))
    assert outcome.code == 0, outcome
    assert "host: it is not finished; this is as far as it is recorded" in outcome.stdout
    kinds = [message.json["type"] for message in again.requests() if message.path == "/rt"]
    assert kinds[0] == "startTestRun"
    assert sorted(kinds[1:]) == ["startTestItem", "startTestItem", "stopTestItem"]
    (project.folder / "go").touch()
    assert running.finish().code == 0
    whole = project.receiver()
    outcome = replay(project, "last", "--sinks", SINKS, *settings(whole, "whole"))
    assert outcome.code == 0, outcome
    assert "not finished" not in outcome.stdout
    assert seen(project, whole, "whole") == seen(project, live, "live")


def test_a_run_that_was_lost(project: Project) -> None:
    project.write("test_w.py", WAITS)
    running = project.start("host", "run", "--sinks", "pubdir", "--set=pubdir.dir=results")
    project.wait_for("midway")
    until(
        "the start of the test to be recorded", lambda: has_started(journal(project), "test_waits")
    )
    pytest_pid = project.pytest_of(running.pid)
    os.kill(project.core(), signal.SIGKILL)
    os.kill(pytest_pid, signal.SIGKILL)
    running.finish()
    args = ("last", "--sinks=pubdir", "--set=pubdir.dir=again")
    outcome = replay(project, *args)
    assert outcome.code == 0, outcome
    assert "host: it is not finished" in outcome.stdout
    assert {path.partition("/")[0] for path in read_tree(project.folder / "again")} >= {"test_a"}
    assert project.run("host", "drain").code == 0
    outcome = replay(project, *args)
    assert "not finished" not in outcome.stdout


#: Seconds that the tests of a recording take.
LONG = 8

SLOW = f"""
import time
import pytest

@pytest.mark.parametrize("n", range({LONG}))
def test_n(n):
    time.sleep(1)
"""


@pytest.fixture(scope="module")
def slow(make_project: MakeProject) -> Project:
    project = make_project()
    project.write("test_s.py", SLOW)
    outcome = project.run("host", "run", "--sinks", "pubdir", "--set=pubdir.dir=results")
    assert outcome.code == 0, outcome
    return project


def test_all_at_once(slow: Project) -> None:
    outcome = replay(slow, "last", "--sinks=pubdir", "--set=pubdir.dir=at-once")
    assert outcome.code == 0, outcome
    assert outcome.seconds < LONG


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_speed(slow: Project, speed: float) -> None:
    """Results come apart as they did, and no earlier."""
    receiver = slow.receiver()
    outcome = replay(
        *(slow, "last", f"--speed={speed:g}"),
        *("--sinks=publish", f"--set=publish.url={receiver.url}"),
    )
    assert outcome.code == 0, outcome
    assert LONG / speed <= outcome.seconds < LONG / speed + 20
    assert len(receiver.results()) == LONG


def test_ctrl_c(slow: Project) -> None:
    """Ends it, and says how far it came."""
    receiver = slow.receiver()
    temporary = slow.folder / "tmp"
    temporary.mkdir()
    running = slow.start(
        *("host", "replay", "last", "--speed=0.01", "--json"),
        *("--sinks=publish", f"--set=publish.url={receiver.url}"),
        TMPDIR=str(temporary),
    )
    until("the replay to begin", lambda: list(temporary.glob("*/journal.db")))
    os.kill(running.pid, signal.SIGINT)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    (sink,) = json.loads(outcome.stdout)["sinks"]
    assert sink["left"] > LONG, "what was not played yet, too"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("2026-nowhere",), 'no run is named "2026-nowhere"; the last one is RUN'),
        (("last", "--sinks=pubdri"), '--sinks: no sink is named "pubdri"; did you mean "pubdir"?'),
        (("last", "--sinks=pubdir"), "pubdir.dir: "),
        (("last",), "no sinks are named: use --sinks"),
        (("last", "--sinks=pubdir", "--set=pubdir.dir=.pytest_host"), "cannot be granted"),
        (("last", "--sinks=pubdir", "--speed=0"), "should be a number above 0"),
        (("last", "--sinks=pubdir", "--speed=nan"), "should be a number above 0"),
        (("last", "--sinks=pubdir", "--timeout=x"), "--timeout"),
        ((), "<RUN>"),
    ],
)
def test_bad_input(recorded: Project, args: tuple[str, ...], says: str) -> None:
    outcome = replay(recorded, *args)
    assert outcome.code == 2, outcome
    assert says in outcome.stderr.replace(runs(recorded)[0], "RUN"), outcome
    assert outcome.stdout == ""


def test_nothing_was_ever_run(project: Project) -> None:
    outcome = replay(project, "last", "--sinks=pubdir", "--set=pubdir.dir=results")
    assert (outcome.code, outcome.stderr) == (2, 'host: no run is named "last"\n')


def test_a_journal_that_is_none(recorded: Project) -> None:
    damage(journal(recorded))
    args = ("last", "--sinks=pubdir", "--set=pubdir.dir=again")
    outcome = replay(recorded, *args)
    assert outcome.code == 2, outcome
    assert "the journal cannot be used" in outcome.stderr


def test_a_journal_of_a_newer_host(recorded: Project) -> None:
    make_newer(journal(recorded))
    outcome = replay(recorded, "last", "--sinks=pubdir", "--set=pubdir.dir=again")
    assert outcome.code == 2, outcome
    assert "has format 99" in outcome.stderr
