"""The file protocol of pytest-live-pause: one folder a run, JSON files in it."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import folders, real

#: Names an answer, so that whoever wrote it learns that it was the one.
_ANSWER = re.compile(r"[0-9a-f]{32}")


class Malformed(Exception):
    """A command file that says nothing. The text says why."""


@dataclass(frozen=True)
class Command:
    """What a command file asks for: to resume."""

    failure_reason: str | None
    result: bool | None
    reason: str | None
    #: Who is told, by a receipt, that this was the answer.
    answer: str | None

    @classmethod
    def parse(cls, text: str) -> Command:
        try:
            keys = json.loads(text)
        except ValueError as error:
            raise Malformed(f"not JSON: {error}") from None
        if not isinstance(keys, dict):
            raise Malformed('not an object, such as {"failure_reason": "…"}')
        return cls.of(keys)

    @classmethod
    def of(cls, keys: Mapping[str, Any]) -> Command:
        """What is not of the right kind counts as not given."""
        answer = keys.get("answer")
        return cls(
            failure_reason=_string(keys.get("failure_reason")),
            result=keys["result"] if isinstance(keys.get("result"), bool) else None,
            reason=_string(keys.get("reason")),
            answer=answer if isinstance(answer, str) and _ANSWER.fullmatch(answer) else None,
        )

    @property
    def by(self) -> str:
        """`host pause` writes a command file where it reaches no host."""
        return "file" if self.answer is None else "cli"


class Files:
    """The folder of one run, `<top>/runs/<run_id>`, shared by all its xdist workers."""

    def __init__(self, top: str, run_id: str, *, named: bool) -> None:
        self._top = os.path.abspath(top)
        self._named = named
        self.run_id = run_id
        self.runs = os.path.join(self._top, "runs")
        self.folder = os.path.join(self.runs, run_id)
        self._commands = os.path.join(self.folder, "commands")
        self._pauses = os.path.join(self.folder, "pauses")
        #: Told by the process that got Ctrl-C to those that it started.
        self.interrupted = os.path.join(self._commands, "interrupted")
        self._made = False
        #: Size and time of a command file that was found to be malformed.
        self._bad: dict[str, tuple[int, int, int]] = {}

    def make(self, cwd: str, worker: str | None) -> None:
        """Once, by whichever process of the run comes first. Raises `folders.Unusable`."""
        if self._made:
            return
        folders.make_top(self._top, named=self._named)
        for folder in (self.runs, self.folder, self._pauses, self._commands):
            folders.make_private(folder)
        self._made = True
        run = os.path.join(self.folder, "run.json")
        if real.exists(run):
            return
        self._write(
            run,
            {
                "run_id": self.run_id,
                "pid": real.getpid(),
                "hostname": platform.node(),
                "cwd": cwd,
                "argv": list(sys.argv),
                "started_at": real.now(),
                "worker_id": worker,
            },
        )
        self.event("run_started", run_id=self.run_id, pid=real.getpid(), worker_id=worker)

    def pause_file(self, pause: str) -> str:
        return os.path.join(self._pauses, f"{pause}.json")

    def write_pause(self, record: dict[str, Any]) -> None:
        self._write(self.pause_file(record["pause_id"]), record)

    def event(self, event: str, **keys: Any) -> None:
        line = json.dumps({"ts": real.now(), "event": event, **keys})
        real.append_text(os.path.join(self.folder, "events.jsonl"), line + "\n")

    def command(self, pause: str) -> Command | None:
        """What the command file asks for, where there is one that says something.

        One that does not stays, with an `.error` beside it: somebody may be
        writing to it still.
        """
        path = self._command_file(pause)
        try:
            found = real.stat(path)
        except OSError:
            return None
        looks = found.st_ino, found.st_size, found.st_mtime_ns
        if self._bad.get(pause) == looks:
            return None
        try:
            command = Command.parse(real.read_text(path))
        except OSError:
            return None
        except (Malformed, UnicodeDecodeError) as error:
            self._bad[pause] = looks
            real.write_text(f"{path}.error", f"{error}\n")
            return None
        real.remove(f"{path}.error")
        return command

    def accept(self, command: Command) -> None:
        """Tells whoever wrote it. Before the pause counts as over, or it would look lost."""
        if command.answer is not None:
            real.write_text(os.path.join(self._commands, f"{command.answer}.accepted"), "")

    def close(self, record: dict[str, Any]) -> None:
        """The pause is over; what was not read by now is not read any more."""
        self.write_pause(record)
        path = self._command_file(record["pause_id"])
        real.remove(path)
        real.remove(f"{path}.error")

    def has_pauses(self) -> bool:
        try:
            return any(name.endswith(".json") for name in real.listdir(self._pauses))
        except OSError:
            return False

    def _command_file(self, pause: str) -> str:
        return os.path.join(self._commands, f"{pause}.resume.json")

    def _write(self, path: str, value: dict[str, Any]) -> None:
        real.write_text(path, json.dumps(value, indent=2))


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
