"""What a component is pinned to, and how it comes into the configuration."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from support.journals import journal_of, left, runs
from support.project import Project


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def mine(project: Project, guests: Path) -> Path:
    project.write("test_a.py", "def test_a(): pass\n")
    path = project.folder / "sinks" / "mine.wasm"
    path.parent.mkdir()
    shutil.copy(guests / "collector.wasm", path)
    return path


def configure(project: Project, sha256: str) -> None:
    project.configure(
        'sinks = ["mine"]\n[sink.mine]\nmodule = "sinks/mine.wasm"\n'
        f'sha256 = "{sha256}"\ndir = "out"\nallow.write = ["out"]\n'
    )


def says(project: Project, found: str, expected: str) -> str:
    path = project.folder / "sinks" / "mine.wasm"
    return f"sink mine: {path} has the SHA-256 {found}, but sha256 = {expected} is asked for"


def test_no_other_content_is_run(project: Project, mine: Path, guests: Path) -> None:
    pinned = digest(mine)
    configure(project, pinned.upper())
    assert project.run("host", "run").code == 0
    # From the cache of compiled modules as well: both contents are in it by now.
    project.run("host", "run", "--sinks", str(guests / "rejecter.wasm"))
    shutil.copy(guests / "rejecter.wasm", mine)
    refusal = says(project, digest(mine), pinned)
    outcome = project.run("host", "run")
    assert (outcome.code, outcome.stderr) == (2, f"host: {refusal}\n")
    outcome = project.run("pytest", "--sinks=mine")
    assert outcome.code == 4, outcome
    assert refusal in outcome.stderr
    doctor = project.run("host", "doctor")
    assert doctor.code == 1
    assert refusal in doctor.stdout
    shutil.copy(guests / "collector.wasm", mine)
    assert project.run("host", "run").code == 0


def test_nor_is_it_when_the_rest_goes_out(project: Project, mine: Path, guests: Path) -> None:
    shutil.copy(guests / "rejecter.wasm", mine)
    pinned = digest(mine)
    project.configure(
        f'sinks = ["mine"]\n[sink.mine]\nmodule = "sinks/mine.wasm"\nsha256 = "{pinned}"\n'
        'retry = "test_a"\ntimes = 1000000\n'
    )
    assert project.run("host", "run", "--drain-timeout=0s").code == 0
    project.wait_for_cores()
    (run,) = runs(project)
    before = left(journal_of(project, run))
    assert before["mine"], "the control: something is left"
    shutil.copy(guests / "collector.wasm", mine)
    refusal = says(project, digest(mine), pinned)
    drained = project.run("host", "drain")
    assert drained.code == 1, drained
    assert refusal in drained.stdout
    assert left(journal_of(project, run)) == before
    shutil.copy(guests / "rejecter.wasm", mine)
    drained = project.run("host", "drain", "--timeout=1s")
    assert drained.code == 1, drained
    assert "(not yet)" in drained.stdout, "it is run again"


def test_a_component_is_added(project: Project, mine: Path) -> None:
    added = project.run("host", "sink", "add", "sinks/mine.wasm", "--name", "mine", "--set=dir=out")
    assert added.code == 0, added
    sha256 = digest(mine)
    assert (project.folder / "host.toml").read_text() == (
        f'[sink.mine]\nmodule = "sinks/mine.wasm"\nsha256 = "{sha256}"\ndir = "out"\n'
        '# It asks for this; take the # away to grant it.\n# allow.write = ["out"]\n'
    )
    refused = project.run("host", "run", "--sinks=mine")
    assert refused.code == 2
    assert "needs what it is not granted" in refused.stderr
    text = (project.folder / "host.toml").read_text().replace("# allow", "allow")
    project.configure(text)
    assert project.run("host", "run", "--sinks=mine").code == 0
    assert (project.folder / "out" / "events.jsonl").exists()


def test_a_name_that_is_taken(project: Project, mine: Path, guests: Path) -> None:
    add = ("host", "sink", "add", "sinks/mine.wasm", "--json", "--name")
    taken = project.run(*add, "publish")
    assert (taken.code, taken.stdout) == (2, "")
    assert "there is a sink of that name already" in taken.stderr
    configure(project, digest(mine))
    before = (project.folder / "host.toml").read_text()
    assert project.run(*add, "mine").code == 2
    assert (project.folder / "host.toml").read_text() == before
    with mine.open("ab") as file:
        file.write(b"\x00\x05\x04name")  # a custom section: another build of the same
    replaced = project.run(*add, "mine", "--force")
    assert replaced.code == 0, replaced
    assert json.loads(replaced.stdout) == {
        "file": "host.toml",
        "name": "mine",
        "module": "sinks/mine.wasm",
        "sha256": digest(mine),
        "needs": {"http": [], "read": [], "write": ["out"]},
        "problem": None,
    }
    after = (project.folder / "host.toml").read_text()
    assert after == before.replace(digest(guests / "collector.wasm"), digest(mine))
    assert project.run("host", "run").code == 0


def test_what_is_missing_is_a_comment(project: Project, mine: Path) -> None:
    project.write("pyproject.toml", "[tool.pytest-host]  # ours\nsinks = []\n")
    (project.folder / "below").mkdir()
    added = project.run(
        *("host", "sink", "add", str(mine), "--name", "mine"), folder=project.folder / "below"
    )
    assert added.code == 0, added
    assert "not complete yet: dir: missing, and there is no default\n" in added.stdout
    assert (project.folder / "pyproject.toml").read_text() == (
        "[tool.pytest-host]  # ours\nsinks = []\n\n[tool.pytest-host.sink.mine]\n"
        f'module = "sinks/mine.wasm"\nsha256 = "{digest(mine)}"\n'
        "# Not complete yet:\n# dir: missing, and there is no default\n"
    )
    assert not (project.folder / "below" / "host.toml").exists()


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "x.wasm"])
def test_names_that_are_none(project: Project, mine: Path, name: str) -> None:
    assert project.run("host", "sink", "add", str(mine), f"--name={name}").code == 2
    assert not (project.folder / "host.toml").exists()


def test_what_is_no_sink_is_not_added(project: Project, guests: Path) -> None:
    project.write("text.wasm", "text")
    for path, problem in (
        ("text.wasm", "is not WebAssembly"),
        ("none.wasm", "cannot be read"),
        (str(guests / "unknown-import.wasm"), "which this host does not know"),
    ):
        outcome = project.run("host", "sink", "add", path, "--name=mine")
        assert outcome.code == 2, outcome
        assert problem in outcome.stderr
    assert not (project.folder / "host.toml").exists()
