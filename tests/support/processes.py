"""Processes that a test starts, each ended by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.polling import until

#: Seconds for a command. CPython as a component is compiled by some: minutes where others want the
#: machine too.
END = 600.0


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    def __repr__(self) -> str:
        """For assertions that fail: with all that was printed."""
        return f"exit code {self.code} in {self.seconds:.1f} s\n{self.stdout}\n{self.stderr}"


class Running:
    """A command under way, in a session of its own, so that signals can be sent to all of it."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def finish(self, deadline: float = END) -> Outcome:
        try:
            stdout, stderr = self._process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            stdout, stderr = self._process.communicate()
            raise AssertionError(f"not within {deadline:g} s:\n{stdout}\n{stderr}") from None
        seconds = time.monotonic() - self._started
        return Outcome(self._process.returncode, stdout, stderr, seconds)

    def interrupt(self) -> None:
        """SIGINT, to this process alone."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Whatever is left of it."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.communicate()


def cores(folder: Path) -> list[int]:
    """The cores at work in `folder`; a core makes a session of its own, and outlives pytest."""
    found = []
    for pid, _, command in _processes():
        if "host core" in command and _folder(pid) == folder.resolve():
            found.append(pid)
    return found


def end_cores(folder: Path) -> None:
    for pid in cores(folder):
        os.kill(pid, signal.SIGKILL)
    until("cores to end", lambda: not cores(folder))


def child_of(parent: int, words: str) -> int:
    """The child of `parent` with these words in its command; 0 where there is none."""
    found = [pid for pid, of, command in _processes() if of == parent and words in command]
    return found[0] if found else 0


def _processes() -> list[tuple[int, int, str]]:
    """Process id, parent's process id and command of all that run."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    lines = (line.split(maxsplit=2) for line in listing.stdout.splitlines())
    return [(int(pid), int(parent), command) for pid, parent, command in lines]


def _folder(pid: int) -> Path | None:
    link = Path(f"/proc/{pid}/cwd")
    try:
        if link.parent.parent.joinpath("self").exists():
            return link.readlink()
        answer = subprocess.run(
            ["lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fn"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except OSError:
        return None  # it has ended
    names = [line[1:] for line in answer.stdout.splitlines() if line.startswith("n")]
    return Path(names[0]) if names else None
