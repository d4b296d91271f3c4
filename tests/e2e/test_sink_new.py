"""`host sink new` and `host sink build`: from nothing to a component, in each language."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.authoring import LANGUAGES, Built, tools, with_tools
from support.project import Project


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_it_makes_is_tested_and_built_as_it_is(built: Built, language: str) -> None:
    sink = built(language)
    assert "host sink build" in sink.made
    assert re.search(r"3 passed|pass 3", sink.tested), sink.tested
    assert sink.built.startswith("report.wasm: ")
    assert sink.component.read_bytes()[:8] == b"\0asm\x0d\0\1\0"
    left = {path.name for path in sink.folder.iterdir()}
    assert {"README.md", ".gitignore"} <= left
    readme = (sink.folder / "README.md").read_text()
    assert "sink-name" not in readme
    assert "host sink check report.wasm" in readme


def test_what_was_made_is_told_as_json(project: Project) -> None:
    outcome = project.run("host", "sink", "new", "a-b", "--lang=python", "--dir=sinks/x", "--json")
    assert json.loads(outcome.stdout) == {"name": "a-b", "language": "python", "dir": "sinks/x"}
    assert (project.folder / "sinks/x/a_b.py").is_file()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("My", "--lang=rust"), '"My" should be small letters, digits, - and _'),
        (("json", "--lang=python"), '"json" is the name of something that the sink itself uses'),
        (("x", "--lang=cobol"), "invalid value 'cobol' for '--lang <LANG>'"),
        (("taken", "--lang=rust"), "taken is there already, and not empty"),
    ],
)
def test_what_cannot_be_made_is_told(project: Project, args: tuple[str, ...], says: str) -> None:
    project.write("taken/mine.txt", "mine")
    outcome = project.run("host", "sink", "new", *args)
    assert outcome.code == 2
    assert says in outcome.stderr
    assert [path.name for path in (project.folder / "taken").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("rust", "cargo is not there, which builds sinks in Rust; get it from https://rustup.rs"),
        ("python", "get it with: pip install componentize-py=="),
        ("javascript", "get it with: npm install @bytecodealliance/jco@"),
    ],
)
def test_a_tool_that_is_missing_is_named(project: Project, language: str, says: str) -> None:
    project.run("host", "sink", "new", "report", "--lang", language)
    nothing = str(project.installation.scripts)
    outcome = project.run("host", "sink", "build", "report", PATH=nothing)
    assert outcome.code == 2
    assert says in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("language", "file", "text", "says"),
    [
        ("python", "report.py", "def handle((self): pass\n", "report/report.py, line 1)"),
        (
            "python",
            "report.py",
            "import nosuch\n",
            "No module named 'nosuch' (report/report.py, line 1)",
        ),
        ("javascript", "report.js", "export const sink = {\n", "report/report.js, line 2)"),
        ("rust", "src/lib.rs", "fn broken( {}\n", "cargo says why above"),
    ],
)
def test_what_is_wrong_in_a_source_is_told_with_its_place(
    project: Project, language: str, file: str, text: str, says: str
) -> None:
    project.run("host", "sink", "new", "report", "--lang", language)
    project.write(f"report/{file}", text)
    outcome = project.run("host", "sink", "build", "report", folder=None, **with_tools(project))
    assert outcome.code == 2, outcome
    assert says in outcome.stderr
    assert not list(project.folder.glob("report/*.wasm"))


def test_a_typescript_file_is_built(project: Project, built: Built) -> None:
    source = (built("javascript").folder / "report.js").read_text()
    typed = source.replace("function firstLine(text)", "function firstLine(text: string): string")
    typed = re.sub(r"^/// <reference.*\n", "", typed)
    assert typed != source
    project.write("report.ts", typed)
    outcome = project.run(
        "host", "sink", "build", "report.ts", "--json", folder=None, **with_tools(project)
    )
    assert outcome.code == 0, outcome
    report = json.loads(outcome.stdout)
    assert report["component"] == "report.wasm"
    assert report["size"] == (project.folder / "report.wasm").stat().st_size


def test_the_bindings_of_python_are_those_of_the_contract(project: Project) -> None:
    """They come with the host, since editors and tests need them before any tool is there."""
    project.run("host", "sink", "new", "report", "--lang=python")
    wit = Path(__file__).parents[2] / "wit"
    program = shutil.which("componentize-py", path=tools()["PATH"])
    assert program
    command = [program, "-d", str(wit / "sinks.wit"), "-w", "sink-guest", "bindings", "made"]
    subprocess.run(command, cwd=project.folder, check=True, timeout=120, capture_output=True)
    ours, theirs = project.folder / "report" / "bindings", project.folder / "made"

    def texts(folder: Path) -> dict[str, str]:
        files = [path for path in folder.rglob("*.py*") if "__pycache__" not in path.parts]
        return {str(path.relative_to(folder)): path.read_text() for path in files}

    assert texts(ours) == texts(theirs)
