"""The captures of pytest-rt: equal to ours, but for docs/compatibility.md."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import pytest

from support.golden import SUITE
from support.golden_rt import (
    FOLDER,
    KEYS,
    Conversation,
    Message,
    as_ours,
    conversation,
    jobs,
    posts,
    stop_item,
    stop_test,
)
from support.processes import Outcome
from support.project import MakeProject, Project
from support.receiving import Receiver

JOB_FILE = "testgr_last_job.txt"


@dataclass
class Run:
    """One run of ours that stands beside a capture."""

    project: Project
    outcome: Outcome
    receiver: Receiver

    @property
    def messages(self) -> list[Message]:
        return list(self.receiver.results())

    @property
    def conversation(self) -> Conversation:
        return comparable(conversation(self.messages, self.project.folder), self.project)


def captured(name: str, project: Project) -> Conversation:
    """Of a capture, what we are to send as well."""
    return comparable(as_ours(conversation(posts(name), SUITE)), project)


def comparable(found: Conversation, project: Project) -> Conversation:
    """Captures show pytest 9.2; older ones have tracebacks and an order of folders of their own."""
    if project.installation.pytest >= (9, 0):
        return found
    for start in found.starts:
        start["tests"].sort(key=itemgetter("nodeid"))
    tests = {
        nodeid: [
            {**message, "msg": "…"} if message.get("status") == "failed" else message
            for message in messages
        ]
        for nodeid, messages in found.tests.items()
    }
    return Conversation(found.starts, tests, found.stops)


def rt(project: Project, *args: str, behaviour: tuple[str, ...] = ()) -> Run:
    receiver = project.receiver(*behaviour)
    outcome = project.run("pytest", *args, "--rt", "--rtu", receiver.url)
    # pytest does not wait for what is tried again.
    project.wait_for_cores()
    return Run(project, outcome, receiver)


def check_order(messages: list[Message]) -> None:
    """The run begins first and ends last, each once."""
    kinds = [message["type"] for message in messages]
    assert (kinds[0], kinds[-1]) == ("startTestRun", "stopTestRun")
    assert (kinds.count("startTestRun"), kinds.count("stopTestRun")) == (1, 1)


# --- sample/main ---------------------------------------------------------------------------------

SETUP_ERROR = "main/test_basic.py::test_fail_setup"
TEARDOWN_ERROR = "main/test_basic.py::test_fail_teardown"


@pytest.fixture(scope="module")
def main(make_project: MakeProject, python: str) -> Run:
    project = make_project(python)
    project.copy("main")
    return rt(
        project,
        *("main", "--rte", "DEV", "--rt-return-job", "--rt-job-report"),
        *("--rt-custom-data", '{"key": "value"}'),
    )


def raised(line: int, function: str, text: str) -> str:
    code = f'raise RuntimeError("{text}")'
    return f'  File "{SUITE}/main/conftest.py", line {line}, in {function}\n    {code}\n'


def boom(nodeid: str, line: int, function: str, text: str) -> Message:
    frame = raised(line, function, text)
    return stop_test(nodeid, "<class 'RuntimeError'>", text, frame)


def test_main(main: Run) -> None:
    assert main.outcome.code == 1, main.outcome
    expected = captured("main", main.project)
    expected = expected.with_more(
        SETUP_ERROR, boom(SETUP_ERROR, 7, "bad_setup", "setup boom")
    ).with_more(TEARDOWN_ERROR, boom(TEARDOWN_ERROR, 14, "bad_teardown", "teardown boom"))
    ours = main.conversation
    assert ours.starts == expected.starts
    assert ours.tests == expected.tests
    assert ours.stops == expected.stops
    check_order(main.messages)


def test_messages_are_the_same_json_to_the_byte(main: Run) -> None:
    """Separators, order of keys, escapes: as `json.dumps` writes them."""
    for request in main.receiver.requests():
        assert request.body == json.dumps(request.json)
        keys = KEYS[request.json["type"]].split()
        if request.json.get("status") == "skipped":
            keys.remove("screens")
        assert list(request.json) == keys


def test_requests(main: Run) -> None:
    for request in main.receiver.requests():
        assert (request.method, request.path) == ("POST", "/test-update")
        assert request.headers["content-type"] == "application/json"
        assert request.headers["accept"] == "text/plain"


@pytest.mark.difference("rt-1")
def test_messages_name_the_test(main: Run) -> None:
    """As the README has it; and its uuid, as version 1.3.2 has it."""
    (start,) = [message for message in main.messages if message["type"] == "startTestRun"]
    uuids = {test["nodeid"]: test["uuid"] for test in start["tests"]}
    assert len(set(uuids.values())) == len(uuids) == 27
    for message in main.messages:
        if message["type"] in ("startTestItem", "stopTestItem", "stopTest"):
            assert message["uuid"] == uuids[message["test"]]


@pytest.mark.difference("rt-3")
def test_a_setup_error_is_told_as_an_error_too(main: Run) -> None:
    _, item, error = main.conversation.tests[SETUP_ERROR]
    assert (item["type"], item["status"]) == ("stopTestItem", "failed")
    assert error == boom(SETUP_ERROR, 7, "bad_setup", "setup boom")


@pytest.mark.difference("rt-4")
def test_a_teardown_error_is_told(main: Run) -> None:
    _, item, error = main.conversation.tests[TEARDOWN_ERROR]
    assert (item["type"], item["status"]) == ("stopTestItem", "passed")
    assert error == boom(TEARDOWN_ERROR, 14, "bad_teardown", "teardown boom")


@pytest.mark.difference("rt-15")
def test_the_job_file_names_the_job(main: Run) -> None:
    written = (main.project.folder / JOB_FILE).read_text()
    assert jobs(main.messages) == {written}


@pytest.mark.difference("rt-11")
def test_connections_are_kept_and_messages_have_keys(main: Run) -> None:
    requests = main.receiver.requests()
    assert len({request.connection for request in requests}) < len(requests)
    assert len({request.key for request in requests}) == len(requests)
    agents = {request.headers["user-agent"].partition("/")[0] for request in requests}
    assert agents == {"pytest-host"}


# --- the other captures --------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A capture, and how ours is made."""

    capture: str
    suite: str
    args: tuple[str, ...]
    code: int
    behaviour: tuple[str, ...] = ()
    #: What we send on top, by test.
    more: dict[str, list[Message]] = field(default_factory=dict)
    #: The oldest pytest that can.
    pytest: tuple[int, int] = (7, 0)


BROKEN = "broken/test_broken.py"
NO_MODULE = "module_that_does_not_exist_anywhere"
IMPORT_ERROR = {
    BROKEN: [
        stop_test(
            BROKEN,
            "<class 'ModuleNotFoundError'>",
            f"No module named '{NO_MODULE}'",
            f'  File "{SUITE}/{BROKEN}", line 1, in <module>\n    import {NO_MODULE}\n',
        )
    ]
}
EXIT = "usage/test_exit.py::test_exit"
ENDED = ("interrupted", "the run ended while this test ran")

CASES = [
    Case("slow1s", "groups", ("groups",), 1, ("--delay", "1")),
    Case("broken", "broken", ("broken",), 2, more=IMPORT_ERROR),
    Case(
        "broken-continue",
        "broken",
        ("broken", "--continue-on-collection-errors"),
        1,
        more=IMPORT_ERROR,
    ),
    Case("collect-only", "broken", ("broken/test_ok.py", "--collect-only"), 0),
    Case("deselect", "main", ("main", "-k", "pass or unit"), 1),
    Case("nomatch", "main", ("main", "-k", "nothing_matches"), 5),
    Case("exit", "usage", ("usage/test_exit.py",), 9, more={EXIT: [stop_test(EXIT, *ENDED)]}),
    Case("rerun", "flaky", ("flaky", "--reruns", "2"), 0),
    Case("subtests", "usage", ("usage/test_subtests.py",), 1, pytest=(9, 0)),
    Case("xdist-n2", "groups", ("groups", "-n2"), 1),
    Case("xdist-n2-custom", "groups", ("groups", "-n2", "--rt-custom-id", "CI42"), 1),
    Case(
        "xdist-loadgroup",
        "groups",
        ("groups", "-n2", "--dist", "loadgroup", "--rt-custom-id", "CI42"),
        1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.capture)
def test_the_same_messages(make_project: MakeProject, python: str, case: Case) -> None:
    project = make_project(python)
    if project.installation.pytest < case.pytest:
        pytest.skip("this pytest has no such thing")
    project.copy(case.suite)
    run = rt(project, *case.args, behaviour=case.behaviour)
    assert run.outcome.code == case.code, run.outcome
    expected = captured(case.capture, project)
    for nodeid, more in case.more.items():
        expected = expected.with_more(nodeid, *more)
    assert run.conversation == expected
    check_order(run.messages)


@pytest.mark.difference("rt-7")
def test_sigint(project: Project) -> None:
    """The test under way is told to have ended."""
    project.copy()
    suite = Path(__file__).parents[1] / "fixtures" / "suites" / "sigint" / "test_a.py"
    project.write("test_a.py", suite.read_text())
    run = rt(project)
    assert run.outcome.code == 2, run.outcome
    test = "test_a.py::test_int"
    assert run.conversation == captured("sigint", project).with_more(test, stop_test(test, *ENDED))
    check_order(run.messages)


@pytest.mark.difference("rt-6")
def test_worker_crash(project: Project) -> None:
    project.copy()
    project.write(
        "test_a.py",
        "import os\ndef test_a(): pass\ndef test_die(): os._exit(3)\ndef test_c(): pass\n",
    )
    run = rt(project, "-n1")
    assert run.outcome.code == 1, run.outcome
    test = "test_a.py::test_die"
    text = f"worker 'gw0' crashed while running '{test}'"
    assert run.conversation == captured("worker-crash", project).with_more(
        test,
        stop_item(test, "failed", f"{text}\n\nCaptured stdout call:\n"),
        stop_test(test, "crashed", text.replace("'gw0'", "gw0")),
    )
    check_order(run.messages)


@pytest.mark.difference("rt-8")
def test_screens(project: Project) -> None:
    """The screenshot of a test is not that of the next."""
    project.copy()
    project.write(
        "test_a.py",
        'import pytest\ndef test_a():\n    pytest.t_screen = "shot1"\n    assert 0\n'
        "def test_b(): pass\n",
    )
    run = rt(project)
    assert run.outcome.code == 1, run.outcome
    expected = captured("screens", project)
    _, stop = expected.tests["test_a.py::test_b"]
    assert stop["screens"] == "shot1"
    stop["screens"] = ""
    assert run.conversation == expected


@pytest.mark.difference("rt-19")
def test_what_is_in_order(make_project: MakeProject) -> None:
    """Each test starts before it stops, and the run around them, however slow the receiver is."""
    project = make_project()
    project.copy("main")
    run = rt(project, "main", behaviour=("--delay", "0.05"))
    check_order(run.messages)
    for messages in run.conversation.tests.values():
        assert messages[0]["type"] == "startTestItem"
        assert "startTestItem" not in [message["type"] for message in messages[1:]]


def test_http500_then_well(make_project: MakeProject, python: str) -> None:
    """The start of the run is tried again, and everything follows it."""
    project = make_project(python)
    project.copy("groups")
    run = rt(project, "groups", behaviour=("--status", "500", "200"))
    assert run.outcome.code == 1, run.outcome
    assert run.conversation == captured("http500", project)
    statuses = [request.status for request in run.receiver.requests()]
    assert statuses[0] == 500
    assert set(statuses[1:]) == {200}


def test_captures_are_all_used() -> None:
    """A capture that no test looks at shows nothing."""
    text = Path(__file__).read_text()
    names = {path.name.split(".")[0] for path in FOLDER.glob("*.posts.jsonl")}
    assert [each for each in sorted(names) if f'"{each}"' not in text] == []
