"""Run folders that nobody waits in go."""

from __future__ import annotations

import json
import os
import platform
import shutil
from typing import Any

from . import real
from .files import Files

#: Runs with pauses that are over are kept so long, in seconds, to be looked at,
_AGE = 7 * 24 * 3600.0
#: and so many of them.
_RUNS = 100


def remove_if_empty(files: Files) -> None:
    """At the end of a run that never paused."""
    if not files.has_pauses():
        shutil.rmtree(files.folder, ignore_errors=True)


def prune(files: Files) -> None:
    """Before a run begins: those of other runs."""
    over = []
    for name in _names(files.runs):
        folder = os.path.join(files.runs, name)
        if name == files.run_id or not _is_run(folder) or _is_open(folder):
            continue
        over.append((_changed(folder), folder))
    over.sort(reverse=True)
    oldest = real.now() - _AGE
    for place, (changed, folder) in enumerate(over):
        has_pauses = bool(_names(os.path.join(folder, "pauses")))
        if place >= _RUNS or changed < oldest or not has_pauses:
            shutil.rmtree(folder, ignore_errors=True)


def _is_run(folder: str) -> bool:
    return real.exists(os.path.join(folder, "pauses")) and not os.path.islink(folder)


def _is_open(folder: str) -> bool:
    """Whether its process may still pause, or waits."""
    if _may_run(_read(os.path.join(folder, "run.json"))):
        return True
    pauses = os.path.join(folder, "pauses")
    records = (_read(os.path.join(pauses, name)) for name in _names(pauses))
    return any(record.get("status") == "pending" and _may_run(record) for record in records)


def _may_run(record: dict[str, Any]) -> bool:
    """A process of another machine is not known to have ended; its pauses say so in time."""
    if record.get("hostname") != platform.node():
        return record.get("status") == "pending"
    pid = record.get("pid")
    return isinstance(pid, int) and real.is_running(pid)


def _read(path: str) -> dict[str, Any]:
    try:
        record = json.loads(real.read_text(path))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _names(folder: str) -> list[str]:
    try:
        return real.listdir(folder)
    except OSError:
        return []


def _changed(folder: str) -> float:
    try:
        return max(real.stat(folder).st_mtime, real.stat(os.path.join(folder, "pauses")).st_mtime)
    except OSError:
        return 0.0
