"""Many who answer at once, and answers at the last moment; how long an answer takes."""

from __future__ import annotations

import json
import random
import re
import statistics
import time
from collections.abc import Iterator

import pytest

from support.pausing import NO_HOST, Pauses, Record
from support.polling import until
from support.project import Project

#: Every test asks, and writes down what it was told, and when.
SUITE = """
import json, time
import pytest
from pytest_host import checkpoint

@pytest.mark.parametrize("number", range({count}))
def test_a(number):
    decision = checkpoint(task="x", timeout={timeout})
    told = [time.time(), decision.outcome, decision.reason]
    with open("told.jsonl", "a") as file:
        file.write(json.dumps(told) + "\\n")
"""


def told(pauses: Pauses, count: int) -> list[list[object]]:
    """What the first so many tests wrote down, once they have."""
    file = pauses.project.folder / "told.jsonl"

    def look() -> list[str]:
        lines = file.read_text().splitlines() if file.exists() else []
        return lines if len(lines) >= count else []

    return [json.loads(line) for line in until(f"{count} tests", look)]


def opened(pauses: Pauses) -> Iterator[Record]:
    """Each pause as it opens, at once."""
    seen: set[str] = set()
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for path in pauses.files():
            if path.name not in seen:
                seen.add(path.name)
                record: Record = json.loads(path.read_text())
                yield record
        time.sleep(0.002)
    raise AssertionError("nothing pauses any more")


@pytest.mark.difference("livepause-8")
@pytest.mark.parametrize(("hosted", "count"), [(True, 200), (False, 50)])
def test_eight_at_once(project: Project, hosted: bool, count: int) -> None:
    """One is accepted, and it is the one that the test got; seven are refused, and told why."""
    project.write("test_x.py", SUITE.format(count=count, timeout=300))
    pauses = Pauses(project, environ={} if hosted else NO_HOST)
    running = pauses.start("-q")
    for number, record in zip(range(count), opened(pauses), strict=False):
        if hosted and number == 0:
            pauses.hosted(record)
        pause = str(record["pause_id"])
        where = ("--pause-dir", str(pauses.top))
        all_ = [
            project.start("host", "pause", "resume", pause, "--reason", str(each), *where)
            for each in range(8)
        ]
        outcomes = [each.finish() for each in all_]
        winners = [each for each, outcome in enumerate(outcomes) if outcome.code == 0]
        assert len(winners) == 1, outcomes
        losers = [outcome for outcome in outcomes if outcome.code != 0]
        for loser in losers:
            assert loser.code == 1
            why = r"pause is no longer pending: \S+|resume command already exists: \S+"
            assert re.fullmatch(why, loser.stderr.strip()), loser
        assert told(pauses, number + 1)[number][1:] == ["resumed", str(winners[0])]
    assert running.finish().code == 0


@pytest.mark.difference("livepause-8")
@pytest.mark.parametrize(("hosted", "count"), [(True, 200), (False, 50)])
def test_at_the_last_moment(project: Project, hosted: bool, count: int) -> None:
    """What the command line reported is what the test got."""
    timeout = 0.15
    project.write("test_x.py", SUITE.format(count=count, timeout=timeout))
    pauses = Pauses(project, environ={} if hosted else NO_HOST)
    running = pauses.start("-q")
    chance = random.Random(7)
    took = 0.05
    accepted = 0
    for number, record in zip(range(count), opened(pauses), strict=False):
        # Around the moment at which the command would reach the test at its deadline.
        begin = record["created_at"] + timeout - took * chance.uniform(0.2, 1.5)
        time.sleep(max(0.0, begin - time.time()))
        outcome = pauses.host("resume", str(record["pause_id"]), "--reason", str(number))
        took = 0.8 * took + 0.2 * outcome.seconds
        expected = ["resumed", str(number)] if outcome.code == 0 else ["timed_out", None]
        accepted += outcome.code == 0
        assert told(pauses, number + 1)[number][1:] == expected, outcome
    print(f"\n{accepted} of {count} accepted")
    assert running.finish().code == 0


def test_latency(project: Project) -> None:
    """From the answer to the test going on: a table, and nothing that hangs."""
    count = 40
    project.write("test_x.py", SUITE.format(count=2 * count, timeout=300))
    pauses = Pauses(project)
    running = pauses.start("-q")
    found: dict[str, list[float]] = {"command line": [], "command file": []}
    for number, record in zip(range(2 * count), opened(pauses), strict=False):
        if number == 0:
            pauses.hosted(record)
        way = "command line" if number < count else "command file"
        begin = time.time()
        if number < count:
            assert pauses.host("resume", str(record["pause_id"])).code == 0
        else:
            pauses.command(record, "{}")
        (when, outcome, _) = told(pauses, number + 1)[number]
        assert outcome == "resumed"
        assert isinstance(when, float)
        found[way].append(1000 * (when - begin))
    assert running.finish().code == 0
    for way, times in found.items():
        median = statistics.median(times)
        print(f"\n| {way} | {median:.1f} ms | {sorted(times)[int(0.95 * count)]:.1f} ms |")
        assert median < 2000
