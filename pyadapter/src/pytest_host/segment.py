"""Writer of the files that carry events from this process to the host.

The format is that of `docs/protocol.md`. What was appended reaches the host
whatever becomes of this process afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from zlib import crc32

MAGIC = b"pyhseg\x00\x01"
FILE_HEADER = struct.Struct("<8sII")
FRAME_HEADER = struct.Struct("<II")

#: In place of a frame's length: the stream goes on in the next file.
GOES_ON = 0xFFFFFFFF

#: Kept free behind the last frame of a file, for `GOES_ON`.
_MARK_BYTES = 8

#: More than any `gap` frame takes: its texts are ours and `strerror`'s.
_GAP_BYTES = 512

#: Seconds until a file that could not be made is tried again, so that a full
#: disk does not cost every frame a system call.
_RETRY_AFTER = 0.02

#: Errors that say "this file system can't", not "the disk is full".
_CANNOT_ALLOCATE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})

_ZEROS = bytes(1 << 16)

_pack_header = FRAME_HEADER.pack_into


class _Real:
    """Functions as they were before any test replaced them.

    Libraries that fake files or time (pyfakefs, freezegun, mocks of `os`)
    replace what they find in modules, while pytest reports to us; a file made
    in such a fake is one that the host never sees.
    """

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    pwrite = staticmethod(os.pwrite)
    replace = staticmethod(os.replace)
    stat = staticmethod(os.stat)
    unlink = staticmethod(os.unlink)
    getpid = staticmethod(os.getpid)
    allocate: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class _File:
    """The file that frames go to. One object, so that one store replaces it."""

    __slots__ = ("limit", "memory", "number", "offset")

    def __init__(self, memory: mmap.mmap | bytearray, number: int, offset: int, limit: int) -> None:
        self.memory = memory
        self.number = number
        self.offset = offset
        #: Where the last frame must end; 0 where nothing may follow.
        self.limit = limit

    @classmethod
    def none(cls) -> _File:
        """Takes no frames; the next one is the first."""
        return cls(bytearray(_MARK_BYTES), -1, 0, 0)


class Segments:
    """One process's stream of frames, in files `<folder>/<process>.<n>.seg`.

    `append` raises nothing of its own: frames that can't be kept are counted,
    and a `gap` frame tells how many as soon as one fits.
    """

    __slots__ = (
        "_busy",
        "_dropped",
        "_file",
        "_first_left_out",
        "_incoming",
        "_left_out",
        "_lock",
        "_ordinal",
        "_path",
        "_reason",
        "_retry_at",
        "_segment_bytes",
        "_unread",
        "_unread_bytes",
        "left_out",
    )

    def __init__(self, folder: str, process: str, *, segment_bytes: int, unread_bytes: int) -> None:
        # Absolute, since tests change the working directory.
        self._path = os.path.join(os.path.abspath(folder), process)
        self._segment_bytes = segment_bytes
        self._unread_bytes = unread_bytes
        self._lock = threading.Lock()
        self._file = _File.none()
        self._incoming: _File | None = None
        #: Path and size of every file that the host may not have read yet.
        self._unread: deque[tuple[str, int]] = deque()
        self._busy = False
        self._dropped = False
        self._ordinal = 0
        self._left_out = 0
        self._first_left_out = 0
        self._reason = ""
        self._retry_at = 0.0
        #: Frames left out so far, told or not.
        self.left_out = 0

    def append(self, payload: bytes) -> None:
        """Add one frame."""
        with self._lock:
            if self._busy:
                self._recover()
            size = len(payload)
            file = self._file
            if file.offset + size + 15 > file.limit:
                if not self._roll(size):
                    self._leave_out()
                    return
                file = self._file
            self._put(file, payload, size)
            self._ordinal += 1

    def end(self) -> None:
        """What follows is little, and the last: it is kept however far the host is behind."""
        with self._lock:
            self._unread_bytes = sys.maxsize
            self._retry_at = 0.0

    def close(self) -> None:
        """Tell of what was left out, and give the memory back."""
        with self._lock:
            if self._busy:
                self._recover()
            if self._left_out:
                self._retry_at = 0.0
                self._roll(0)
            self._discard()

    def drop(self) -> None:
        """In a forked child: let go of the parent's stream."""
        self._lock = threading.Lock()  # another thread may have held the old one
        self._discard()

    def _discard(self) -> None:
        self._dropped = True
        self._incoming = None
        self._file = _File.none()

    def _put(self, file: _File, payload: bytes, size: int) -> None:
        offset = file.offset
        memory = file.memory
        self._busy = True
        memory[offset + 8 : offset + 8 + size] = payload
        # Last: a frame counts once its length and checksum hold.
        _pack_header(memory, offset, size, crc32(payload))
        file.offset = offset + 8 + size + (-size & 7)
        self._busy = False

    def _recover(self) -> None:
        """Go on after an exception out of a signal handler (Ctrl-C, a time limit).

        It may have come between any two instructions: the next file was made
        and not taken over, or a frame was published and not stepped over.
        """
        if self._incoming is not None:
            self._switch(self._incoming)
        file = self._file
        if file.limit:
            memory, offset = file.memory, file.offset
            size, _ = FRAME_HEADER.unpack_from(memory, offset)
            if size:
                file.offset = offset + 8 + size + (-size & 7)
            else:
                # Half a payload must not be taken for a header later on.
                memory[offset:] = bytes(len(memory) - offset)
        self._busy = False

    def _roll(self, size: int) -> bool:
        """Go on in a new file with room for `size` bytes, if there can be one."""
        # Even where a smaller frame would still fit: the stream keeps its order.
        self._file.limit = 0
        now = _Real.monotonic()
        if self._dropped or now < self._retry_at:
            return False
        problem = self._extend(size)
        if problem is not None:
            self._reason = problem
            self._retry_at = now + _RETRY_AFTER
            return False
        if self._left_out:
            gap = json.dumps(
                {
                    "k": "gap",
                    "t": _Real.now(),
                    "first": self._first_left_out,
                    "count": self._left_out,
                    "reason": self._reason[:60],
                }
            ).encode()
            self._left_out = 0
            self._put(self._file, gap, len(gap))
        return True

    def _extend(self, size: int) -> str | None:
        """Make the next file and switch to it, or say why that can't be."""
        need = FILE_HEADER.size + size + 16 + _MARK_BYTES
        if self._left_out:
            need += _GAP_BYTES
        total = max(self._segment_bytes, need)
        total += -total & 7
        while self._unread and not _exists(self._unread[0][0]):
            self._unread.popleft()
        if total + sum(size for _, size in self._unread) > self._unread_bytes:
            return f"the host is {self._unread_bytes} bytes behind"
        number = self._file.number + 1
        self._busy = True
        try:
            memory = _allocate(self._name(number), number, total)
        except OSError as error:
            self._busy = False
            return error.strerror or type(error).__name__
        self._incoming = _File(memory, number, FILE_HEADER.size, total - _MARK_BYTES)
        self._switch(self._incoming)
        self._busy = False
        return None

    def _switch(self, incoming: _File) -> None:
        """Safe to do again."""
        old = self._file
        if old is not incoming:
            struct.pack_into("<I", old.memory, old.offset, GOES_ON)
            self._unread.append((self._name(incoming.number), len(incoming.memory)))
            self._file = incoming
        self._incoming = None

    def _name(self, number: int) -> str:
        return f"{self._path}.{number}.seg"

    def _leave_out(self) -> None:
        if not self._left_out:
            self._first_left_out = self._ordinal
        self._left_out += 1
        self.left_out += 1
        self._ordinal += 1


def _exists(path: str) -> bool:
    try:
        _Real.stat(path)
    except OSError:
        return False
    return True


def _allocate(path: str, number: int, size: int) -> mmap.mmap:
    """Make a file of `size` bytes that are really there, and map it.

    A write to a sparse page on a full disk would be a SIGBUS. The file gets
    its name last, so whoever sees it sees its header.
    """
    unfinished = f"{path}.new"
    fd = _Real.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _reserve(fd, size)
        if sys.version_info >= (3, 13):
            # Without a descriptor of its own there is none for a test to
            # close, and none to be closed later in place of somebody else's.
            memory = mmap.mmap(fd, size, trackfd=False)
        else:
            memory = mmap.mmap(fd, size)
        FILE_HEADER.pack_into(memory, 0, MAGIC, _Real.getpid(), number)
        _Real.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            _Real.unlink(unfinished)
        raise
    finally:
        _Real.close(fd)
    return memory


def _reserve(fd: int, size: int) -> None:
    if _Real.allocate is not None:
        try:
            _Real.allocate(fd, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_ALLOCATE:
                raise
        else:
            return
    for offset in range(0, size, len(_ZEROS)):
        _Real.pwrite(fd, _ZEROS[: size - offset], offset)
