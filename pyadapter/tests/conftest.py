from __future__ import annotations

import importlib.metadata
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from core import Core

# A shell that starts tests in the background has them ignore Ctrl-C, and so does
# whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"

#: Whether pytest finds the plugin by itself, as it does where the wheel is installed.
INSTALLED = any(
    point.value == "pytest_host.plugin"
    for point in importlib.metadata.entry_points(group="pytest11")
)

PLUGIN = () if INSTALLED else ("-p", "pytest_host.plugin")

Run = Callable[..., pytest.RunResult]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PYTEST_") and name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    monkeypatch.delenv("CI", raising=False)
    if not INSTALLED:
        monkeypatch.setenv("PYTHONPATH", str(SOURCE), prepend=os.pathsep)


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run pytest with the plugin; in a process of its own, so its life can be looked at."""

    def run(*args: str, inprocess: bool = False) -> pytest.RunResult:
        full = (*PLUGIN, "-p", "no:cacheprovider", *args)
        if inprocess:
            return pytester.runpytest_inprocess(*full)
        return pytester.runpytest_subprocess(*full, timeout=60)

    return run


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    core = Core(tmp_path / "core")
    yield core
    core.close()


@pytest.fixture
def report(core: Core, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest attached to `core`."""

    def report(*args: str, inprocess: bool = False) -> pytest.RunResult:
        monkeypatch.setenv("PYTEST_HOST_ADDRESS", str(core.address))
        return run(*args, inprocess=inprocess)

    return report


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `host` whose `core` is the test double; its folder is the return value's parent."""
    folder = tmp_path / "binary"
    folder.mkdir()
    program = folder / "host"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "core.py"}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PYTEST_HOST_BINARY", str(program))
    monkeypatch.setenv("CORE_FOLDER", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE), prepend=os.pathsep)
    return program
