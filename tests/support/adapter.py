"""The adapter as it is, attached to a core as it is, with no pytest run around it."""

from __future__ import annotations

import copy
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_host.attachment import Attachment, attach
from pytest_host.controller import ControllerReporter
from pytest_host.redaction import Redactor
from pytest_host.reporter import Reporter

from support import collecting
from support.collecting import Event
from support.installation import Folders, installation
from support.polling import DEADLINE


class Core:
    """A core that serves one session after another, until its input is closed."""

    def __init__(self, folder: Path, folders: Folders, guests: Path) -> None:
        here = installation(sys.executable)
        self.collected = folder / "collected"
        (folder / "host.toml").write_text(collecting.table(self.collected, guests))
        self._process = subprocess.Popen(
            [str(here.scripts / "host"), "core"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=here.environment(folders),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.directory = str(folder)
        self._process.stdin.write(json.dumps({"directory": self.directory}).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.address: str = answer["address"]

    def end(self) -> None:
        self._process.communicate(timeout=DEADLINE)

    def events(self) -> list[Event]:
        """All of the session that just ended."""
        file = self.collected / "events.jsonl"
        end = time.monotonic() + DEADLINE
        # More often than `until` would look: this is done for every example.
        while not (file.exists() and b'"kind":"session-finished"' in _tail(file)):
            assert time.monotonic() < end, "the session did not end"
            time.sleep(0.002)
        found = collecting.read(file)
        file.unlink()
        return found


def _tail(file: Path) -> bytes:
    """The last line, where it is whole."""
    with file.open("rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - (1 << 16)))
        data = opened.read()
    return data.splitlines()[-1] if data.endswith(b"\n") else b""


class Session:
    """The process that the user starts, alone or as xdist's controller, and its workers."""

    def __init__(self, core: Core, config: pytest.Config, *, alive: bool, text_bytes: int) -> None:
        self._core = core
        self._config = config
        self._text_bytes = text_bytes
        self._attachments: list[Attachment] = []
        self.broken: list[Exception] = []
        self.main = self._attach("main", alive, role="session", directory=core.directory)
        self.controller = ControllerReporter(
            config, self.main, ticket={}, broken=self.broken.append, problem=_unexpected
        )

    def _attach(self, process: str, alive: bool, **hello: Any) -> Attachment:
        deadline = time.monotonic() + DEADLINE
        hello["pid"] = os.getpid() if alive else _dead_pid()
        attachment = attach(self._core.address, deadline, process=process, **hello)
        self._attachments.append(attachment)
        return attachment

    def worker(self, name: str, *, alive: bool) -> Attachment:
        run = self.main.welcome.run
        return self._attach(name, alive, role="worker", worker=name, run=run)

    def reporter(self, attachment: Attachment, *, grouped: bool) -> Reporter:
        config = copy.copy(self._config)
        config.option = copy.copy(config.option)
        config.option.loadgroup = grouped
        return Reporter(
            config,
            attachment.segments,
            redactor=Redactor(limit=self._text_bytes),
            broken=self.broken.append,
        )

    def close(self) -> None:
        """Workers first, as xdist has it."""
        for attachment in reversed(self._attachments):
            attachment.segments.close()
            attachment.close()


def _unexpected(text: str) -> None:
    raise AssertionError(text)


def _dead_pid() -> int:
    """Of a process that ended: that of one that dies without a word."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def node(worker: str) -> SimpleNamespace:
    """What xdist tells its hooks of a worker, as far as anybody asks."""
    return SimpleNamespace(gateway=SimpleNamespace(id=worker))


def tear(attachment: Attachment) -> None:
    """As if the process had died within an append."""
    file = attachment.segments._file
    payload = b'{"k":"warn'
    struct.pack_into("<II", file.memory, file.offset, 100, 1)
    file.memory[file.offset + 8 : file.offset + 8 + len(payload)] = payload
