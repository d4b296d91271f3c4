"""Events that were set aside: who they are, and their way back once what was wrong is mended."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.polling import until
from support.processes import Outcome
from support.project import Project
from support.receiving import Receiver

SUITE = """
import pytest

@pytest.fixture
def untidy():
    yield
    raise OSError("not put away")

@pytest.mark.parametrize("n", range(12))
def test_n(n, untidy): pass
"""

#: Each test has a result of its call, and then one of its teardown.
RESULTS = {f"test_n[{n}]": ["pass", "fail"] for n in range(12)}


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    return project


def letters(suite: Project, *args: str) -> list[dict[str, Any]]:
    outcome = suite.run("host", "sink", "dead-letters", "--json", *args)
    assert outcome.code == 0, outcome
    found = json.loads(outcome.stdout)
    assert isinstance(found, list)
    return found


def publish_to(suite: Project, receiver: Receiver) -> Outcome:
    args = ("--sinks", "publish", f"--set=publish.url={receiver.url}")
    return run_to_the_end(suite, *args)


def run_to_the_end(suite: Project, *args: str) -> Outcome:
    """The core too, which owns the run for a moment longer than `host run` waits for."""
    outcome = suite.run("host", "run", *args)
    assert outcome.code == 1, outcome
    suite.wait_for_cores()
    return outcome


def by_test(receiver: Receiver) -> dict[str, list[str]]:
    """The results of each test, in the order in which they were taken."""
    found: dict[str, list[str]] = {}
    for request in receiver.requests():
        if request.status == 200:
            found.setdefault(request.json["name"], []).append(request.json["result"])
    return found


def test_nothing_was_set_aside(suite: Project) -> None:
    for flag in ((), ("--redeliver",)):
        before = suite.run("host", "sink", "dead-letters", *flag)
        assert (before.code, before.stdout) == (0, "nothing was set aside\n"), before
    publish_to(suite, suite.receiver())
    for flag in ((), ("--redeliver",)):
        after = suite.run("host", "sink", "dead-letters", *flag)
        assert (after.code, after.stdout) == (0, "nothing was set aside\n"), after
    assert letters(suite) == []


def test_listed_and_delivered_once_the_endpoint_takes_them(suite: Project) -> None:
    refusing = suite.receiver("--status", "400")
    outcome = publish_to(suite, refusing)
    assert re.search(r"^host: publish .*, 24 set aside \(.*400", outcome.stderr, re.MULTILINE)

    found = letters(suite)
    (run,) = {letter["run"] for letter in found}
    assert {letter["sink"] for letter in found} == {"publish"}
    assert [letter["seq"] for letter in found] == sorted(letter["seq"] for letter in found)
    assert {letter["kind"] for letter in found} == {"phase-finished"}
    assert Counter(letter["phase"] for letter in found) == Counter(call=12, teardown=12)
    assert {letter["nodeid"] for letter in found} == {f"test_n.py::{name}" for name in RESULTS}
    assert all("400" in letter["why"] and letter["attempt"] == 1 for letter in found)
    shown = suite.run("host", "sink", "dead-letters", run, "--sink", "publish")
    lines = shown.stdout.splitlines()
    assert (shown.code, lines[0], len(lines)) == (0, f"run {run}", 25)
    assert re.fullmatch(
        r"  publish \d{4}-\d\d-\d\d \d\d:\d\d:\d\d #\d+ phase-finished \(call\)"
        r" test_n\.py::test_n\[\d+\]: .*400.*",
        lines[1],
    )
    drained = suite.run("host", "drain")
    assert (drained.code, drained.stdout) == (0, "nothing is left to deliver\n")

    again = suite.run("host", "sink", "dead-letters", "--redeliver")
    assert again.code == 1, again
    assert ", 24 set aside (" in again.stdout
    assert [letter["seq"] for letter in letters(suite)] == [letter["seq"] for letter in found]
    refusing.end()

    taking = suite.receiver(port=refusing.port)
    mended = suite.run("host", "sink", "dead-letters", "--redeliver")
    assert mended.code == 0, mended
    assert "set aside" not in mended.stdout
    assert " left" not in mended.stdout
    assert by_test(taking) == RESULTS
    keys = {request.key for request in refusing.requests()}
    assert {request.key for request in taking.requests()} == keys, "the same results"
    assert letters(suite) == []
    assert suite.run("host", "drain").stdout == "nothing is left to deliver\n"


def test_what_is_put_back_is_left_while_the_endpoint_is_away(suite: Project) -> None:
    refusing = suite.receiver("--status", "404")
    publish_to(suite, refusing)
    refusing.end()
    away = suite.run("host", "sink", "dead-letters", "--redeliver", "--timeout", "1s", "--json")
    assert away.code == 1, away
    ((sink,),) = (run["sinks"] for run in json.loads(away.stdout))
    assert (sink["left"], sink["set_aside"]) == (24, 0)
    assert letters(suite) == []
    taking = suite.receiver(port=refusing.port)
    assert suite.run("host", "drain").code == 0
    assert by_test(taking) == RESULTS


def test_newest_run_first_and_only_what_was_named(suite: Project) -> None:
    refusing = suite.receiver("--status", "400")
    for _ in range(2):
        publish_to(suite, refusing)
    refusing.end()
    runs = list(dict.fromkeys(letter["run"] for letter in letters(suite)))
    assert len(runs) == 2
    assert runs == sorted(runs, reverse=True)
    suite.receiver(port=refusing.port)
    named = suite.run("host", "sink", "dead-letters", runs[0], "--redeliver")
    assert named.code == 0, named
    assert {letter["run"] for letter in letters(suite)} == {runs[1]}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("2026-no-such-run",), 'no run is named "2026-no-such-run"; the last one is '),
        (("--sink", "publisch"), 'no run has a sink "publisch"; did you mean "publish"?'),
        (("--sink", "publisch", "--redeliver"), 'no run has a sink "publisch"; did you mean'),
    ],
)
def test_names_that_nobody_has(suite: Project, args: tuple[str, ...], says: str) -> None:
    publish_to(suite, suite.receiver())
    outcome = suite.run("host", "sink", "dead-letters", *args)
    assert outcome.code == 2, outcome
    assert outcome.stderr.startswith(f"host: {says}"), outcome


def test_a_run_under_way_is_listed_and_left_alone(suite: Project, guests: Path) -> None:
    suite.write(
        "test_n.py",
        "import pathlib, time\n"
        "def test_a(): pass\n"
        "def test_b():\n"
        "    while not pathlib.Path('go').exists(): time.sleep(0.05)\n",
    )
    suite.configure('[sink.rejecter]\nmatch = "test_a"\n')
    running = suite.start("host", "run", "--sinks", str(guests / "rejecter.wasm"))
    found = until("the events of test_a", lambda: _all_five(letters(suite)))
    assert {letter["nodeid"] for letter in found} == {"test_n.py::test_a"}
    skipped = suite.run("host", "sink", "dead-letters", "--redeliver")
    assert skipped.code == 1, skipped
    assert "host: a core is at work on it\n" in skipped.stdout
    suite.write("go", "")
    assert running.finish().code == 0
    assert len(letters(suite)) == 5


def _all_five(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return found if len(found) == 5 else []


@pytest.fixture
def disabled(request: pytest.FixtureRequest, suite: Project, guests: Path) -> Project:
    """After a run in which the component `mine.wasm` failed at a test, and was given up."""
    shutil.copy(guests / f"{request.param}.wasm", suite.folder / "mine.wasm")
    suite.configure(
        'sinks = ["mine"]\n[sink.mine]\nmodule = "mine.wasm"\nmatch = "test_n[5]"\n'
        'on-failure = "disable"\nlimit.computing = "100 ms"\n'
    )
    outcome = run_to_the_end(suite)
    assert re.search(r"^host: mine +\d+ events delivered, \d+ left \(.+\)$", outcome.stderr, re.M)
    assert letters(suite) == []
    return suite


@pytest.mark.parametrize("disabled", ["trap", "spin", "hog"], indirect=True)
def test_a_sink_that_was_given_up_goes_on_with_another_component(
    disabled: Project, guests: Path
) -> None:
    """At the event at fault; nothing before it is delivered again, nothing after it is lost."""
    unchanged = disabled.run("host", "drain")
    assert unchanged.code == 1, unchanged
    left = re.search(r"^host: mine +(\d+) events delivered, (\d+) left", unchanged.stdout, re.M)
    assert left, unchanged
    shutil.copy(guests / "rejecter.wasm", disabled.folder / "mine.wasm")
    mended = disabled.run("host", "drain")
    assert mended.code == 0, mended
    done = re.search(
        r"^host: mine +(\d+) events delivered, (\d+) set aside \(not wanted\)$",
        mended.stdout,
        re.M,
    )
    assert done, mended
    assert int(done[1]) + int(done[2]) == int(left[1]) + int(left[2])
    found = letters(disabled)
    assert len(found) == int(done[2]) == 5
    assert {letter["why"] for letter in found} == {"not wanted"}
    assert {letter["nodeid"] for letter in found} == {"test_n.py::test_n[5]"}


@pytest.mark.parametrize("disabled", ["trap"], indirect=True)
def test_a_component_that_is_gone_is_named(disabled: Project) -> None:
    (disabled.folder / "mine.wasm").unlink()
    drained = disabled.run("host", "drain")
    assert drained.code == 1, drained
    assert re.search(r"^host: .*mine\.wasm", drained.stdout, re.M), drained


@pytest.mark.parametrize("guest", ["trap", "spin", "hog"])
def test_events_at_fault_go_to_a_component_that_replaces_it(
    suite: Project, guests: Path, guest: str
) -> None:
    """In order: what the new one says of each is in the list."""
    shutil.copy(guests / f"{guest}.wasm", suite.folder / "mine.wasm")
    suite.configure(
        'sinks = ["mine"]\n[sink.mine]\nmodule = "mine.wasm"\nmatch = "test_n[5]"\n'
        'limit.computing = "100 ms"\n'
    )
    run_to_the_end(suite)
    first = letters(suite)
    assert [letter["kind"] for letter in first] == [
        "test-started",
        *["phase-finished"] * 3,
        "test-finished",
    ]
    shutil.copy(guests / "rejecter.wasm", suite.folder / "mine.wasm")
    again = suite.run("host", "sink", "dead-letters", "--redeliver", "--sink", "mine")
    assert again.code == 1, again
    second = letters(suite)
    assert [letter["seq"] for letter in second] == [letter["seq"] for letter in first]
    assert {letter["why"] for letter in second} == {"not wanted"}
    assert [x["time"] for x in second] == sorted(x["time"] for x in second)
