"""Starts a host core for this run."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO

import pytest

from . import texts
from .connection import Refused, Unavailable

#: Names another binary, for those who work on the host itself.
BINARY_VARIABLE = "PYTEST_HOST_BINARY"

#: The environment as this process got it; the core reads `PYTEST_HOST*` from it.
ENVIRON = pytest.StashKey[dict[str, str]]()

_NAME = "host"

#: How names of sinks end that are scripts.
_SCRIPTS = (".py", ".js", ".mjs", ".ts")


def start_core(directory: str, environ: Mapping[str, str], deadline: float) -> str:
    """Start a core and return its address.

    What this run asks for is not said here but in `hello`, so that there is
    one way for it, whoever started the core.
    """
    binary = find_binary(environ)
    try:
        process = subprocess.Popen(
            [binary, "core", "--detach"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=directory,
            env=dict(environ),
        )
    except OSError as error:
        raise Unavailable(f"{binary} could not be started ({error.strerror})") from None
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout as answers:
        # Closing its input tells the core that it is on its own from here on.
        # A core that is gone already says so by the end of its answers.
        with contextlib.suppress(BrokenPipeError), process.stdin as request:
            request.write(texts.dumps({"directory": directory}).encode() + b"\n")
        try:
            return _read_address(answers, binary, deadline)
        finally:
            _reap(process, deadline)


def build_scripts(
    directory: str,
    environ: Mapping[str, str],
    names: Iterable[str],
    tell: Callable[[str], None],
) -> None:
    """Have the host build the sinks among `names` that are scripts, if it has not yet.

    That takes longer than a core may hold up a run. Raises `Refused` where one cannot be built.
    """
    scripts = [name for name in names if name.endswith(_SCRIPTS)]
    if not scripts:
        return
    process = subprocess.Popen(
        [find_binary(environ), "sink", "prepare", "--new", *scripts],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=directory,
        env=dict(environ),
        text=True,
        errors="replace",
    )
    last = ""
    assert process.stderr is not None
    with process.stderr as lines:
        for line in lines:
            last = line.rstrip().removeprefix("host: ")
            tell(last)
    if process.wait() != 0:
        raise Refused(last)


def _reap(process: subprocess.Popen[bytes], deadline: float) -> None:
    """What was started ends at once, and leaves a core that is nobody's child.

    So a test that waits for its own children, or lists them, does not meet it.
    """
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.returncode = 0  # or `Popen` warns that it is still running


def find_binary(environ: Mapping[str, str]) -> str:
    """Where the wheel put it, else the first on the path."""
    if override := environ.get(BINARY_VARIABLE):
        return override
    for folder in _script_folders():
        candidate = os.path.join(folder, _NAME)
        if os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which(_NAME, path=environ.get("PATH"))
    if found is None:
        raise Unavailable("the `host` program is not installed")
    return found


def _script_folders() -> Iterator[str]:
    yield sysconfig.get_path("scripts")
    with contextlib.suppress(KeyError):  # not every platform has a user scheme
        yield sysconfig.get_path("scripts", f"{os.name}_user")


def _read_address(answers: IO[bytes], binary: str, deadline: float) -> str:
    line = _read_line(answers.fileno(), deadline)
    if line is None:
        raise Unavailable("the host did not start in time")
    if not line:
        raise Unavailable(f"{binary} ended at once")
    try:
        answer = json.loads(line)
        if answer["type"] == "refused":
            raise Refused(str(answer["message"]))
        return str(answer["address"])
    except (ValueError, TypeError, KeyError):
        # Not far-fetched: the DNS tool of the same name may come first.
        raise Unavailable(f"{binary} is not pytest-host's `host`") from None


def _read_line(fd: int, deadline: float) -> bytes | None:
    """One line, what there was of it at the end, or `None` at the deadline."""
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            data = os.read(fd, 1 << 16)
            if not data:
                break
            line += data
    return line.partition(b"\n")[0]
