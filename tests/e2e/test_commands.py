"""The commands of the README, as they stand there, but for the port."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from support.project import Project, read_results
from support.receiving import Receiver

SUITE = """
def test_x(): pass
def test_other(): assert 0
"""


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("tests/test_it.py", SUITE)
    return project


def names(project: Project, receiver: Receiver) -> Counter[str]:
    """Delivered to both."""
    written = Counter(str(result["name"]) for result in read_results(project.folder / "results"))
    assert Counter(str(result["name"]) for result in receiver.results()) == written
    return written


def test_host_run_with_a_file_beside_the_tests(suite: Project) -> None:
    receiver = suite.receiver()
    suite.configure(
        f'[sink.publish]\nurl = "{receiver.url}"\n\n[sink.pubdir]\ndir = "results"\n',
    )
    outcome = suite.run("host", "run", "--sinks", "publish,pubdir")
    assert outcome.code == 1, outcome
    assert names(suite, receiver) == Counter(["test_x", "test_other"])
    lines = re.sub(r"\d+", "N", outcome.stderr).splitlines()
    assert lines == ["host: publish  N events delivered", "host: pubdir   N events delivered"]


def test_host_run_with_everything_on_the_line(suite: Project) -> None:
    receiver = suite.receiver()
    outcome = suite.run(
        *("host", "run", "--sinks", "publish,pubdir"),
        *("--set", f"publish.url={receiver.url}", "--set", "pubdir.dir=results"),
        *("--", "tests/", "-k", "x"),
    )
    assert outcome.code == 0, outcome
    assert names(suite, receiver) == Counter(["test_x"])


@pytest.mark.difference("publish-31")
def test_pytest_by_itself(suite: Project) -> None:
    """Complete by the time that pytest has ended: pytest --pubdir results; ls results."""
    receiver = suite.receiver()
    outcome = suite.run("pytest", "--publish", receiver.url, "--pubdir", "results")
    assert outcome.code == 1, outcome
    assert names(suite, receiver) == Counter(["test_x", "test_other"])
    lines = outcome.stdout.splitlines()
    last = re.sub(r"\d+", "N", lines[-1])
    assert last == "pytest-host: publish N delivered, pubdir N delivered", outcome
    assert "1 failed, 1 passed" in lines[-2]
    assert (suite.folder / ".pytest_host" / ".gitignore").read_text().endswith("*\n")


def test_pytest_sinks(suite: Project) -> None:
    receiver = suite.receiver()
    outcome = suite.run(
        *("pytest", "--sinks", "publish,pubdir", "--sinks-set", f"publish.url={receiver.url}"),
        *("--sinks-set", "pubdir.dir=results", "-q"),
    )
    assert outcome.code == 1, outcome
    assert names(suite, receiver) == Counter(["test_x", "test_other"])
    assert "pytest-host" not in outcome.stdout, "-q: only what went wrong"


def test_options_of_pytest_under_host_run_add_sinks(suite: Project) -> None:
    receiver = suite.receiver()
    outcome = suite.run(
        *("host", "run", "--sinks=publish", f"--set=publish.url={receiver.url}"),
        *("--", "--pubdir", "results"),
    )
    assert outcome.code == 1, outcome
    assert names(suite, receiver) == Counter(["test_x", "test_other"])


def test_sinks_of_the_file_by_default(suite: Project) -> None:
    suite.configure('sinks = ["pubdir"]\n[sink.pubdir]\ndir = "results"\n')
    outcome = suite.run("host", "run", folder=suite.folder / "tests")
    assert outcome.code == 1, outcome
    assert len(read_results(suite.folder / "results")) == 2, "relative to the file"
    assert (suite.folder / ".pytest_host").is_dir()


def test_another_runner(suite: Project) -> None:
    runner = f"{suite.installation.python} -m pytest -x"
    outcome = suite.run(
        *("host", "run", "--runner", runner, "--sinks=pubdir", "--set=pubdir.dir=results"),
        *("--", "-k", "x"),
    )
    assert outcome.code == 0, outcome
    assert len(read_results(suite.folder / "results")) == 1


def test_init_writes_a_file_that_runs(suite: Project) -> None:
    assert suite.run("host", "init").code == 0
    outcome = suite.run("host", "run")
    assert outcome.code == 1, outcome
    assert len(read_results(suite.folder / "results")) == 2
    again = suite.run("host", "init")
    assert (again.code, again.stderr) == (
        2,
        "host: host.toml is there already, and stays as it is\n",
    )


def test_sink_ls_and_doctor(suite: Project) -> None:
    receiver = suite.receiver()
    suite.configure(f'sinks = ["publish"]\n[sink.publish]\nurl = "{receiver.url}"\n')
    listed = suite.run("host", "sink", "ls", "--json")
    assert {sink["name"]: sink["default"] for sink in json.loads(listed.stdout)} == {
        "publish": True,
        "pubdir": False,
        "rt": False,
        "relay": False,
    }
    doctor = suite.run("host", "doctor")
    assert doctor.code == 0, doctor
    assert "publish" in doctor.stdout
    assert receiver.requests() == [] or {r.method for r in receiver.requests()} <= {"HEAD", "GET"}


def test_drain_of_nothing(suite: Project) -> None:
    assert suite.run("host", "drain").code == 0
    assert json.loads(suite.run("host", "drain", "--json").stdout) == []


@pytest.mark.parametrize(
    "command",
    ["", "run", "watch", "drain", "replay", "sink", "sink ls", "doctor", "init"],
    ids=lambda c: c or "host",
)
def test_help(suite: Project, command: str) -> None:
    words = command.split()
    outcome = suite.run("host", *words, "--help")
    assert outcome.code == 0
    assert "Usage: host" in outcome.stdout
    if words and words != ["sink"]:
        assert f"host {command}" in outcome.stdout.partition("Example")[2], "with an example"
