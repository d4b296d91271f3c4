"""A receiver of results: HTTP/1.1 with keep-alive, one thread a connection, standard library only.

    python tests/receiver.py --log FILE [--port 7777] [--status 500] [--delay 1.0] [--hang] …

Prints `listening http://127.0.0.1:PORT`, then appends one line of JSON to FILE for every request,
before it is answered: {method, path, headers: [[name, value], …], body, json, connection, status}.
`json` is null where the body is not JSON, `connection` counts connections from 1, `status` is null
where no answer is given. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Behaviour:
    """What becomes of requests."""

    #: Answered in turn; the last one for ever.
    statuses: list[int]
    #: Of 100 requests, how many get `failure` in place of their status, evenly spread.
    percent: int = 0
    failure: int | str = 503
    #: Seconds before each answer.
    delay: float = 0.0
    #: Accept and never answer.
    hang: bool = False
    #: Of the first so many requests, cut the connection instead of answering.
    resets: int = 0
    #: Sent along with every status of 400 and above, in seconds.
    retry_after: str | None = None
    #: Sent along with every status of 300 to 399.
    location: str | None = None
    #: Bytes of body in each answer.
    body: int = 0
    _requests: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self) -> int | str:
        """The status of the next request, `reset` or `stall`."""
        with self._lock:
            number = next(self._requests)
        if self.hang:
            return "stall"
        if number < self.resets:
            return "reset"
        if number * self.percent // 100 != (number + 1) * self.percent // 100:
            return self.failure
        return self.statuses[min(number, len(self.statuses) - 1)]


class Receiver(ThreadingHTTPServer):
    """Threads die with the process, so that `--hang` does not keep it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, log: Path, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.behaviour = behaviour
        self.connections = itertools.count(1)
        self._log = log.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def record(self, request: dict[str, Any]) -> None:
        line = json.dumps(request) + "\n"
        with self._lock:
            self._log.write(line)
            self._log.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer is two writes; with Nagle's algorithm the second waits 40 ms.
    disable_nagle_algorithm = True
    server: Receiver

    def setup(self) -> None:
        super().setup()
        self.number = next(self.server.connections)

    def handle_any(self) -> None:
        behaviour = self.server.behaviour
        body = self._read().decode(errors="replace")
        answer = behaviour.answer()
        status = answer if isinstance(answer, int) else None
        self.server.record(
            {
                "method": self.command,
                "path": self.path,
                "headers": list(self.headers.items()),
                "body": body,
                "json": _json(body),
                "connection": self.number,
                "status": status,
            }
        )
        if answer == "stall":
            threading.Event().wait()
        if status is None:
            self._reset()
            return
        time.sleep(behaviour.delay)
        self._respond(status, behaviour)

    do_DELETE = do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = handle_any  # noqa: N815

    def _read(self) -> bytes:
        """The body, which comes in chunks where its length was not known beforehand."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def _respond(self, status: int, behaviour: Behaviour) -> None:
        self.send_response(status)
        if status >= 400 and behaviour.retry_after is not None:
            self.send_header("Retry-After", behaviour.retry_after)
        if 300 <= status < 400 and behaviour.location is not None:
            self.send_header("Location", behaviour.location)
        self.send_header("Content-Length", str(behaviour.body))
        self.end_headers()
        self.wfile.write(b"x" * behaviour.body)

    def _reset(self) -> None:
        """Cut the connection: a linger of 0 s makes the close a reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """The log is a file of its own."""


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _failure(text: str) -> int | str:
    return text if text in ("reset", "stall") else int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Receives test results over HTTP and logs them.")
    parser.add_argument("--log", type=Path, required=True, help="append a line of JSON a request")
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument(
        "--status", type=int, nargs="+", default=[200], help="in turn, last for ever"
    )
    parser.add_argument("--percent", type=int, default=0, help="of requests that get --failure")
    parser.add_argument(
        "--failure", type=_failure, default=503, help="a status, `reset` or `stall`"
    )
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--hang", action="store_true", help="accept and never answer")
    parser.add_argument("--resets", type=int, default=0, help="cut the first so many connections")
    parser.add_argument("--retry-after", help="seconds or a date, sent with 4xx and 5xx")
    parser.add_argument("--location", help="sent with 3xx")
    parser.add_argument("--body", type=int, default=0, help="bytes of body in each answer")
    args = parser.parse_args()
    behaviour = Behaviour(
        args.status,
        percent=args.percent,
        failure=args.failure,
        delay=args.delay,
        hang=args.hang,
        resets=args.resets,
        retry_after=args.retry_after,
        location=args.location,
        body=args.body,
    )
    receiver = Receiver(args.port, args.log, behaviour)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening http://127.0.0.1:{receiver.server_port}", flush=True)
    receiver.serve_forever()


if __name__ == "__main__":
    main()
