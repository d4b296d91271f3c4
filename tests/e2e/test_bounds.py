"""What is bounded, and what is said where a bound was reached."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.project import Project

LIMIT = 1 << 20

#: 4 MiB of events. The second half comes once the journal has some of the first.
SUITE = f"""
import pathlib, time
import pytest

def kept():
    runs = pathlib.Path(".pytest_host/runs")
    return sum(path.stat().st_size for path in runs.glob("*/journal.db*"))

@pytest.mark.parametrize("n", range(64))
def test_n(n):
    while n == 32 and kept() < {LIMIT}:
        time.sleep(0.01)
    print("x" * 65536)
    assert n != 7
"""


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    return project


def journal_bytes(suite: Project) -> int:
    return sum(path.stat().st_size for path in suite.folder.glob(".pytest_host/runs/*/journal.db"))


def told(suite: Project) -> list[dict[str, Any]]:
    """The events that the collector got."""
    lines = (suite.folder / "out" / "events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("command", ["host run", "pytest"])
def test_a_full_journal(suite: Project, guests: Path, command: str) -> None:
    """The run is plain pytest's; sinks get what was kept, the gaps and the end."""
    suite.configure(
        f'sinks = ["mine"]\nlimit.journal = {LIMIT}\n'
        f'[sink.mine]\nmodule = "{guests / "collector.wasm"}"\ndir = "out"\nallow.write = ["out"]\n'
    )
    if command == "pytest":
        outcome = suite.run("pytest", "--sinks", "mine", "-q")
        shown = re.search(r"^pytest-host: mine: (\d+) events lost", outcome.stdout, re.M)
    else:
        outcome = suite.run("host", "run", "--", "-q")
        shown = re.search(r"^host: mine +\d+ events delivered, (\d+) lost$", outcome.stderr, re.M)
    assert outcome.code == 1, outcome
    assert "1 failed, 63 passed" in outcome.stdout
    assert shown, outcome
    suite.wait_for_cores()
    events = told(suite)
    kinds = [event["kind"] for event in events]
    assert (kinds[0], kinds[-1]) == ("session-started", "session-finished")
    assert "gap" in kinds
    # One started, three phases, one ended: what is not there is counted.
    of_tests = sum(kind in ("test-started", "phase-finished", "test-finished") for kind in kinds)
    assert 0 < of_tests < 5 * 64
    assert of_tests + int(shown[1]) == 5 * 64
    # All of the first half at the most: what is under way when it gets full is kept.
    assert journal_bytes(suite) < 3 * LIMIT


def test_a_journal_with_room_says_nothing(suite: Project) -> None:
    outcome, _ = suite.report()
    assert outcome.code == 1, outcome
    assert "lost" not in outcome.stderr
    assert journal_bytes(suite) > 3 * LIMIT
