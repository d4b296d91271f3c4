"""A stand-in for the socket side of a host core; the segments it reads are real.

Run as a program it stands in for `host core`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import segments

Message = dict[str, Any]

RUN = "2026-11-21T10-10-42-3f9a"


PHASES = ("setup", "call", "teardown")


def _nobody(message: Message) -> None:
    raise AssertionError(f"nobody was welcomed: {message}")


class Core:
    """Welcomes everybody, and answers as its attributes say."""

    def __init__(self, folder: Path) -> None:
        self.address = folder / "address"
        self.address.mkdir(parents=True)
        self.segments = folder / "segments"
        self.segments.mkdir()
        (self.address / "token").write_text("s3cret\n")
        self.hellos: list[Message] = []
        self.finishes: list[Message] = []
        #: What `welcome` has on top, or instead.
        self.welcome: Message = {}
        #: Sent instead of `welcome`, if set.
        self.refusal: str | None = None
        #: Sent after `welcome`; `None` sends nothing, ever.
        self.verdict: Message | None = {"type": "ready", "sinks": ["publish"]}
        #: The `sinks` of `finished`; `None` never answers.
        self.sinks: list[Message] | None = [
            {"name": "publish", "delivered": 3, "set_aside": 0, "left": 0, "error": None}
        ]
        #: The `refused` of `finished`, where there is any.
        self.refused: list[str] = []
        #: As a core that dies does.
        self.drop_after_welcome = False
        #: Sent in answer to `finish`, before all else.
        self.late_refusal: str | None = None
        #: Called with each line after `hello`.
        self.on_message: Callable[[Message], None] | None = None
        #: To the process that was welcomed last.
        self.send: Callable[[Message], None] = _nobody
        self._listener = socket.socket(socket.AF_UNIX)
        # A Unix address has 107 bytes, pytest's temporary folders may have more.
        self._short = tempfile.TemporaryDirectory(prefix="core-")
        short = Path(self._short.name) / "sock"
        self._listener.bind(str(short))
        self._listener.listen()
        (self.address / "sock").symlink_to(short)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.close()
        self._short.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(stream,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, stream: socket.socket) -> None:
        def send(message: Message) -> None:
            stream.sendall(json.dumps(message).encode() + b"\n")

        # pytest may be gone before it read everything.
        with (
            contextlib.suppress(ConnectionError),
            stream,
            stream.makefile("r", encoding="utf-8") as lines,
        ):
            hello = json.loads(lines.readline())
            self.hellos.append(hello)
            self.send = send
            assert hello["token"] == "s3cret"
            send({"type": "news", "of": "a later version"})
            if self.refusal is not None:
                send({"type": "refused", "message": self.refusal})
                return
            welcome = {
                "type": "welcome",
                "protocol": 1,
                "run": RUN,
                "segments": str(self.segments),
                "segment_bytes": 1 << 16,
                "unread_bytes": 1 << 26,
                "text_bytes": 1 << 18,
                "finish": True,
            }
            send(welcome | self.welcome)
            if self.drop_after_welcome:
                return
            if self.verdict is not None:
                send(self.verdict)
            for line in lines:
                message = json.loads(line)
                if self.on_message is not None:
                    self.on_message(message)
                if message["type"] == "finish":
                    self.finishes.append(message)
                    if self.late_refusal is not None:
                        send({"type": "refused", "message": self.late_refusal})
                    if self.sinks is not None:
                        finished = {"type": "finished", "run": RUN, "sinks": self.sinks}
                        send({**finished, **({"refused": self.refused} if self.refused else {})})

    def frames(self, process: str = "main", *kinds: str) -> list[segments.Frame]:
        """Frames of the processes whose name starts so, all or those of some kinds."""
        return [
            frame
            for name in segments.processes(self.segments)
            if name.startswith(process)
            for frame in segments.read(self.segments, name)
            if not kinds or frame["k"] in kinds
        ]


def verdicts(core: Core, process: str = "main") -> dict[str, str]:
    """By name; only tests that ran once."""
    items = [test for frame in core.frames(process, "items") for test in frame["tests"]]
    return {items[frame["i"]]["name"]: frame["verdict"] for frame in core.frames(process, "end")}


def main() -> None:
    """`host core`: what it is asked goes to `asked.json` in the folder `CORE_FOLDER`."""
    folder = Path(os.environ["CORE_FOLDER"])
    if sys.argv[1:] == ["core", "--detach"]:
        subprocess.Popen([sys.executable, __file__, "core"]).returncode = 0  # left to itself
        return
    assert sys.argv[1:] == ["core"]
    request = sys.stdin.readline()
    environ = {name: value for name, value in os.environ.items() if name.startswith("PYTEST_HOST")}
    (folder / "asked.json").write_text(json.dumps([json.loads(request), environ]))
    if refusal := os.environ.get("CORE_REFUSES"):
        print(json.dumps({"type": "refused", "message": refusal}), flush=True)
        sys.exit(2)
    over = threading.Event()
    core = Core(folder)
    core.on_message = lambda message: over.set()
    print(json.dumps({"type": "listening", "address": str(core.address)}), flush=True)
    assert sys.stdin.readline() == ""
    over.wait(60)
    (folder / "hellos.json").write_text(json.dumps(core.hellos))
    core.close()


if __name__ == "__main__":
    main()
