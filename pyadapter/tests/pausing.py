"""The file protocol from the outside, as scripts use it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Seconds; it guards against a hang.
DEADLINE = 30.0

Record = dict[str, Any]


def pauses(top: Path) -> list[Record]:
    """Every pause file below a `--pause-dir`, oldest first."""
    records = [json.loads(path.read_text()) for path in top.glob("runs/*/pauses/*.json")]
    return sorted(records, key=lambda record: record["created_at"])


def events(top: Path) -> list[Record]:
    (file,) = top.glob("runs/*/events.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def command_file(top: Path, record: Record) -> Path:
    folder = top / "runs" / str(record["run_id"])
    return folder / "commands" / f"{record['pause_id']}.resume.json"


def write_command(top: Path, record: Record, text: str) -> None:
    """Whole or not at all."""
    file = command_file(top, record)
    unfinished = file.with_name(f"{file.name}.tmp")
    unfinished.write_text(text)
    unfinished.replace(file)


def pending(top: Path) -> Record:
    """The one that waits, once there is one."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        for record in pauses(top):
            if record["status"] == "pending":
                return record
        time.sleep(0.01)
    raise AssertionError("nothing paused")


class Answering(threading.Thread):
    """Does something once a test is paused, while this test waits for pytest."""

    def __init__(self, top: Path, *answers: Callable[[Record], None]) -> None:
        super().__init__(daemon=True)
        self._top = top
        self._answers = answers
        self.seen: list[Record] = []
        self.start()

    def run(self) -> None:
        for answer in self._answers:
            record = pending(self._top)
            self.seen.append(record)
            answer(record)
            end = time.monotonic() + DEADLINE
            while time.monotonic() < end and self._is_pending(record):
                time.sleep(0.01)

    def _is_pending(self, record: Record) -> bool:
        return any(
            each["pause_id"] == record["pause_id"] and each["status"] == "pending"
            for each in pauses(self._top)
        )
