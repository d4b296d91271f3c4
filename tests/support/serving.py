"""A `host serve` of a test's own, and requests to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from support.polling import until
from support.processes import Outcome
from support.project import Project


@dataclass(frozen=True)
class Answer:
    """What a request came to."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Serving:
    """`host serve` in the folder of `project`, at a free port."""

    def __init__(self, project: Project, *flags: str, **environ: str) -> None:
        listen = () if "--listen" in flags else ("--listen", "127.0.0.1:0")
        self._project = project
        self._running = project.start("host", "serve", *listen, *flags, folder=None, **environ)
        found = until("a host to serve", self._find)
        self.url: str = found["url"]
        self.token: str | None = found["token"]
        #: What `--sinks-host` takes.
        self.address: str = found["address"]
        self.pid: int = found["pid"]
        self.host, self.port = urlsplit(self.url).hostname or "", urlsplit(self.url).port or 0

    def _find(self) -> Any:
        if not self._running.is_running():
            raise AssertionError(repr(self._running.finish()))
        try:
            text = (self._project.folder / ".pytest_host" / "serve.json").read_text()
        except FileNotFoundError:
            return None
        found = json.loads(text)
        return found if found["pid"] == self._running.pid else None

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: bool = True,
    ) -> Answer:
        """`body` goes as JSON, unless it is text or bytes."""
        sent = dict(headers or {})
        if token and self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, str | bytes):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        data = body.encode() if isinstance(body, str) else body
        assert data is None or isinstance(data, bytes)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def post(self, path: str, body: object) -> Answer:
        return self.ask("POST", path, body)

    def stop(self, number: int = signal.SIGTERM) -> Outcome:
        os.kill(self.pid, number)
        return self._running.finish()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._running.finish()

    def is_running(self) -> bool:
        return self._running.is_running()
