"""The commands in the docs are run, in an empty folder, as somebody would who reads them.

In blocks of the language `console` a line that begins with `$ ` is a command, one with `> ` goes
on with it, and the others are what it prints: each of them has to come, in that order, with
anything where `…` stands. A command ends with 0, unless `# exit N` stands behind it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.authoring import LANGUAGES, with_tools
from support.processes import END
from support.project import Project

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.name for path in (DOCS / "migrating").glob("*.md"))
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Step:
    command: str
    expected: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        found = re.search(r"# exit (\d+)", self.command)
        return int(found[1]) if found else 0


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:]))
            elif line.startswith("> ") or line == ">":
                found[-1].command += "\n" + line[2:]
            elif line.strip() not in ("", "…"):
                found[-1].expected.append(line.strip())
    return found


def play(project: Project, todo: list[Step], **environ: str) -> None:
    """All in one shell, so that a command in the background is still there for the next one."""
    script = ["exec 3>&1"]
    for number, step in enumerate(todo):
        script.append(f"printf '\\0begin {number}\\n'")
        script.append(step.command)
        script.append("printf '\\0end %s\\n' $?")
    shell = subprocess.Popen(
        ["bash", "-c", "\n".join(script)],
        cwd=project.folder,
        env={**project.environ, "PATH": path_of(project), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=END)
    finally:
        # Whatever a page leaves behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    for number, step in enumerate(todo):
        _, _, rest = output.partition(f"\0begin {number}\n")
        said, _, after = rest.partition("\0end ")
        assert after.partition("\n")[0] == str(step.code), f"{step.command}\n{said}\n{output}"
        lines = iter(said.splitlines())
        for line in step.expected:
            wanted = re.compile(".*".join(map(re.escape, line.split("…"))))
            assert any(wanted.search(one.strip()) for one in lines), (
                f"{step.command}\ndoes not print\n{line}\nbut\n{said}"
            )


def path_of(project: Project) -> str:
    return os.pathsep.join([str(project.installation.scripts), os.environ.get("PATH", os.defpath)])


@pytest.mark.parametrize("page", PAGES)
def test_moving_from_another_plugin(project: Project, page: str) -> None:
    todo = steps((DOCS / "migrating" / page).read_text())
    assert len(todo) >= 3
    play(project, todo)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide(project: Project, language: str) -> None:
    """From nothing to a sink that runs: each language's section, and what is for all of them."""
    text = (DOCS / "guest-guide.md").read_text()
    heading = {"rust": "Rust", "python": "Python", "javascript": "JavaScript"}[language]
    own = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    common = text.partition("\n## Try it\n")[2].partition("\n## ")[0]
    todo = [*steps(own), *steps(common)]
    assert len(todo) >= 8
    play(project, todo, **with_tools(project))
