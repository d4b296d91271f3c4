"""Sinks that are written, built and tried as their authors do it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from support import variables
from support.processes import END, Outcome
from support.project import Project

LANGUAGES = ("rust", "python", "javascript")

_NATIVE = {
    "rust": ["cargo", "test", "--quiet"],
    "python": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
    "javascript": ["npm", "test"],
}


def tools() -> dict[str, str]:
    """The environment in which every tool is there that builds sinks."""
    assert variables.TOOLS, "PYTEST_HOST_TEST_TOOLS is not set: `cargo xtask test -- e2e/…` sets it"
    cargo = dict(json.loads(variables.CARGO or "[]"))
    first = [cargo.pop("FIRST_ON_PATH", "")]
    if program := cargo.pop("CARGO", ""):
        first.append(str(Path(program).parent))
    path = [*filter(None, first), variables.TOOLS, os.environ.get("PATH", os.defpath)]
    # Dependencies are compiled once, for all sinks that are built here.
    target = {"CARGO_TARGET_DIR": variables.TARGET} if variables.TARGET else {}
    return {**cargo, **target, "PATH": os.pathsep.join(path)}


def with_tools(project: Project) -> dict[str, str]:
    """Likewise, with the project's own commands first."""
    environ = tools()
    path = os.pathsep.join([str(project.installation.scripts), environ["PATH"]])
    return {**environ, "PATH": path}


@dataclass(frozen=True)
class Sink:
    """A project that was made and built."""

    language: str
    folder: Path
    component: Path
    #: What `host sink new`, its tests and `host sink build` printed.
    made: str
    tested: str
    built: str


#: Makes the sink of a language, once for all tests.
Built = Callable[[str], Sink]


def once(shared: Path, name: str, make: Callable[[Path], Mapping[str, str]]) -> Path:
    """A folder that is filled once, whichever process of this run comes first."""
    folder = shared / name
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            said = make(folder)
            done.write_text(json.dumps(said))
    return folder


def make_sink(project: Project, language: str, folder: Path) -> Mapping[str, str]:
    """As somebody would who has read the first lines of the guide."""
    environ = with_tools(project)
    made = run(project, "sink", "new", "report", "--lang", language, folder=folder, **environ)
    home = folder / "report"
    tested = subprocess.run(
        _NATIVE[language],
        cwd=home,
        env={**project.environ, **environ},
        capture_output=True,
        text=True,
        timeout=END,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    built = run(project, "sink", "build", folder=home, **environ)
    return {"made": made.stdout, "tested": tested.stdout, "built": built.stdout}


def run(project: Project, *args: str, folder: Path, **environ: str) -> Outcome:
    outcome = project.run("host", *args, folder=folder, **environ)
    assert outcome.code == 0, outcome
    return outcome


def sink_in(folder: Path, language: str) -> Sink:
    said = json.loads((folder / "done.json").read_text())
    home = folder / "report"
    return Sink(language, home, home / "report.wasm", **said)
