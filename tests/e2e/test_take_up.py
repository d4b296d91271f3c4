"""What a run has left goes out with the next, which never waits for it, or with `host drain`."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from support.guests import folder_of_guests
from support.journals import (
    damage,
    has_started,
    journal_of,
    last,
    left,
    make_newer,
    offered,
    runs,
)
from support.polling import until
from support.processes import Outcome, Running, cores
from support.project import Project, read_results
from support.receiving import Receiver
from support.waiting import HELPERS

#: Seconds that a run may be held up by: a guard against waiting for what others have left.
MARGIN = 8

#: With HELD set, the run goes on until somebody makes the file of that name.
SUITE = f"""
{HELPERS}

@pytest.mark.parametrize("n", range(40))
def test_n(n):
    assert n != 7

def test_held():
    held = os.environ.get("HELD")
    if held:
        announce("holds-" + held)
        wait(held)
"""

TESTS = {*(f"test_n.py::test_n[{n}]" for n in range(40)), "test_n.py::test_held"}


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    return project


def leave(suite: Project, *flags: str, sinks: str = "publish") -> tuple[str, int]:
    """A run whose endpoint was down, and the port that it was at."""
    receiver = suite.receiver()
    receiver.end()
    outcome = suite.run(
        *("host", "run", "--sinks", sinks, f"--set=publish.url={receiver.url}"),
        *("--drain-timeout=0s", *flags),
    )
    assert outcome.code == 1, outcome
    assert "what is left is kept" in outcome.stderr
    return runs(suite)[-1], receiver.port


def hold(suite: Project, name: str = "go", *command: str) -> Running:
    """A run that reports to `pubdir`, and goes on."""
    command = command or ("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results")
    running = suite.start(*command, HELD=name)
    suite.wait_for(f"holds-{name}")
    return running


def go(suite: Project, running: Running, name: str = "go") -> Outcome:
    (suite.folder / name).touch()
    outcome = running.finish()
    assert outcome.code == 1, outcome
    return outcome


def nodeids(receiver: Receiver) -> Counter[str]:
    return Counter(result["nodeid"] for result in receiver.results())


def wait_until_nothing_is_left(suite: Project, run: str) -> None:
    until("delivery", lambda: not any(left(journal_of(suite, run)).values()))


def test_the_next_run_delivers_what_is_left(suite: Project) -> None:
    first, port = leave(suite)
    receiver = suite.receiver(port=port)
    running = hold(suite)
    wait_until_nothing_is_left(suite, first)
    outcome = go(suite, running)
    assert nodeids(receiver) == Counter(TESTS)
    assert len(receiver.requests()) == len(TESTS), "each once"
    *_, told = outcome.stderr.splitlines()
    assert told.startswith(f"host: run {first} from before: publish ")
    assert told.endswith(" events delivered")
    assert suite.run("host", "drain").stdout == "nothing is left to deliver\n"
    plain = suite.run("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results")
    assert "from before" not in plain.stderr


def test_under_pytest(suite: Project) -> None:
    first, port = leave(suite)
    receiver = suite.receiver(port=port)
    running = hold(suite, "go", "pytest", "--pubdir=results")
    wait_until_nothing_is_left(suite, first)
    outcome = go(suite, running)
    assert nodeids(receiver) == Counter(TESTS)
    assert first not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("behaviour", ["dead", "hangs"])
def test_an_endpoint_that_is_still_unwell_holds_up_nothing(suite: Project, behaviour: str) -> None:
    plain = suite.run("pytest", "-q")
    first, port = leave(suite)
    # With no time to drain, some events may never have been offered, and some of
    # those need no endpoint. The last one comes alone.
    journal = journal_of(suite, first)
    while offered(journal)["publish"] < last(journal) - 1:
        suite.run("host", "drain", "--timeout=1s")
    if behaviour == "hangs":
        suite.receiver("--hang", port=port)
    before = left(journal)
    outcome = suite.run("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results")
    assert outcome.code == plain.code == 1
    assert outcome.seconds < plain.seconds + MARGIN
    assert "from before" not in outcome.stderr
    assert not cores(suite.folder), "and it ends with the run"
    assert left(journal) == before


def test_one_that_is_dead_does_not_keep_others_waiting(suite: Project) -> None:
    """Oldest first, and those behind it that have another endpoint."""
    (dead, _), (other, port) = leave(suite), leave(suite)
    receiver = suite.receiver(port=port)
    running = hold(suite)
    wait_until_nothing_is_left(suite, other)
    go(suite, running)
    assert nodeids(receiver) == Counter(TESTS)
    assert left(journal_of(suite, dead))["publish"] > 0


def lose(suite: Project, kill_pytest: Callable[[int], None]) -> tuple[str, Running, int]:
    """A run whose core was killed, its `host run` and its pytest."""
    running = hold(
        *(suite, "never", "host", "run", "--sinks=pubdir", "--set=pubdir.dir=lost"),
    )
    (run,) = runs(suite)
    until("it to be recorded", lambda: has_started(journal_of(suite, run), "test_held"))
    pytest_pid = suite.pytest_of(running.pid)
    os.kill(suite.core(), signal.SIGKILL)
    suite.wait_for_cores()
    kill_pytest(pytest_pid)
    return run, running, pytest_pid


def test_a_run_that_died_is_closed(suite: Project) -> None:
    """Core and pytest killed: the next run says what became of its tests."""
    lost, running, _ = lose(suite, lambda pid: os.kill(pid, signal.SIGKILL))
    running.finish()
    (watched,) = watch(suite, lost)
    assert watched["state"] == "lost"
    held = hold(suite)
    until("it to be closed", lambda: watch(suite, lost)[0]["sinks"][0]["closed"])
    go(suite, held)
    (watched,) = watch(suite, lost)
    assert watched["state"] == "finished"
    assert watched["counts"]["crashed"] == 1
    assert watched["done"] == len(TESTS)
    assert len(read_results(suite.folder / "lost")) >= len(TESTS) - 1


def watch(suite: Project, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        suite.run("host", "watch", run, "--once", "--json").stdout
    )
    return found


def test_a_run_whose_pytest_goes_on_is_left_alone(suite: Project) -> None:
    lost, running, _ = lose(suite, lambda _: None)
    _, port = leave(suite)
    receiver = suite.receiver(port=port)
    held = hold(suite)
    # It comes after the one that is left alone.
    until("the other to be delivered", lambda: nodeids(receiver) == Counter(TESTS))
    go(suite, held)
    (watched,) = watch(suite, lost)
    assert watched["state"] == "lost"
    (suite.folder / "never").touch()
    assert running.finish().code == 1
    held = hold(suite, "again")
    until("it to be closed", lambda: watch(suite, lost)[0]["sinks"][0]["closed"])
    go(suite, held, "again")
    results = read_results(suite.folder / "lost")
    assert Counter(str(result["nodeid"]) for result in results) == Counter(TESTS)


def test_two_cores_do_not_fight(suite: Project) -> None:
    """Three runs are left; each goes out once."""
    port = leave(suite)[1]
    url = f"--set=publish.url=http://127.0.0.1:{port}/test-update"
    for _ in range(2):
        suite.run("host", "run", "--sinks=publish", url, "--drain-timeout=0s")
    before = runs(suite)
    assert len(before) == 3
    receiver = suite.receiver(port=port)
    command = ("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results")
    both = [suite.start(*command, HELD=name) for name in ("one", "two")]
    for name in ("one", "two"):
        suite.wait_for(f"holds-{name}")
    for run in before:
        wait_until_nothing_is_left(suite, run)
    for running, name in zip(both, ("one", "two"), strict=True):
        go(suite, running, name)
    keys = Counter(request.key for request in receiver.requests())
    assert len(keys) == 3 * len(TESTS)
    assert set(keys.values()) == {1}
    assert suite.run("host", "drain").stdout == "nothing is left to deliver\n"


def test_a_core_that_is_killed_meanwhile(suite: Project) -> None:
    first, port = leave(suite, "--set=publish.concurrency=1")
    receiver = suite.receiver("--delay", "0.2", port=port)
    running = hold(suite)
    until("delivery to begin", receiver.requests)
    os.kill(suite.core(), signal.SIGKILL)
    suite.wait_for_cores()
    go(suite, running)
    assert len(nodeids(receiver)) < len(TESTS)
    held = hold(suite, "again")
    wait_until_nothing_is_left(suite, first)
    go(suite, held, "again")
    assert nodeids(receiver) == Counter(TESTS)


def test_a_drain_meanwhile(suite: Project) -> None:
    """It says who is at work, and leaves it to them."""
    first, port = leave(suite)
    receiver = suite.receiver("--hang", port=port)
    running = hold(suite)
    until("delivery to begin", receiver.requests)
    for args in ((), (first,)):
        drained = suite.run("host", "drain", *args)
        assert drained.code == 1, drained
        assert f"run {first}\nhost: a core is at work on it\n" in drained.stdout
    go(suite, running)
    receiver.end()
    well = suite.receiver(port=port)
    drained = suite.run("host", "drain", "last")
    assert (drained.code, drained.stdout) == (0, "nothing is left to deliver\n")
    drained = suite.run("host", "drain", first)
    assert drained.code == 0, drained
    assert nodeids(well) == Counter(TESTS)


def test_what_cannot_be_read_is_passed_over(suite: Project) -> None:
    """By the next run and by a drain; a drain says so."""
    port = leave(suite)[1]
    url = f"--set=publish.url=http://127.0.0.1:{port}/test-update"
    for _ in range(3):
        suite.run("host", "run", "--sinks=publish", url, "--drain-timeout=0s")
    damaged, newer, third, fourth = runs(suite)
    damage(journal_of(suite, damaged))
    make_newer(journal_of(suite, newer))
    # The next run has the first of those that can be read.
    receiver = suite.receiver("--status", "200", port=port)
    running = hold(suite)
    wait_until_nothing_is_left(suite, third)
    wait_until_nothing_is_left(suite, fourth)
    go(suite, running)
    assert len(receiver.results()) == 2 * len(TESTS)
    receiver.end()
    suite.run("host", "run", "--sinks=publish", url, "--drain-timeout=0s")
    fifth = runs(suite)[-1]
    receiver = suite.receiver(port=port)
    drained = suite.run("host", "drain", "--json")
    assert drained.code == 1, drained
    outcomes = {each["run"]: each for each in json.loads(drained.stdout)}
    assert list(outcomes) == [damaged, newer, fifth]
    assert outcomes[damaged]["skipped"].startswith("the journal cannot be used: ")
    assert outcomes[newer]["skipped"].startswith("the journal has format 99")
    assert outcomes[fifth]["skipped"] is None
    assert [sink["left"] for sink in outcomes[fifth]["sinks"]] == [0]
    assert nodeids(receiver) == Counter(TESTS)


def test_a_drain_of_one_sink(suite: Project) -> None:
    port = leave(suite, "--set=rt.url=http://127.0.0.1:9/", sinks="publish,rt")[1]
    receiver = suite.receiver(port=port)
    wrong = suite.run("host", "drain", "--sink=publsh")
    assert wrong.code == 2
    assert wrong.stderr == 'host: no run has a sink "publsh"; did you mean "publish"?\n'
    drained = suite.run("host", "drain", "--sink=publish")
    assert drained.code == 0, drained
    assert "host: publish  " in drained.stdout
    assert "rt" not in drained.stdout
    assert nodeids(receiver) == Counter(TESTS)
    both = suite.run("host", "drain", "--timeout=1s")
    assert both.code == 1, both
    assert re.search(r"^host: rt +\d+ events delivered, \d+ left \(", both.stdout, re.MULTILINE)


def test_a_component_that_is_gone(suite: Project) -> None:
    """Says so, and the other sinks get what is theirs."""
    module = suite.folder / "mine.wasm"
    module.write_bytes((folder_of_guests() / "collector.wasm").read_bytes())
    suite.configure(
        '[sink.mine]\nmodule = "mine.wasm"\ndir = "collected"\nallow.write = ["collected"]\n'
    )
    running = hold(
        *(suite, "never", "host", "run", "--sinks=mine,pubdir", "--set=pubdir.dir=lost"),
    )
    os.kill(suite.core(), signal.SIGKILL)
    suite.wait_for_cores()
    go(suite, running, "never")
    module.unlink()
    drained = suite.run("host", "drain")
    assert drained.code == 1, drained
    mine, pubdir = drained.stdout.splitlines()[1:]
    assert "mine.wasm is not there" in mine
    assert pubdir.endswith(" events delivered")
    results = read_results(suite.folder / "lost")
    assert Counter(str(result["nodeid"]) for result in results) == Counter(TESTS)


def test_ctrl_c_ends_a_drain(suite: Project) -> None:
    """All of it; what is left is kept."""
    first, port = leave(suite)
    receiver = suite.receiver("--status", "503", port=port)
    running = suite.start("host", "drain", "--timeout=10min")
    until("delivery to begin", receiver.requests)
    os.kill(running.pid, signal.SIGINT)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    assert f"run {first}\n" in outcome.stdout
    assert " left (" in outcome.stdout
