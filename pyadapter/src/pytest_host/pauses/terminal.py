"""Tells whoever sits at the terminal that a test is paused."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import pytest

from .. import summary
from . import shown
from .waiting import Pause


def say(config: pytest.Config, pause: Pause, command: str) -> None:
    """With capturing off for as long as that takes."""
    until = time.strftime("%H:%M:%S", time.localtime(pause.created + min(pause.timeout, 1e9)))
    why = pause.task if pause.kind == "checkpoint" else "failed"
    text = f"{pause.nodeid} is paused until {until} ({' '.join(why.split())})"
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    disabled = (
        contextlib.nullcontext() if manager is None else manager.global_and_fixture_disabled()
    )
    with contextlib.suppress(Exception), disabled:
        lines = (shown.text(text), f"answer it with: {command}")
        _write(config, [f"{summary.PREFIX}{line}" for line in lines])


def _write(config: pytest.Config, lines: list[str]) -> None:
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is None or hasattr(config, "workerinput"):
        # An xdist worker has no terminal of its own; its standard error is the controller's.
        error = sys.__stderr__
        if error is not None:
            error.write("".join(f"\n{line}" for line in lines) + "\n")
            error.flush()
        return
    terminal.ensure_newline()
    for line in lines:
        terminal.write_line(line)
    terminal.flush()
