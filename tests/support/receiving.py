"""The receiver as a process, and what it got."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[1] / "receiver.py"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str
    json: Any
    connection: int
    status: int | None

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


class Receiver:
    def __init__(self, log: Path, *behaviour: str, port: int = 0) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--log", str(log), "--port", str(port), *behaviour],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        word, _, self.address = self._process.stdout.readline().strip().partition(" ")
        assert word == "listening", "the receiver did not start"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def url(self) -> str:
        return f"{self.address}/test-update"

    def requests(self) -> list[Request]:
        """In order of arrival."""
        lines = self._log.read_text().splitlines(keepends=True)
        whole = [json.loads(line) for line in lines if line.endswith("\n")]
        for request in whole:
            request["headers"] = {name.lower(): value for name, value in request["headers"]}
        return [Request(**request) for request in whole]

    def results(self) -> list[Any]:
        """What was sent, each once: a key that comes again is the same result."""
        first: dict[str, Any] = {}
        for request in self.requests():
            known = first.setdefault(request.key, request.json)
            assert known == request.json, f"two results have the key {request.key}"
        return list(first.values())

    def end(self) -> None:
        """More than once is fine."""
        self._process.terminate()
        self._process.communicate(timeout=30)
