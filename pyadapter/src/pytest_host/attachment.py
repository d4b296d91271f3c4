"""What connects one pytest process to the host: a socket and a segment."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

from .connection import PROTOCOL, Connection, Message, Refused, Unavailable, read_token
from .redaction import Redactor
from .segment import Segments


@dataclass(frozen=True)
class Welcome:
    """The protocol's `welcome`."""

    run: str
    segments: str
    segment_bytes: int
    unread_bytes: int
    text_bytes: int
    finish: bool
    #: Whether pauses are to be written to files.
    pause_files: bool
    redact: Any

    @classmethod
    def parse(cls, message: Message) -> Welcome:
        try:
            return cls(
                run=str(message["run"]),
                segments=str(message["segments"]),
                segment_bytes=int(message["segment_bytes"]),
                unread_bytes=int(message["unread_bytes"]),
                text_bytes=int(message["text_bytes"]),
                finish=bool(message["finish"]),
                pause_files=bool(message.get("pause_files", True)),
                redact=message.get("redact"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"the host's welcome makes no sense ({error!r})") from None


class Attachment:
    """The host welcomed this process; in `config.stash[ATTACHED]`.

    A forked child lets go of it: what it inherited is the parent's.
    """

    def __init__(
        self,
        connection: Connection,
        segments: Segments,
        welcome: Welcome,
        hello: Message,
        redactor: Redactor,
    ) -> None:
        self.connection = connection
        self._hello = hello
        self.segments = segments
        self.welcome = welcome
        self.redactor = redactor
        self.dropped = False
        _let_go_at_fork(self)

    def rejoin(self, address: str, deadline: float) -> None:
        """Go on with the core at `address`, in place of one that is gone.

        Raises `Refused` or `Unavailable`.
        """
        connection = Connection.open(address, deadline)
        hello = {**self._hello, "token": read_token(address), "run": self.welcome.run}
        try:
            connection.send(hello, deadline)
            _await_welcome(connection, deadline)
        except BaseException:
            connection.close()
            raise
        self.connection.close()
        self.connection = connection

    def close(self) -> None:
        """The core takes this for the end of the process."""
        self.connection.close()
        _attached.discard(self)

    def drop(self) -> None:
        self.dropped = True
        self.segments.drop()
        self.connection.close()  # the parent's copy stays open


#: Where what else talks to the host finds how.
ATTACHED = pytest.StashKey[Attachment]()


def attach(
    address: str, deadline: float, *, process: str, token: str | None = None, **hello: Any
) -> Attachment:
    """Say hello to the core at `address` and wait for its welcome.

    Raises `Refused` or `Unavailable`.
    """
    connection = Connection.open(address, deadline)
    try:
        token = token or read_token(address)
        process = f"{re.sub(r'[^A-Za-z0-9]', '-', process)}-{os.getpid()}"
        message = {
            "type": "hello",
            "protocol": PROTOCOL,
            "token": token,
            "process": process,
            "pid": os.getpid(),
            **hello,
        }
        connection.send(message, deadline)
        welcome = _await_welcome(connection, deadline)
        redactor = _redactor(connection, welcome, token, deadline)
    except BaseException:
        connection.close()
        raise
    segments = Segments(
        welcome.segments,
        process,
        segment_bytes=welcome.segment_bytes,
        unread_bytes=welcome.unread_bytes,
    )
    return Attachment(connection, segments, welcome, message, redactor)


def _await_welcome(connection: Connection, deadline: float) -> Welcome:
    while (message := connection.receive(deadline)) is not None:
        if message["type"] == "refused":
            raise Refused(str(message.get("message")))
        if message["type"] == "welcome":
            return Welcome.parse(message)
    raise Unavailable("the host did not answer in time")


def _redactor(connection: Connection, welcome: Welcome, token: str, deadline: float) -> Redactor:
    """Before anything is written: a pattern that is none ends it all, and the host is told."""
    try:
        return Redactor.parse(welcome.redact, token, welcome.text_bytes)
    except Refused as refused:
        with contextlib.suppress(Unavailable):
            connection.send({"type": "refuse", "message": str(refused)}, deadline)
        raise


#: `os.register_at_fork` can't be undone, so there is one function for all.
_attached: weakref.WeakSet[Attachment] = weakref.WeakSet()
_registered = False


def _let_go_at_fork(attachment: Attachment) -> None:
    global _registered  # noqa: PLW0603
    _attached.add(attachment)
    if not _registered:
        _registered = True
        os.register_at_fork(after_in_child=_drop_all)


def _drop_all() -> None:
    for attachment in list(_attached):
        attachment.drop()
    _attached.clear()
