"""Very many events: what a core takes of memory does not grow with them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from support import pouring, variables
from support.guests import folder_of_guests
from support.project import Project

EVENTS = int(variables.EVENTS or 60_000)
SINKS = ("one", "two", "three")

#: MiB that it may grow by from the first tenth of the events on.
MARGIN = 48


def table(project: Project, name: str) -> str:
    module, folder = folder_of_guests() / "collector.wasm", project.folder / name
    text = f'module = "{module}"\ndir = "{folder}"\nallow.write = ["{folder}"]\n'
    return f"[sink.{name}]\n{text}"


def memory(core: int) -> float:
    """MiB that are in use now."""
    status = Path(f"/proc/{core}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def delivered(project: Project) -> float:
    """Bytes that the slowest of the sinks wrote."""
    files = [project.folder / name / "events.jsonl" for name in SINKS]
    return min(file.stat().st_size if file.exists() else 0 for file in files)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """For a million: PYTEST_HOST_TEST_EVENTS=1000000, with -s for the figures."""
    tables = "\n".join(table(project, name) for name in SINKS)
    project.configure(f"sinks = {json.dumps(SINKS)}\n{tables}")
    pour = f"{project.installation.python} {pouring.__file__} {EVENTS}"
    started = time.monotonic()
    running = project.start("host", "run", "--runner", pour, "--drain-timeout=10min")
    core = project.core()
    samples: list[tuple[float, float]] = []
    while running.is_running():
        try:
            samples.append((delivered(project), memory(core)))
        except (OSError, ValueError):
            break  # the core has ended
        time.sleep(0.2)
    outcome = running.finish()
    assert outcome.code == 0, outcome
    seconds = time.monotonic() - started
    whole = delivered(project)
    for name in SINKS:
        with (project.folder / name / "events.jsonl").open() as file:
            # Besides those of the tests: the session's start and end, the collection and its end.
            assert sum(1 for _ in file) == EVENTS + 4, outcome
    early = max(used for done, used in samples if done <= whole / 10)
    late = max(used for done, used in samples)
    with capsys.disabled():
        print(
            f"\n{EVENTS} events through {len(SINKS)} sinks in {seconds:.0f} s: {early:.0f} MiB in"
            f" the first tenth, {late:.0f} MiB at the most"
        )
    assert late < early + MARGIN
