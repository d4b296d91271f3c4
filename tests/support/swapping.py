"""Runs whose sinks are changed while they go on."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.journals import journal_of, last, runs
from support.polling import until
from support.processes import Outcome, Running
from support.project import Project
from support.waiting import HELPERS

_VERSION = b"version of this component......."

TABLE = '[sink.mine]\nmodule = "mine.wasm"\ndir = "out"\nallow.write = ["out"]\n'
MINE = f'sinks = ["mine"]\n{TABLE}'

#: And one that does the same in another folder.
MORE = f"""sinks = ["mine", "more"]
{TABLE}[sink.more]
module = "mine.wasm"
dir = "more"
allow.write = ["more"]
"""

#: Before every STEP-th test it waits for somebody to make the file `go-<n>`.
SUITE = f"""
{HELPERS}

STEP = int(os.environ["STEP"])
PAUSE = float(os.environ.get("PAUSE", "0"))

@pytest.mark.parametrize("n", range(int(os.environ["TESTS"])))
def test_n(n):
    if n % STEP == 0:
        announce(f"at-{{n // STEP}}")
        wait(f"go-{{n // STEP}}")
    time.sleep(PAUSE)
"""


def component(guests: Path, version: str) -> bytes:
    """The guest `versioned`, which calls itself so."""
    text = version.encode().ljust(len(_VERSION), b".")
    assert len(text) == len(_VERSION)
    content = (guests / "versioned.wasm").read_bytes()
    assert content.count(_VERSION) == 1
    return content.replace(_VERSION, text)


def prepare(project: Project, guests: Path) -> None:
    """The sink `mine`, in version one."""
    (project.folder / "mine.wasm").write_bytes(component(guests, "one"))
    project.configure(MINE)


def replace(path: Path, content: bytes) -> None:
    """As editors and compilers do: whole, under another name, then renamed."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.rename(path)


@dataclass
class Steps:
    """A run that goes on from step to step."""

    project: Project
    running: Running

    def arrive(self, step: int) -> None:
        self.project.wait_for(f"at-{step}")

    def go(self, step: int) -> None:
        (self.project.folder / f"go-{step}").touch()

    def finish(self) -> Outcome:
        return self.running.finish()


def start(project: Project, *command: str, tests: int, step: int, pause: float = 0.0) -> Steps:
    project.write("test_n.py", SUITE)
    running = project.start(*command, TESTS=str(tests), STEP=str(step), PAUSE=str(pause))
    return Steps(project, running)


def nodeids(tests: int) -> list[str]:
    return [f"test_n.py::test_n[{n}]" for n in range(tests)]


def log(project: Project) -> str:
    path = project.folder / ".pytest_host" / "core.log"
    return path.read_text() if path.exists() else ""


def count_swaps(project: Project) -> int:
    return log(project).count("another module or other settings took over")


def wait_for_swaps(project: Project, count: int) -> None:
    until(f"{count} swaps", lambda: count_swaps(project) >= count)
    assert count_swaps(project) == count


def wait_for_refusals(project: Project, count: int) -> None:
    wait_for_log(project, "a change is refused: ", count)


def wait_for_log(project: Project, words: str, count: int = 1) -> None:
    until(f"{words!r} in the log", lambda: log(project).count(words) >= count)


def lines(project: Project, folder: str = "out") -> list[dict[str, Any]]:
    """All that `versioned` wrote, in order."""
    path = project.folder / folder / "events.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def events(project: Project, folder: str = "out") -> list[dict[str, Any]]:
    return [line for line in lines(project, folder) if "seq" in line]


def openings(project: Project, folder: str = "out", trapped: bool = False) -> list[str]:
    """Why each instance was opened; each knows how many there were, unless they trapped."""
    found = [line for line in lines(project, folder) if "opening" in line]
    assert trapped or [line["opened"] for line in found] == list(range(1, len(found) + 1))
    return [line["opening"].rpartition("::")[2].lower() for line in found]


def check_whole(project: Project, folder: str = "out") -> None:
    """Every event of the only run once, in order of the count that is kept in `state`."""
    (run,) = runs(project)
    found = events(project, folder)
    counts = Counter(event["seq"] for event in found)
    assert [seq for seq, count in counts.items() if count > 1] == []
    assert sorted(counts) == list(range(1, last(journal_of(project, run)) + 1))
    assert [event["count"] for event in found] == list(range(1, len(found) + 1))


def rewrite(project: Project, text: str) -> None:
    """Another host.toml, as an editor leaves it: renamed to its place."""
    replace(project.folder / "host.toml", text.encode())


def write_in_place(project: Project, text: str) -> None:
    """Another host.toml, as other editors do it: cut, and written anew."""
    with (project.folder / "host.toml").open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
