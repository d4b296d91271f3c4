"""A `host serve` whose WebSockets a test talks to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from support.processes import Running
from support.project import Project
from support.serving import Serving


class LiveHost(Serving):
    def __init__(self, project: Project, *flags: str) -> None:
        super().__init__(project, *flags)
        self.project = project
        assert self.token
        self.secret: str = self.token
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def socket(self, path: str = "/ws", **options: Any) -> ClientConnection:
        """A WebSocket, with the token, and with no bound of a message."""
        address = self.url.replace("http", "ws", 1) + path
        options = {"max_size": None, "additional_headers": self.headers, **options}
        socket: ClientConnection = connect(address, **options)
        return socket

    def pytest(self, *args: str) -> Running:
        """A run that this host serves."""
        # In one word: pytest takes a path that stands alone for that of tests.
        return self.project.start("pytest", f"--sinks-host={self.address}", *args)

    def metrics(self) -> str:
        return self.ask("GET", "/metrics").text

    def resident(self) -> int:
        """Bytes of memory that the host has now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024
