"""`pytest-host-drop-in`: old names and commands, for those who cannot change a line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.authoring import once
from support.installation import Folders
from support.polling import until
from support.project import MakeProject, Project

DROP_IN = Path(__file__).parents[2] / "pyadapter" / "drop-in"


@pytest.fixture(scope="session")
def installed(folders: Folders) -> Path:
    """As pip leaves it."""

    def make(folder: Path) -> Mapping[str, str]:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        target = ["--no-deps", "--target", str(folder / "site"), str(DROP_IN)]
        subprocess.run([*pip, *target], check=True, timeout=300)
        return {}

    return once(folders.cache.parent / "drop-in", "installed", make) / "site"


def names(installed: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(installed)}


def command(project: Project, installed: Path, name: str, *args: str) -> list[str]:
    return [project.installation.python, str(installed / "bin" / name), *args]


def test_an_old_suite_runs_as_it_is(
    make_project: MakeProject, python: str, installed: Path
) -> None:
    project = make_project(python)
    project.write("conftest.py", 'pytest_plugins = ["pytest_rt", "pytest_live_pause.plugin"]\n')
    project.write(
        "test_it.py",
        "from pytest_live_pause import ResumeDecision, checkpoint\n\n"
        "def test_it():\n"
        "    decision = checkpoint(task='look', timeout=5)\n"
        "    assert isinstance(decision, ResumeDecision) and decision.result is True\n",
    )
    outcome = project.run(
        *("pytest", "--pause-checkpoint-mock=true", "--pause-dir=pauses"),
        folder=None,
        **names(installed),
    )
    assert outcome.code == 0, outcome


def test_the_command_lets_a_paused_test_go_on(project: Project, installed: Path) -> None:
    project.write("test_it.py", "def test_it(): assert False\n")
    environ = names(installed)
    running = project.start(
        "pytest", "--pause-on-failure", "--pause-dir=pauses", folder=None, **environ
    )

    def pause(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(project, installed, "pytest-live-pause", *args, "--pause-dir=pauses"),
            cwd=project.folder,
            env={**project.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    listed = until("the test to pause", lambda: pause("ls").stdout)
    found = re.match(r"pending\t(\w+)\ttest_it\.py::test_it\t", listed)
    assert found, listed
    resumed = pause("resume", found[1], "--failure-reason", "known")
    assert resumed.stdout == f"resume command accepted for {found[1]}\n", resumed
    assert "External failure reason: known" in running.finish().stdout
    assert pause("resume", "nosuch").stderr == "pause target not found: nosuch\n"


def test_the_server_is_the_hosts(project: Project, installed: Path) -> None:
    environ = {**project.environ, **names(installed)}
    server = subprocess.Popen(
        command(project, installed, "pytest_relay_run", "--port", "0"),
        cwd=project.folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout
        text = ""
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", text)):
            line = server.stdout.readline()
            assert line, text
            text += line
        with urllib.request.urlopen(f"{found[0]}/api/jobs", timeout=30) as answer:
            assert json.load(answer) == []
    finally:
        os.kill(server.pid, signal.SIGINT)
        assert server.wait(60) == 0


def test_beside_the_plugin_itself_it_says_so(project: Project, installed: Path) -> None:
    """As where pip was told of the one and not of the other."""
    metadata = project.folder / "site" / "pytest_live_pause-0.1.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: pytest-live-pause\nVersion: 0.1.1\n")
    path = os.pathsep.join([str(metadata.parent.parent), str(installed)])
    project.write("test_it.py", "def test_it(): pass\n")
    outcome = project.run("pytest", "-p", "pytest_live_pause.plugin", PYTHONPATH=path)
    assert outcome.code == 4, outcome
    assert "both installed; pip uninstall pytest-live-pause" in outcome.stderr
