"""Orchestrated tests: their descriptions, and what their events wrote down."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.processes import Outcome, Running
from support.project import SUITES, Project

FOLDER = Path(__file__).parents[1] / "fixtures" / "golden" / "orch"

#: How much faster than the captures tests are.
SCALE = 0.25

#: Numbers of a description that are times.
_TIMES = re.compile(r"^(total|interval|start_after|teardown_timeout|stop_timeout)")


@dataclass(frozen=True)
class Capture:
    """What the published plugin did."""

    args: tuple[str, ...]
    code: int
    description: str
    #: Seconds, and what an event wrote.
    events: list[tuple[float, str]]
    output: str

    def starts(self) -> list[str]:
        return [words for _, words in self.events]


def capture(name: str) -> Capture:
    text = (FOLDER / f"{name}.txt").read_text()
    head, description, events, output = re.split(
        r"^--- (?:description|events|output)$", text, flags=re.MULTILINE
    )
    found = re.match(r"args=(.*) rc=(\d+)", head)
    assert found is not None
    args = ast.literal_eval(found[1]) or ["--run-orch=demo"]
    lines = [line.split(" ", 1) for line in events.strip().splitlines()]
    return Capture(
        tuple(args),
        int(found[2]),
        description.strip(),
        [(float(seconds), words) for seconds, words in lines],
        output,
    )


def faster(description: dict[str, Any]) -> dict[str, Any]:
    """All its times, scaled."""
    scaled: dict[str, Any] = {
        key: value * SCALE if _TIMES.match(key) and isinstance(value, (int, float)) else value
        for key, value in description.items()
    }
    if "events" in description:
        scaled["events"] = [faster(event) for event in description["events"]]
    return scaled


class Orchestrations:
    """A project with the events of the captures."""

    def __init__(self, project: Project) -> None:
        self.project = project
        for path in (SUITES / "orch").iterdir():
            if path.is_file():
                project.write(path.name, path.read_text())

    def describe(self, description: dict[str, Any] | str, name: str = "demo.json") -> None:
        text = description if isinstance(description, str) else json.dumps(description)
        self.project.write(f"descriptions/{name}", text)

    def describe_events(self, *events: dict[str, Any], **more: Any) -> None:
        self.describe({"test_name": "demo", "events": list(events), **more})

    def start(self, *args: str, run: str = "--run-orch=demo", **environ: str) -> Running:
        command = ("pytest", run, *args, "descriptions/demo.json")
        return self.project.start(*command, folder=None, **environ)

    def run(self, *args: str, run: str = "--run-orch=demo", **environ: str) -> Outcome:
        """The orchestrated test alone."""
        return self.start(*args, run=run, **environ).finish()

    def log(self) -> list[tuple[float, str]]:
        """Seconds since the first event, and what events wrote."""
        file = self.project.folder / "events.log"
        if not file.exists():
            return []
        lines = [line.split(" ", 1) for line in file.read_text().splitlines()]
        first = float(lines[0][0]) if lines else 0.0
        return [(float(time) - first, words) for time, words in lines]

    def words(self) -> list[str]:
        return [words for _, words in self.log()]

    def seconds(self, words: str) -> list[float]:
        """Of the test's start, as the plan has it, to the tenth of an interval."""
        return [time for time, each in self.log() if each == words]
