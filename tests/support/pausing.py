"""Runs that pause, and whoever looks at them and answers: by command line and by files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.polling import until
from support.processes import Outcome, Running
from support.project import Project

Record = dict[str, Any]

#: A variable that leaves a run without a host.
NO_HOST = {"PYTEST_HOST_BINARY": "/no/such/host"}

FAIL = "def test_f():\n    x = [1]\n    print('some output')\n    assert x == [2]\n"
CHECKPOINT = """
from pytest_host import checkpoint

def test_c():
    print("decision", checkpoint(task="Approve"))
"""


@dataclass
class Pauses:
    """The pauses of a project, in a `--pause-dir` of its own."""

    project: Project
    #: Long enough that no deadline is reached by accident.
    timeout: float = 120.0
    name: str = "pauses"
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def top(self) -> Path:
        return self.project.folder / self.name

    def start(
        self, *args: str, on_failure: bool = True, environ: Mapping[str, str] | None = None
    ) -> Running:
        options = ("--pause-dir", str(self.top), "--pause-timeout", str(self.timeout))
        flags = ("--pause-on-failure",) if on_failure else ()
        everything = {**self.environ, **(environ or {})}
        return self.project.start("pytest", *options, *flags, *args, folder=None, **everything)

    def host(self, *args: str, place: bool = True) -> Outcome:
        """`host pause …`"""
        where = ("--pause-dir", str(self.top)) if place else ()
        return self.project.run("host", "pause", *args, *where)

    def records(self) -> list[Record]:
        """Every pause file, oldest first."""
        records = [json.loads(path.read_text()) for path in self.files()]
        return sorted(records, key=lambda record: float(record["created_at"]))

    def files(self) -> list[Path]:
        return list(self.top.glob("runs/*/pauses/*.json"))

    def file(self, record: Record) -> Path:
        return self.top / "runs" / str(record["run_id"]) / "pauses" / f"{record['pause_id']}.json"

    def command_file(self, record: Record) -> Path:
        folder = self.top / "runs" / str(record["run_id"]) / "commands"
        return folder / f"{record['pause_id']}.resume.json"

    def command(self, record: Record, text: str) -> None:
        """A command file, as a script writes it: whole or not at all."""
        file = self.command_file(record)
        unfinished = file.with_name(f"{file.name}.tmp")
        unfinished.write_text(text)
        unfinished.replace(file)

    def number(self, number: int) -> Record:
        """The pause with this number, from 0, once it is open or over."""
        until(f"pause {number}", lambda: len(self.records()) > number)
        return self.records()[number]

    def pending(self, count: int = 1) -> list[Record]:
        """Those that wait, once there are so many."""

        def look() -> list[Record]:
            found = [record for record in self.records() if record["status"] == "pending"]
            return found if len(found) == count else []

        return until(f"{count} pauses to be open", look)

    def one(self) -> Record:
        return self.pending()[0]

    def hosted(self, record: Record) -> Record:
        """The same, once its host knows of it: as `host pause ls --json` has it."""

        def look() -> list[Record]:
            listed = json.loads(self.host("ls", "--json").stdout)
            return [
                each
                for each in listed
                if each["pause_id"] == record["pause_id"] and each["run"] is not None
            ]

        return until("the host to know of the pause", look)[0]

    def events(self) -> list[Record]:
        (file,) = self.top.glob("runs/*/events.jsonl")
        return [json.loads(line) for line in file.read_text().splitlines()]
