"""A WebSocket server in the test's own process, that keeps what it reads."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from support.polling import until

Message = dict[str, Any]


@dataclass
class Connection:
    """One connection, as far as it came."""

    ws: ServerConnection
    path: str
    headers: dict[str, str]
    texts: list[str] = field(default_factory=list)
    #: Of the close frame; absent where none came.
    code: int | None = None
    #: Everything was read that came.
    ended: bool = False


class Capture:
    """Reads with a pause before each message (`delay`); of the first connections, cuts each after
    as many messages as `cut_after` has for it. Pings every `ping` seconds. `certificate` is a
    folder with `cert.pem` and `key.pem`."""

    def __init__(
        self,
        *,
        delay: float = 0.0,
        cut_after: tuple[int, ...] = (),
        ping: float | None = None,
        certificate: Path | None = None,
        port: int = 0,
    ) -> None:
        self.connections: list[Connection] = []
        self._delay = delay
        self._cut_after = list(cut_after)
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        self._server = self._serve(port, ping)

    def _serve(self, port: int, ping: float | None) -> Server:
        server = serve(
            self._handle,
            "127.0.0.1",
            port,
            max_size=None,
            compression=None,
            ping_interval=ping,
            ping_timeout=None,
            ssl=self._context,
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    @property
    def port(self) -> int:
        port: int = self._server.socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        server = "ws://127.0.0.1" if self._context is None else "wss://localhost"
        return f"{server}:{self.port}/p"

    def _handle(self, ws: ServerConnection) -> None:
        request = ws.request
        assert request is not None
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        connection = Connection(ws, request.path, headers)
        room = self._cut_after.pop(0) if self._cut_after else None
        self.connections.append(connection)
        try:
            for text in ws:
                time.sleep(self._delay)
                connection.texts.append(str(text))
                if len(connection.texts) == room:
                    # What has come by now was answered for, and is read on.
                    ws.socket.shutdown(socket.SHUT_RDWR)
        except ConnectionClosed:
            pass
        finally:
            connection.code = ws.close_code
            connection.ended = True

    def messages(self) -> list[Message]:
        """Of all connections, without how each begins."""
        found = []
        for connection in self.connections:
            greeting, *texts = connection.texts or ['{"type":"pytest-source","payload":null}']
            assert greeting == '{"type":"pytest-source","payload":null}'
            found += [json.loads(text) for text in texts]
        return found

    def wait(self) -> None:
        """Until all was read: pings are answered before that is looked at which is in front."""
        until("connections to end", lambda: all(each.ended for each in self.connections))

    def end(self) -> None:
        self._server.shutdown()
