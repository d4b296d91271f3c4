"""Runs that report to the collector, a guest that writes down every event, and what it got."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.guests import folder_of_guests
from support.project import Project

#: The contract, where its events are listed.
CONTRACT = Path(__file__).parents[2] / "wit" / "sinks.wit"


@dataclass(frozen=True)
class Event:
    """An envelope of the contract. `body` is what the event's case holds."""

    seq: int
    time: float
    worker: str | None
    kind: str
    body: Any

    @property
    def test(self) -> tuple[str, int]:
        """Node id and attempt, of the events that have both."""
        if self.kind == "test-started":
            nodeid, attempt = self.body
        else:
            nodeid, attempt = self.body["nodeid"], self.body["attempt"]
        return nodeid, attempt


def configure(project: Project) -> None:
    """Have the project's runs report to the collector, and to nothing else."""
    project.configure(table(project.folder / "collected", folder_of_guests()))


def table(folder: Path, guests: Path) -> str:
    return (
        'sinks = ["collector"]\n[sink.collector]\n'
        f"module = {_toml(guests / 'collector.wasm')}\n"
        f"dir = {_toml(folder)}\nallow.write = [{_toml(folder)}]\n"
    )


def _toml(path: Path) -> str:
    return json.dumps(os.fspath(path))


def events(project: Project) -> list[Event]:
    """What the collector got, in order of arrival, once all cores have ended."""
    project.wait_for_cores()
    return read(project.folder / "collected" / "events.jsonl")


def read(file: Path) -> list[Event]:
    # Not `splitlines`, which knows more ends of lines than JSON does.
    return [_event(json.loads(line)) for line in file.read_text("utf-8").split("\n") if line]


def _event(line: dict[str, Any]) -> Event:
    ((kind, body),) = line["event"].items()
    assert kind == line["kind"]
    return Event(line["seq"], line["time"], line.get("worker"), kind, body)


def of_kind(events: Iterable[Event], kind: str) -> list[Any]:
    """The bodies of one kind."""
    return [event.body for event in events if event.kind == kind]


def announced(events: Iterable[Event]) -> list[Any]:
    """Every test, as `collected` has it."""
    return [test for tests in of_kind(events, "collected") for test in tests]


@dataclass(frozen=True)
class Attempt:
    """One run of one test: everything from its start to its end."""

    nodeid: str
    number: int
    worker: str | None
    started: float
    phases: tuple[Any, ...]
    verdict: str
    duration: float

    @property
    def outcomes(self) -> dict[str, Any]:
        """By phase, without subtests."""
        return {each["phase"]: each["outcome"] for each in self.phases if each["subtest"] is None}


def attempts(events: Sequence[Event]) -> list[Attempt]:
    """In order of their ends; what does not belong to one is an error."""
    open_: dict[tuple[str | None, str, int], tuple[float, list[Any]]] = {}
    ended: list[Attempt] = []
    for event in events:
        if event.kind not in ("test-started", "phase-finished", "test-finished"):
            continue
        key = (event.worker, *event.test)
        if event.kind == "test-started":
            assert key not in open_, f"{key} started twice"
            open_[key] = event.time, []
            continue
        assert key in open_, f"{event.kind} of {key}, which does not run"
        if event.kind == "phase-finished":
            open_[key][1].append(event.body)
            continue
        started, phases = open_.pop(key)
        verdict, duration = event.body["verdict"], event.body["duration"]
        worker, nodeid, number = key
        ended.append(Attempt(nodeid, number, worker, started, tuple(phases), verdict, duration))
    assert not open_, "started and never ended"
    return ended


def check_whole(events: Sequence[Event]) -> None:
    """What holds of every session, however it went."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    kinds = Counter(event.kind for event in events)
    assert (kinds["session-started"], kinds["session-finished"]) == (1, 1)
    assert events[0].kind == "session-started"
    assert events[-1].kind == "session-finished"
    every = [test["nodeid"] for test in announced(events)]
    ran = attempts(events)
    # With `--dist each` workers run the same tests, and count by themselves.
    each = events[0].body["dist"] == "each"
    numbers: dict[tuple[str, str | None], list[int]] = {}
    for attempt in ran:
        key = attempt.nodeid, attempt.worker if each else None
        numbers.setdefault(key, []).append(attempt.number)
    for key, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), key
    not_run = [nodeid for nodeid, _ in of_kind(events, "not-run")]
    # Each announced once, and either run or told not to have been.
    assert Counter(every) == Counter([*{nodeid for nodeid, _ in numbers}, *not_run])
    assert max(Counter(every).values(), default=1) == 1


def check_collection(events: Sequence[Event]) -> None:
    """Told once that it is complete, with the right number, after the last and before any runs."""
    assert of_kind(events, "collection-finished") == [len(announced(events))]
    kinds = [event.kind for event in events]
    complete = kinds.index("collection-finished")
    assert "collected" not in kinds[complete:]
    assert "test-started" not in kinds[:complete]


def cases_of_contract() -> list[str]:
    """The cases of `variant event`."""
    found = re.search(r"variant event \{(.*?)\n  \}", CONTRACT.read_text(), re.DOTALL)
    assert found
    return re.findall(r"^    ([a-z-]+)", found[1], re.MULTILINE)
