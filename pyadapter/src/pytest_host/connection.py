"""The socket to the host: what needs an answer goes here."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from typing import Any

from . import texts

PROTOCOL = 1

#: The protocol's bound on a line.
_LINE_BYTES = 4 << 20

Message = dict[str, Any]


class _Real:
    """As they were before any test replaced them: some fake time while they pause."""

    monotonic = staticmethod(time.monotonic)
    poll = staticmethod(select.poll)


_monotonic = _Real.monotonic
_poll = _Real.poll


class Unavailable(Exception):
    """There is no host to talk to. The run goes on; the text says why."""


class Refused(Exception):
    """The host can't do what was asked for. The text is for the user."""


class Connection:
    """One line of JSON each way at a time, each with a deadline.

    Deadlines are points of `time.monotonic()`.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream: socket.socket | None = stream
        self._identity = _identity(stream.fileno())
        self._received = bytearray()
        #: What was received for somebody else.
        self._kept: list[Message] = []

    @classmethod
    def open(cls, address: str, deadline: float) -> Connection:
        """Connect to the core at `address`, or raise `Unavailable`."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.settimeout(_remaining(deadline))
            stream.connect(os.path.join(address, "sock"))
            return cls(stream)
        except (OSError, ValueError) as error:
            stream.close()
            raise Unavailable(f"the host at {address} does not answer ({_text(error)})") from None

    def send_within(self, message: Message, seconds: float) -> None:
        self.send(message, _monotonic() + seconds)

    def send(self, message: Message, deadline: float) -> None:
        stream = self._usable()
        try:
            stream.settimeout(_remaining(deadline))
            stream.sendall(texts.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Unavailable(f"the host went away ({_text(error)})") from None

    def put_back(self, messages: list[Message]) -> None:
        """The next `receive` gets these first."""
        self._kept = messages + self._kept

    def receive(self, deadline: float) -> Message | None:
        """The next message, or `None` where none came in time."""
        if self._kept:
            return self._kept.pop(0)
        return self.receive_new(deadline)

    def receive_within(self, seconds: float) -> Message | None:
        """The next that was not received before."""
        return self.receive_new(_monotonic() + seconds)

    def wait(self, seconds: float, other: int) -> None:
        """Until something may have come, the file descriptor `other` can be read, or so long."""
        if b"\n" not in self._received:
            wait_for(seconds, other, self._usable().fileno())

    def receive_new(self, deadline: float) -> Message | None:
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                message = _parse(bytes(line))
                if message is not None:
                    return message
                continue
            if len(line) > _LINE_BYTES:
                raise Unavailable("the host sent a line without end")
            stream = self._usable()
            try:
                stream.settimeout(_remaining(deadline))
                data = stream.recv(1 << 16)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise Unavailable(f"the host went away ({_text(error)})") from None
            if not data:
                raise Unavailable("the host went away")
            self._received += data

    def close(self) -> None:
        if self._stream is None:
            return
        stream, self._stream = self._stream, None
        if _identity(stream.fileno()) == self._identity:
            with contextlib.suppress(OSError):
                stream.close()
        else:
            stream.detach()

    def _usable(self) -> socket.socket:
        """The socket, unless a test closed it behind our back.

        Its number may have been given to a file of the test's since.
        """
        if self._stream is None:
            raise Unavailable("the connection is closed")
        if _identity(self._stream.fileno()) != self._identity:
            self._stream.detach()
            self._stream = None
            raise Unavailable("a test closed the connection to the host")
        return self._stream


def wait_for(seconds: float, *descriptors: int) -> None:
    """Until one of them can be read, or for so long."""
    poll = _poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll(max(0.0, seconds) * 1000)


def read_token(address: str) -> str:
    try:
        with open(os.path.join(address, "token"), encoding="utf-8") as file:
            return file.readline().strip()
    except (OSError, ValueError) as error:
        raise Unavailable(f"there is no host at {address} ({_text(error)})") from None


def _parse(line: bytes) -> Message | None:
    """What is not an object of some type is ignored, as the protocol says."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "type" in message else None


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _remaining(deadline: float) -> float:
    """Seconds for `settimeout`, which takes 0 for "do not wait at all"."""
    return max(0.0, deadline - _monotonic())


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
