"""Installed and not asked for: as if it were not there."""

from __future__ import annotations

import pytest

from support.project import Project

#: Writes down what is registered, and what of ours is in the environment.
CONFTEST = """
import os
from pathlib import Path

def pytest_sessionfinish(session):
    names = [name for name, plugin in session.config.pluginmanager.list_name_plugin()
             if plugin and "pytest_host" in name]
    Path("names").write_text(" ".join(sorted(names)))
    Path("variables").write_text(" ".join(n for n in os.environ if n.startswith("PYTEST_HOST")))
"""

TESTS = "def test_a(): pass\ndef test_b(): assert 0\n"


def test_nothing_is_registered_and_no_core_is_started(project: Project) -> None:
    """A configuration file alone asks for nothing."""
    project.write("conftest.py", CONFTEST)
    project.write("test_a.py", TESTS)
    project.configure('sinks = ["pubdir"]\n[sink.pubdir]\ndir = "results"\n')
    spy = project.folder / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {project.folder}/started\n")
    spy.chmod(0o755)
    for args in ((), ("-n1",), ("--pubdir-filter", "all"), ("--sinks-finish-timeout", "1")):
        outcome = project.run("pytest", *args, PYTEST_HOST_BINARY=str(spy))
        assert outcome.code == 1, outcome
        assert "pytest-host:" not in outcome.stdout
        assert (project.folder / "names").read_text() == "pytest_host"
    assert not (project.folder / "started").exists()
    assert not (project.folder / ".pytest_host").exists()
    assert not (project.folder / "results").exists()


def test_the_spy_would_have_seen_it(project: Project) -> None:
    """What the test above relies on; and without a core, the run goes on and says so."""
    project.write("conftest.py", CONFTEST)
    project.write("test_a.py", TESTS)
    spy = project.folder / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {project.folder}/started\n")
    spy.chmod(0o755)
    outcome = project.run("pytest", "--pubdir", "results", PYTEST_HOST_BINARY=str(spy))
    assert outcome.code == 1, outcome
    assert (project.folder / "started").exists()
    assert f"pytest-host: this run is not reported: {spy} ended at once" in outcome.stdout
    assert (project.folder / "variables").read_text() == ""


@pytest.mark.difference("publish-32")
def test_a_plugin_that_owns_the_option_keeps_it(project: Project) -> None:
    """--publish of a conftest is that conftest's."""
    project.write(
        "conftest.py",
        "def pytest_addoption(parser): parser.addoption('--publish', action='store_true')\n"
        "def pytest_report_header(config): return f'theirs {config.option.publish}'\n",
    )
    project.write("test_a.py", "def test_a(): pass\n")
    outcome = project.run("pytest", "--publish")
    assert outcome.code == 0, outcome
    assert "theirs True" in outcome.stdout
    assert not (project.folder / ".pytest_host").exists()


@pytest.mark.difference("publish-30")
def test_switched_off(project: Project) -> None:
    project.write("test_a.py", "def test_a(): pass\n")
    assert project.run("pytest", "-p", "no:pytest_host").code == 0
    outcome = project.run("pytest", "-p", "no:pytest_host", "--pubdir", "results")
    assert outcome.code == 4, outcome
    assert "unrecognized arguments: --pubdir" in outcome.stderr


def test_a_pytest_inside_a_test_is_not_part_of_the_run(project: Project) -> None:
    project.write(
        "test_outer.py",
        "import subprocess, sys\n"
        "def test_outer(tmp_path):\n"
        "    (tmp_path / 'test_inner.py').write_text('def test_inner(): pass')\n"
        "    subprocess.run([sys.executable, '-m', 'pytest'], cwd=tmp_path, check=True)\n",
    )
    outcome, receiver = project.report()
    assert outcome.code == 0, outcome
    assert [result["name"] for result in receiver.results()] == ["test_outer"]
