"""A command in a terminal of its own, as a shell starts it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from support.polling import DEADLINE
from support.project import Project


class Terminal:
    def __init__(
        self, project: Project, *command: str, size: tuple[int, int] = (24, 80), **environ: str
    ) -> None:
        """`size` is in rows and columns."""
        self._master, slave = pty.openpty()
        self._size = size
        self._resize(0)
        self._said = b""
        program = str(project.installation.scripts / command[0])
        self._process = subprocess.Popen(
            (program, *command[1:]),
            cwd=project.folder,
            env={**project.environ, "TERM": "xterm", **environ},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # There is no other way to a controlling terminal, and this process has one thread.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(slave)

    @property
    def pid(self) -> int:
        return self._process.pid

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def wait_for(self, words: str) -> None:
        """Until it has printed them."""
        end = time.monotonic() + DEADLINE
        wider, whole = 0, time.monotonic() + 1
        while words not in self._text():
            if time.monotonic() > end:
                raise AssertionError(f"no {words!r} within {DEADLINE:g} s:\n{self._text()}")
            self._read()
            if time.monotonic() > whole:
                # A screen is drawn by its differences, and whole only where its size is another.
                wider, whole = 1 - wider, time.monotonic() + 1
                self._resize(wider)

    def hang_up(self) -> int:
        """Close the terminal; returns the exit code of what ran in it."""
        os.close(self._master)
        try:
            return self._process.wait(timeout=DEADLINE)
        finally:
            self._process.kill()

    def finish(self) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        end = time.monotonic() + DEADLINE
        try:
            while time.monotonic() < end:
                self._read()
        except OSError:
            pass  # Linux's way to say that nobody has the terminal open any more
        finally:
            if self._process.poll() is None and time.monotonic() >= end:
                os.killpg(self._process.pid, signal.SIGKILL)
            code = self._process.wait(timeout=DEADLINE)
            os.close(self._master)
        return code, self._text()

    def _resize(self, wider: int) -> None:
        rows, columns = self._size
        size = struct.pack("HHHH", rows, columns + wider, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _read(self) -> None:
        if select.select([self._master], [], [], 0.1)[0]:
            self._said += os.read(self._master, 1 << 16)

    def _text(self) -> str:
        return self._said.decode(errors="replace").replace("\r\n", "\n")
