"""One run of some kind, reported to the collector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from support import collecting
from support.collecting import Event
from support.processes import Outcome
from support.project import Project


def run(
    project: Project, files: Mapping[str, str], *args: str, code: int, **environ: str
) -> list[Event]:
    """What is told of these files' tests; whatever kind of run it is, it is whole."""
    return run_and_show(project, files, *args, code=code, **environ)[0]


def run_and_show(
    project: Project, files: Mapping[str, str], *args: str, code: int, **environ: str
) -> tuple[list[Event], Outcome]:
    collecting.configure(project)
    for name, text in files.items():
        project.write(name, text)
    outcome = project.run(
        *("pytest", "--sinks", "collector"), *args, folder=project.folder, **environ
    )
    assert outcome.code == code, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    collecting.check_collection(events)
    assert not collecting.of_kind(events, "gap"), outcome
    return events, outcome


def name(nodeid: str) -> str:
    """Without the file."""
    return nodeid.partition("::")[2]


def verdicts(events: list[Event]) -> dict[str, list[str]]:
    """Of every test's attempts, in order."""
    found: dict[str, list[str]] = {}
    for attempt in sorted(collecting.attempts(events), key=lambda attempt: attempt.number):
        found.setdefault(name(attempt.nodeid), []).append(attempt.verdict)
    return found


def plugins(project: Project) -> dict[str, str]:
    """Variables of a run that has the plugins which others are spared; see PLUGINS of xtask."""
    folder: Path = project.installation.scripts.parent / "plugins"
    if not folder.is_dir():
        pytest.fail(f"{folder} is not there; it is made by: cargo xtask test")
    return {"PYTHONPATH": str(folder)}
