"""Runs of events, each in a thread of its own."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .. import texts

#: The folder of this code.
_OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


class _Real:
    """As they were before any test replaced them."""

    monotonic = staticmethod(time.monotonic)
    now = staticmethod(time.time)


monotonic = _Real.monotonic
now = _Real.now


@dataclass
class Run:
    """One run of an event."""

    name: str
    instance: int
    #: Seconds since the orchestration began: by the plan, and when it really did.
    due: float
    started: float
    next: float | None = None
    duration: float = 0.0
    ok: bool = True
    message: str = ""
    traceback: str = ""


class Threads:
    """What happens in other threads, for the test's own to take."""

    def __init__(self) -> None:
        self._news: queue.SimpleQueue[Run | str] = queue.SimpleQueue()
        self._bell, self._ringer = socket.socketpair()
        self._ringer.setblocking(False)
        self._bell.setblocking(False)

    @property
    def bell(self) -> int:
        """A file descriptor that can be read once there is something to take."""
        return self._bell.fileno()

    def take(self) -> list[Run | str]:
        """Runs that have ended, and words that were told."""
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(1 << 12):
                pass
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._news.get_nowait())
        return found

    def tell(self, news: Run | str) -> None:
        self._news.put(news)
        # A bell that is full rings; one that is closed has nobody to hear it.
        with contextlib.suppress(OSError):
            self._ringer.send(b"!")

    def close(self) -> None:
        self._bell.close()
        self._ringer.close()

    def start(self, run: Run, call: Callable[[], Any]) -> None:
        """Nobody waits for a daemon: one that hangs keeps nothing from ending."""
        threading.Thread(
            target=self._run, args=(run, call), name=f"{run.name}-{run.instance}", daemon=True
        ).start()

    def _run(self, run: Run, call: Callable[[], Any]) -> None:
        began = monotonic()
        try:
            call()
        except pytest.skip.Exception:
            pass  # not this time, says the event
        except BaseException as error:  # whatever it is, it ends this event alone
            run.ok = False
            run.message = describe(error)
            run.traceback = _format(error)
        run.duration = monotonic() - began
        self.tell(run)

    def watch(self, word: str, call: Callable[[], Any]) -> threading.Thread:
        """Tells `word` once `call` has returned; what it raises, in place of it."""

        def run() -> None:
            try:
                call()
            except BaseException as error:
                self.tell(f"{word}: {describe(error)}")
            else:
                self.tell(word)

        thread = threading.Thread(target=run, name=f"orchestration-{word}", daemon=True)
        thread.start()
        return thread


def describe(error: BaseException) -> str:
    """In one line."""
    text = texts.safe(str, error).strip()
    first = text.splitlines()[0] if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _format(error: BaseException) -> str:
    tb = error.__traceback__
    # Ours say nothing about the event.
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_OWN):
        tb = tb.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, tb))
    except Exception as ours:
        return f"<no traceback: {type(ours).__name__}>"
