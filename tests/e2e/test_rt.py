"""The sink `rt` where pytest-rt is slow, silent or broken: docs/compatibility.md."""

from __future__ import annotations

import uuid

import pytest

from support.golden_rt import Message, jobs
from support.processes import Outcome
from support.project import MakeProject, Project
from support.receiving import Receiver

TWO = "def test_a(): pass\ndef test_b(): assert 0\n"


def kinds(messages: list[Message]) -> list[str]:
    return [message["type"] for message in messages]


def of_kind(messages: list[Message], kind: str) -> list[Message]:
    return [message for message in messages if message["type"] == kind]


def rt(project: Project, *args: str, receiver: Receiver | None = None) -> list[Message]:
    """The messages of a run that ends as pytest ends it."""
    receiver = receiver or project.receiver()
    plain = project.run("pytest", *[arg for arg in args if not arg.startswith("--rt")])
    outcome = project.run("pytest", *args, "--rt", "--rtu", receiver.url)
    assert outcome.code == plain.code, outcome
    return list(receiver.results())


@pytest.mark.difference("rt-2")
def test_a_run_is_one_job(make_project: MakeProject, python: str) -> None:
    """Of xdist's too, without an id of one's own."""
    project = make_project(python)
    project.copy("groups")
    messages = rt(project, "groups", "-n2", "--rt-return-job")
    assert jobs(messages) == {(project.folder / "testgr_last_job.txt").read_text()}
    assert kinds(messages).count("startTestRun") == kinds(messages).count("stopTestRun") == 1
    (start,) = of_kind(messages, "startTestRun")
    uuids = {test["uuid"] for test in start["tests"]}
    assert {message["uuid"] for message in of_kind(messages, "startTestItem")} == uuids
    assert len(uuids) == 6


@pytest.mark.difference("rt-5")
def test_collection_errors_are_told(project: Project) -> None:
    project.write("test_a.py", "import nosuch\n")
    project.write("test_b.py", "def (\n")
    messages = rt(project)
    assert kinds(messages) == ["startTestRun", "stopTest", "stopTest", "stopTestRun"]
    errors = {message["test"]: message for message in of_kind(messages, "stopTest")}
    assert errors["test_a.py"]["msg"][0] == "<class 'ModuleNotFoundError'>"
    assert errors["test_b.py"]["status"] == "error"
    assert {error["uuid"] for error in errors.values()} == {None}


@pytest.mark.difference("rt-9")
def test_an_endpoint_that_is_dead_changes_nothing(project: Project) -> None:
    """It gets everything, in order, once it is there."""
    project.write("test_a.py", TWO)
    plain = project.run("pytest")
    receiver = project.receiver()
    receiver.end()
    outcome = project.run(*("pytest", "--rt", "--rtu", receiver.url, "--sinks-finish-timeout", "0"))
    assert outcome.code == plain.code == 1
    shown, _, last = outcome.stdout.strip().rpartition("\n")
    assert "Connection refused" not in shown
    assert last.startswith("pytest-host: rt: ")
    assert " left" in last
    project.end_cores()
    again = project.receiver(port=receiver.port)
    drained = project.run("host", "drain")
    assert drained.code == 0, drained
    messages = list(again.results())
    assert (kinds(messages)[0], kinds(messages)[-1]) == ("startTestRun", "stopTestRun")
    assert len(messages) == 6


@pytest.mark.parametrize("show", [True, False])
def test_show_errors(project: Project, show: bool) -> None:
    """Reasons are told, or kept quiet; that something is left is told in any case."""
    receiver = project.receiver("--status", "503")
    project.write("conftest.py", f"endpoint = {receiver.url!r}\nshow_errors = {show}\n")
    project.write("test_a.py", TWO)
    outcome = project.run("pytest", "--rt")
    assert outcome.code == 1, outcome
    last = outcome.stdout.splitlines()[-1]
    log = (project.folder / ".pytest_host" / "core.log").read_text()
    assert ("503" in last) == show, outcome
    assert ("503" in log) == show, log
    assert " left" in last, outcome


@pytest.mark.difference("rt-10")
def test_no_url(project: Project) -> None:
    project.write("test_a.py", TWO)
    outcome = project.run("pytest", "--rt")
    assert outcome.code == 4
    assert "rt.url" in outcome.stderr
    assert "INTERNALERROR" not in outcome.stdout


@pytest.mark.difference("rt-16")
def test_the_conftest_says_where_to(project: Project) -> None:
    """As the README has it; version 1.3.2 asks for --rtu."""
    receiver = project.receiver()
    project.write("conftest.py", f"endpoint = {receiver.url!r}\nshow_errors = True\n")
    project.write("test_a.py", TWO)
    outcome = project.run("pytest", "--rt", "--rte=DEV")
    assert outcome.code == 1, outcome
    (start,) = of_kind(list(receiver.results()), "startTestRun")
    assert start["env"] == "DEV"
    assert len(receiver.results()) == 6


def test_a_url_of_the_conftest_that_is_none(project: Project) -> None:
    """The complaint names the file."""
    project.write("conftest.py", "endpoint = 'nowhere'\n")
    project.write("test_a.py", TWO)
    outcome = project.run("pytest", "--rt")
    assert outcome.code == 4
    assert "conftest.py: rt.url: expected http:// or https://" in outcome.stderr


@pytest.mark.difference("rt-12")
def test_doctests(project: Project) -> None:
    project.write(
        "mod.py", '"""\n>>> 1 + 1\n2\n"""\ndef f():\n    """\n    >>> 1\n    2\n    """\n'
    )
    messages = rt(project, "--doctest-modules")
    (start,) = of_kind(messages, "startTestRun")
    assert [test["nodeid"] for test in start["tests"]] == ["mod.py::mod", "mod.py::mod.f"]
    stops = {message["test"]: message["status"] for message in of_kind(messages, "stopTestItem")}
    assert stops == {"mod.py::mod": "passed", "mod.py::mod.f": "failed"}


@pytest.mark.difference("rt-13")
def test_the_run_starts_with_the_tests_that_are_left(project: Project) -> None:
    """What other plugins take out is not announced."""
    project.write(
        "conftest.py",
        """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=items[1:])
    del items[1:]
""",
    )
    project.write("test_a.py", TWO)
    (start,) = of_kind(rt(project), "startTestRun")
    assert [test["nodeid"] for test in start["tests"]] == ["test_a.py::test_a"]


@pytest.mark.difference("rt-14")
def test_a_test_that_was_never_announced_has_an_id_of_its_own(project: Project) -> None:
    project.write(
        "conftest.py",
        """
import copy

def pytest_runtest_logreport(report):
    if report.when == "teardown" and not report.nodeid.endswith("_late"):
        late = report.nodeid + "_late"
        hook = report_hook
        hook.pytest_runtest_logstart(nodeid=late, location=report.location)
        for when in ("setup", "call", "teardown"):
            other = copy.copy(report)
            other.nodeid, other.when = late, when
            hook.pytest_runtest_logreport(report=other)

def pytest_configure(config):
    global report_hook
    report_hook = config.hook
""",
    )
    project.write("test_a.py", "def test_a(): pass\n")
    messages = rt(project)
    starts = {message["test"]: message["uuid"] for message in of_kind(messages, "startTestItem")}
    assert starts.keys() == {"test_a.py::test_a", "test_a.py::test_a_late"}
    assert len(set(starts.values())) == 2
    for message in of_kind(messages, "stopTestItem"):
        assert message["uuid"] == starts[message["test"]]


@pytest.mark.difference("rt-17")
def test_ids_do_not_depend_on_how_tests_are_distributed(
    make_project: MakeProject, python: str
) -> None:
    """Under loadgroup older versions of pytest give node ids that end in `@group`."""
    project = make_project(python)
    project.copy("groups")
    grouped = rt(project, "groups", "-n2", "--dist=loadgroup", "--rt-custom-id=CI")
    alone = rt(project, "groups", "--rt-custom-id=CI")
    (first,), (second,) = (of_kind(messages, "startTestRun") for messages in (grouped, alone))
    assert first["tests"] == second["tests"]
    assert {message["uuid"] for message in of_kind(grouped, "stopTestItem")} == {
        test["uuid"] for test in first["tests"]
    }


@pytest.mark.difference("rt-18")
def test_long_text_is_cut(project: Project) -> None:
    project.write("test_a.py", "def test_a():\n    print('x' * 300_000)\n    assert 0\n")
    project.configure('limit.text = "64 KiB"\n')
    (stop,) = of_kind(rt(project), "stopTestItem")
    printed = stop["msg"].partition("Captured stdout call:\n")[2]
    assert len(printed) == 64 << 10


def test_the_job_can_be_named(project: Project) -> None:
    """So that no file is needed to know it."""
    project.write("test_a.py", TWO)
    receiver = project.receiver()
    job = str(uuid.uuid4())
    outcome: Outcome = project.run(
        *("host", "run", "--sinks", "rt", "--set", f"rt.url={receiver.url}"),
        *("--set", f"rt.job_id={job}", "--", "--rte", "DEV"),
    )
    assert outcome.code == 1, outcome
    messages = list(receiver.results())
    assert jobs(messages) == {job}
    assert of_kind(messages, "startTestRun")[0]["env"] == "DEV"
