"""Files and clocks as they are, whatever a test has put in their place.

A test that fakes files or time pauses while it does, and whoever answers lives
outside of its fake.
"""

from __future__ import annotations

import contextlib
import os
import time


class _Real:
    """Functions as they were before any test replaced them; see `segment`."""

    open = staticmethod(os.open)
    read = staticmethod(os.read)
    write = staticmethod(os.write)
    close = staticmethod(os.close)
    replace = staticmethod(os.replace)
    unlink = staticmethod(os.unlink)
    stat = staticmethod(os.stat)
    lstat = staticmethod(os.lstat)
    mkdir = staticmethod(os.mkdir)
    chmod = staticmethod(os.chmod)
    listdir = staticmethod(os.listdir)
    kill = staticmethod(os.kill)
    geteuid = staticmethod(os.geteuid)
    getpid = staticmethod(os.getpid)
    monotonic = staticmethod(time.monotonic)
    now = staticmethod(time.time)


monotonic = _Real.monotonic
now = _Real.now
getpid = _Real.getpid
geteuid = _Real.geteuid
stat = _Real.stat
lstat = _Real.lstat
mkdir = _Real.mkdir
chmod = _Real.chmod
listdir = _Real.listdir


def read_text(path: str) -> str:
    """UTF-8. Raises `OSError` or `UnicodeDecodeError`."""
    fd = _Real.open(path, os.O_RDONLY)
    try:
        data = b""
        while piece := _Real.read(fd, 1 << 16):
            data += piece
    finally:
        _Real.close(fd)
    return data.decode("utf-8")


def write_text(path: str, text: str) -> None:
    """Whole or not at all: whoever sees the file sees all of it."""
    unfinished = f"{path}.tmp"
    _write(unfinished, os.O_TRUNC, text)
    _Real.replace(unfinished, path)


def append_text(path: str, text: str) -> None:
    """In one piece, however many processes do so."""
    _write(path, os.O_APPEND, text)


def _write(path: str, flag: int, text: str) -> None:
    fd = _Real.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    try:
        data = text.encode("utf-8")
        while data:
            data = data[_Real.write(fd, data) :]
    finally:
        _Real.close(fd)


def remove(path: str) -> None:
    with contextlib.suppress(OSError):
        _Real.unlink(path)


def exists(path: str) -> bool:
    try:
        _Real.lstat(path)
    except OSError:
        return False
    return True


def is_running(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        _Real.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True
