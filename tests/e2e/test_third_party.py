"""Components that nobody vouches for, beside the built-in sinks: what they do is their loss."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.processes import Outcome
from support.project import Project, read_results
from support.receiving import Receiver

#: A margin against hangs, not a measure.
MARGIN = 20

SUITE = """
import pytest

@pytest.mark.parametrize("n", range(12))
def test_n(n): assert n % 4

@pytest.fixture
def broken(): raise RuntimeError
def test_setup(broken): pass
@pytest.mark.skip
def test_skip(): pass
"""

NAMES = {*(f"test_n[{n}]" for n in range(12)), "test_setup", "test_skip"}


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    return project


def run_beside(
    suite: Project, guest: Path, table: str, *args: str, timeout: str = "30s"
) -> tuple[Outcome, Receiver]:
    """The component by its path, with a table of its own, beside `publish` and `pubdir`."""
    receiver = suite.receiver()
    suite.configure(
        f'[sink.publish]\nurl = "{receiver.url}"\n[sink.pubdir]\ndir = "results"\n'
        f"[sink.{guest.stem}]\n{table}"
    )
    outcome = suite.run(
        *("host", "run", "--sinks", f"publish,{guest},pubdir", f"--drain-timeout={timeout}"),
        *("--", *args),
    )
    return outcome, receiver


def check_others(suite: Project, outcome: Outcome, receiver: Receiver) -> None:
    """The run is plain pytest's, and the other sinks have everything."""
    assert outcome.code == 1, outcome
    assert "3 failed, 9 passed, 1 skipped, 1 error" in outcome.stdout
    assert Counter(result["name"] for result in receiver.results()) == Counter(NAMES)
    written = Counter(str(result["name"]) for result in read_results(suite.folder / "results"))
    assert written == Counter(NAMES)
    for name in ("publish", "pubdir"):
        assert re.search(rf"^host: {name} +\d+ events delivered$", outcome.stderr, re.MULTILINE)


def line_of(outcome: Outcome, sink: str) -> str:
    lines = [line for line in outcome.stderr.splitlines() if line.startswith(f"host: {sink} ")]
    assert len(lines) == 1, outcome
    return lines[0]


def events(suite: Project) -> list[dict[str, Any]]:
    """What the collector got, each event once by its number."""
    lines = (suite.folder / "out" / "events.jsonl").read_text().splitlines()
    by_seq = {event["seq"]: event for event in map(json.loads, lines)}
    return [by_seq[seq] for seq in sorted(by_seq)]


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["alone", "xdist"])
def test_a_component_by_path_gets_every_event(
    suite: Project, guests: Path, args: tuple[str, ...]
) -> None:
    table = 'dir = "out"\nallow.write = ["out"]\n'
    outcome, receiver = run_beside(suite, guests / "collector.wasm", table, *args)
    check_others(suite, outcome, receiver)
    found = events(suite)
    assert [event["seq"] for event in found] == list(
        range(found[0]["seq"], found[0]["seq"] + len(found))
    )
    kinds = [event["kind"] for event in found]
    assert (kinds[0], kinds[-1]) == ("session-started", "session-finished")
    ended = {
        event["nodeid"]: event["verdict"] for event in found if event["kind"] == "test-finished"
    }
    assert {nodeid.partition("::")[2] for nodeid in ended} == NAMES
    assert Counter(ended.values()) == Counter(passed=9, failed=3, error=1, skipped=1)
    # In order for each test: start, its phases as they happened, end.
    for nodeid in ended:
        of_test = [event for event in found if event.get("nodeid") == nodeid]
        steps = [event.get("phase") or event["kind"] for event in of_test]
        assert steps in (
            ["test-started", "setup", "call", "teardown", "test-finished"],
            ["test-started", "setup", "teardown", "test-finished"],
        )
    if args:
        workers = {e["worker"] for e in found if e["kind"] == "test-finished"}
        assert workers <= {"gw0", "gw1"}


def test_a_component_of_the_file_by_its_name(suite: Project, guests: Path) -> None:
    suite.configure(
        f'sinks = ["mine"]\n[sink.mine]\nmodule = "{guests / "collector.wasm"}"\n'
        'dir = "out"\nallow.write = ["out"]\n'
    )
    outcome = suite.run("pytest", "--sinks", "mine")
    assert outcome.code == 1, outcome
    assert events(suite)[-1]["kind"] == "session-finished"


@pytest.mark.parametrize("guest", ["trap", "spin", "hog"])
def test_one_event_that_a_component_cannot_take_is_set_aside(
    suite: Project, guests: Path, guest: str
) -> None:
    """Those of one test, three (start, call, end, …); all others get there."""
    table = 'match = "test_n[5]"\nlimit.computing = "100 ms"\n'
    started = time.monotonic()
    outcome, receiver = run_beside(suite, guests / f"{guest}.wasm", table)
    assert time.monotonic() - started < 3 * MARGIN
    check_others(suite, outcome, receiver)
    line = line_of(outcome, guest)
    found = re.search(r"(\d+) events delivered, (\d+) set aside \(.+\)$", line)
    assert found, line
    assert int(found[1]) > 40
    assert 4 <= int(found[2]) <= 8, "those of test_n[5] and no others"


@pytest.mark.parametrize("guest", ["trap", "spin", "hog"])
def test_a_component_that_takes_nothing(suite: Project, guests: Path, guest: str) -> None:
    """At every event: the run ends in its own time, whatever is left."""
    table = 'match = ""\n' if guest == "trap" else ""
    table += 'limit.computing = "100 ms"\n'
    started = time.monotonic()
    outcome, receiver = run_beside(suite, guests / f"{guest}.wasm", table, timeout="2s")
    assert time.monotonic() - started < MARGIN
    check_others(suite, outcome, receiver)
    assert re.search(r"(set aside|left|delivered)", line_of(outcome, guest))
    assert "(" in line_of(outcome, guest), "and says why"


def test_disable_on_failure(suite: Project, guests: Path) -> None:
    table = 'match = "test_n[5]"\non-failure = "disable"\n'
    outcome, receiver = run_beside(suite, guests / "trap.wasm", table, timeout="5s")
    check_others(suite, outcome, receiver)
    line = line_of(outcome, "trap")
    assert re.search(r"\d+ left \(.+\)$", line), line


def test_rejected_events_are_set_aside(suite: Project, guests: Path) -> None:
    table = 'match = "test_n[5]"\nretry = "test_n[6]"\ntimes = 2\n'
    outcome, receiver = run_beside(suite, guests / "rejecter.wasm", table)
    check_others(suite, outcome, receiver)
    line = line_of(outcome, "rejecter")
    assert re.search(r"delivered, \d set aside \(.*not wanted.*\)$", line), line


def test_a_component_that_sleeps_longer_than_a_call_may(suite: Project, guests: Path) -> None:
    """Nobody else waits for it."""
    table = 'seconds = 600\nlimit.call = "300 ms"\n'
    outcome, receiver = run_beside(suite, guests / "sleepy.wasm", table, timeout="2s")
    assert outcome.seconds < MARGIN
    check_others(suite, outcome, receiver)
    assert re.search(r"(left|set aside)", line_of(outcome, "sleepy"))


def test_a_slow_component_holds_up_nobody(suite: Project, guests: Path) -> None:
    table = "seconds = 600\n"
    outcome, receiver = run_beside(suite, guests / "sleepy.wasm", table, timeout="1s")
    assert outcome.seconds < MARGIN
    check_others(suite, outcome, receiver)
    assert " left" in line_of(outcome, "sleepy")
    suite.wait_for_cores()


def test_wasi_http_goes_where_it_was_granted(suite: Project, guests: Path) -> None:
    posted = suite.receiver()
    table = f'url = "{posted.url}"\nallow.http = ["{posted.address}"]\n'
    outcome, receiver = run_beside(suite, guests / "wasihttp.wasm", table)
    check_others(suite, outcome, receiver)
    nodeids = {request.json["nodeid"].partition("::")[2] for request in posted.requests()}
    assert nodeids == NAMES


def test_wasi_http_of_an_endpoint_that_never_answers(suite: Project, guests: Path) -> None:
    posted = suite.receiver("--hang")
    table = f'url = "{posted.url}"\nallow.http = ["{posted.address}"]\n'
    outcome, receiver = run_beside(suite, guests / "wasihttp.wasm", table, timeout="1s")
    assert outcome.seconds < MARGIN
    check_others(suite, outcome, receiver)
    assert " left" in line_of(outcome, "wasihttp")
