"""Folders that nothing more fits into."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Full:
    """A file system of its own where that may be mounted; else a limit on the size of each file."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        folder.mkdir(mode=0o700)
        self.is_mounted = _mount(f"size={size},mode=700", "-t", "tmpfs", "none", str(folder))
        self._limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Of what is started meanwhile."""
        if self.is_mounted:
            yield
            return
        # Inherited, as the limit is: a write beyond it fails in place of killing its process.
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size // 3, self._limit[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._limit)
            signal.signal(signal.SIGXFSZ, before)

    def make_room(self) -> None:
        if self.is_mounted:
            assert _mount("remount,size=1g,mode=700", str(self._folder))

    def end(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write here; where nothing may be mounted, nobody but root."""
    if _mount("bind", str(folder), str(folder)):
        try:
            assert _mount("remount,bind,ro", str(folder))
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    assert os.geteuid() != 0, "root may write everywhere, and cannot mount here"
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)


def _mount(options: str, *what: str) -> bool:
    try:
        done = subprocess.run(
            ["mount", "-o", options, *what], capture_output=True, timeout=30, check=False
        )
    except OSError:
        return False
    return done.returncode == 0
