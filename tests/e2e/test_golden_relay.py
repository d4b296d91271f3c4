"""The captures of pytest-relay: equal to ours, but for docs/compatibility.md."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.capturing import Capture
from support.golden import SUITE
from support.golden_relay import (
    FOLDER,
    Message,
    captured,
    check_keys,
    mask,
    of_session,
    of_tests,
    once,
)
from support.polling import until
from support.processes import Outcome
from support.project import MakeProject, Project
from support.waiting import HELPERS

MakeCapture = Callable[..., Capture]


@dataclass
class Run:
    """One run of ours that stands beside a capture."""

    project: Project
    outcome: Outcome
    capture: Capture

    @property
    def messages(self) -> list[Message]:
        return self.capture.messages()

    @property
    def masked(self) -> list[Message]:
        return comparable(mask(self.messages, str(self.project.folder.resolve())), self.project)


@pytest.fixture(scope="module")
def make_capture() -> Iterator[MakeCapture]:
    made: list[Capture] = []

    def make(**behaviour: Any) -> Capture:
        made.append(Capture(**behaviour))
        return made[-1]

    yield make
    for capture in made:
        capture.end()


def expected(name: str, project: Project) -> list[Message]:
    return comparable(mask(captured(name), SUITE), project)


def comparable(messages: list[Message], project: Project) -> list[Message]:
    """Captures show pytest 9.2; what failures look like differs from version to version."""
    if project.installation.pytest >= (9, 0):
        return messages
    for message in messages:
        for record in message["payload"]["records"]:
            if record["severity"] in ("error", "debug"):
                record["msg"] = "…"
        if "tests" in message["payload"]:
            message["payload"]["tests"].sort()
    return messages


def relay(project: Project, capture: Capture, *args: str) -> Run:
    outcome = project.run("pytest", "--ws-url", capture.url, *args)
    # pytest does not wait for what is tried again.
    project.wait_for_cores()
    capture.wait()
    return Run(project, outcome, capture)


# --- sample/main ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def main(make_project: MakeProject, make_capture: MakeCapture, python: str) -> Run:
    project = make_project(python)
    project.copy("main")
    return relay(project, make_capture(), "main", "--session-id", "S1", "--strip-paths")


def test_main(main: Run) -> None:
    assert main.outcome.code == 1, main.outcome
    wanted = expected("main", main.project)
    if main.project.installation.pytest >= (9, 0):
        assert main.masked == wanted
        return
    # Older ones collect in another order.
    assert of_session(main.masked) == of_session(wanted)
    ours, theirs = of_tests(main.masked), of_tests(wanted)
    for told in (ours, theirs):
        for payload in (payload for payloads in told.values() for payload in payloads):
            del payload["idx"]
            for record in payload["records"]:
                del record["id"]
    assert ours == theirs


def test_messages_are_the_same_json_to_the_byte(main: Run) -> None:
    """No spaces, and text as it is."""
    check_keys(main.messages)
    (connection,) = main.capture.connections
    for text in connection.texts:
        assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


@pytest.mark.difference("relay-13")
def test_the_session_starts_before_its_tests(main: Run) -> None:
    sessions = of_session(main.messages)
    starts = [payloads[0]["time_start"] for payloads in of_tests(main.messages).values()]
    assert [each["time_start"] for each in sessions[1:]] == [sessions[1]["time_start"]] * 2
    assert sessions[1]["time_start"] <= min(starts) <= max(starts) <= sessions[-1]["time_stop"]


@pytest.mark.difference("relay-10")
def test_the_connection_is_a_plain_one(main: Run) -> None:
    (connection,) = main.capture.connections
    assert (connection.path, connection.code) == ("/p", 1000)
    assert connection.headers["user-agent"].startswith("pytest-host/")
    assert "origin" not in connection.headers


# --- the other captures --------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A capture, and how ours is made."""

    capture: str
    suite: str
    args: tuple[str, ...]
    code: int


CASES = [
    Case("subtests", "usage", ("usage/test_subtests.py",), 1),
    Case("broken", "broken", ("broken",), 2),
    Case("broken-continue", "broken", ("broken", "--continue-on-collection-errors"), 1),
    Case("exit", "usage", ("usage/test_exit.py",), 9),
    Case("collect-only", "groups", ("groups", "--collect-only"), 0),
    Case("nomatch", "main", ("main", "-k", "zzz"), 5),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.capture)
def test_the_same_messages(
    make_project: MakeProject, make_capture: MakeCapture, case: Case
) -> None:
    project = make_project()
    project.copy(case.suite)
    run = relay(project, make_capture(), *case.args)
    assert run.outcome.code == case.code, run.outcome
    assert run.masked == expected(case.capture, project)
    check_keys(run.messages)


def test_warnings(make_project: MakeProject, make_capture: MakeCapture) -> None:
    project = make_project()
    project.write("test_w.py", suite("warns/test_w.py"))
    run = relay(project, make_capture(), "test_w.py::test_a", "test_w.py", "-p", "no:xdist")
    assert run.outcome.code == 0, run.outcome
    assert run.masked == expected("warnings", project)


def test_sigint(project: Project, make_capture: MakeCapture) -> None:
    project.write("test_a.py", suite("sigint/test_a.py"))
    run = relay(project, make_capture())
    assert run.outcome.code == 2, run.outcome
    assert run.masked == expected("sigint", project)


def suite(name: str) -> str:
    return (Path(__file__).parents[1] / "fixtures" / "suites" / name).read_text()


# --- what broke the published one ----------------------------------------------------------------


def check_whole(run: Run, tests: int) -> None:
    """Everything of a run without interruption is there: the captures show where theirs stops."""
    messages = once(run.messages)
    check_keys(messages)
    told = of_tests(messages)
    assert len(told) == tests
    assert all(payloads[-1]["state"] == "done" for payloads in told.values())
    assert sorted(payloads[0]["idx"] for payloads in told.values()) == list(range(tests))
    sessions = of_session(messages)
    assert [each["state"] for each in sessions] == ["open", "in-progress", "done"]
    assert {len(each["tests"]) for each in sessions} == {tests}


@pytest.mark.difference("relay-3")
@pytest.mark.parametrize("args", [("-n2",), ("-n2", "--dist", "loadgroup")], ids=" ".join)
def test_xdist(project: Project, make_capture: MakeCapture, args: tuple[str, ...]) -> None:
    """One session, with all tests of all workers."""
    project.copy("groups")
    run = relay(project, make_capture(), "groups", *args)
    assert run.outcome.code == 1, run.outcome
    check_whole(run, tests=6)
    assert len(run.capture.connections) == 1
    # As the workers told of them, where those got so far.
    theirs = {
        name: payloads[-1]["category"] for name, payloads in of_tests(workers("xdist-n2")).items()
    }
    ours = {name: payloads[-1]["category"] for name, payloads in of_tests(run.messages).items()}
    assert theirs.items() <= ours.items()


def workers(name: str) -> list[Message]:
    return [message for message in captured(name) if message["type"] == "testcase"]


@pytest.mark.difference("relay-4")
def test_rerun(project: Project, make_capture: MakeCapture) -> None:
    """An attempt that failed is a warning, and the test that passes after it is yellow."""
    project.copy("flaky")
    run = relay(project, make_capture(), "flaky", "--reruns", "2")
    assert run.outcome.code == 0, run.outcome
    check_whole(run, tests=2)
    # The same up to where the published one breaks.
    assert run.masked[:3] == expected("rerun", project)[:3]
    told = of_tests(run.messages)["flaky/test_flaky.py::test_flaky"]
    assert [(each["state"], each["category"], each["result"]) for each in told] == [
        ("in-progress", None, None),
        ("in-progress", None, None),
        ("in-progress", "passed", "yellow"),
        ("done", "passed", "yellow"),
    ]
    (record,) = told[-1]["records"]
    assert (record["severity"], record["phase"]) == ("warning", "call")
    assert "assert" in record["msg"]
    assert run.messages[-1]["payload"]["result"] == "yellow"


@pytest.mark.difference("relay-2")
def test_slow1s(project: Project, make_capture: MakeCapture) -> None:
    """The run does not wait for a server that takes its time."""
    project.copy("groups")
    run = relay(project, make_capture(delay=0.15), "groups")
    assert run.outcome.code == 1, run.outcome
    assert run.masked[:1] == expected("slow1s", project)
    check_whole(run, tests=6)


@pytest.mark.difference("relay-2")
def test_slow_backpressure(project: Project, make_capture: MakeCapture) -> None:
    """More than any buffer of a socket holds."""
    project.write(
        "test_b.py",
        "import pytest\n@pytest.mark.parametrize('n', range(150))\n"
        "def test_b(n): raise ValueError('x' * 30000)\n",
    )
    run = relay(project, make_capture(delay=0.002), "-q", "--tb=line")
    assert run.outcome.code == 1, run.outcome
    check_whole(run, tests=150)
    theirs = expected("slow-backpressure", project)
    assert len(of_session(theirs)) == 2, "theirs never ends"


@pytest.mark.difference("relay-2")
def test_drop(project: Project, make_capture: MakeCapture) -> None:
    """A server that cuts its connections loses nothing, and gets nothing that is new twice."""
    project.copy("main")
    capture = make_capture(cut_after=(6, 4, 9))
    run = relay(project, capture, "main", "--session-id", "S1")
    assert run.outcome.code == 1, run.outcome
    check_whole_main(run)
    assert len(capture.connections) >= 4
    first = json.dumps(captured("drop")[0]["payload"]["tests"])
    assert json.dumps(run.messages[0]["payload"]["tests"]) == first


def check_whole_main(run: Run) -> None:
    """Each test's messages are those of a run without trouble, in order."""
    messages = once(run.messages)
    masked = comparable(mask(messages, str(run.project.folder.resolve())), run.project)
    wanted = expected("main", run.project)
    ours, theirs = of_tests(masked), of_tests(wanted)
    for told in (ours, theirs):
        for payload in (payload for payloads in told.values() for payload in payloads):
            for record in payload["records"]:
                del record["id"]
    assert ours == theirs
    assert of_session(masked) == of_session(wanted)


@pytest.mark.difference("relay-2")
def test_a_server_that_comes_back(project: Project, make_capture: MakeCapture) -> None:
    """It was not there during the run; `host drain` brings everything."""
    gone = Capture()
    port = gone.port
    gone.end()
    project.copy("groups")
    args = ("--ws-url", f"ws://127.0.0.1:{port}/p", "--sinks-finish-timeout", "0")
    running = project.start("pytest", "groups", *args)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    assert "Traceback" not in outcome.stdout + outcome.stderr
    capture = make_capture(port=port)
    project.wait_for_cores()
    capture.wait()
    check_whole(Run(project, outcome, capture), tests=6)


@pytest.mark.difference("relay-9")
def test_pings_are_answered_while_nothing_happens(
    project: Project, make_capture: MakeCapture
) -> None:
    """While a test takes its time, and nothing is sent."""
    project.write("test_a.py", f"{HELPERS}\ndef test_a(): wait('go')\n")
    capture = make_capture(ping=0.2)
    running = project.start("pytest", "--ws-url", capture.url)
    until("a pong", lambda: capture.connections and capture.connections[0].ws.latency)
    project.write("go", "")
    outcome = running.finish()
    assert outcome.code == 0, outcome
    project.wait_for_cores()
    capture.wait()
    check_whole(Run(project, outcome, capture), tests=1)
    assert len(capture.connections) == 1


def test_a_server_that_is_secured(project: Project, make_capture: MakeCapture) -> None:
    certificate = Path(__file__).parents[1] / "fixtures" / "tls"
    project.environ["SSL_CERT_FILE"] = str(certificate / "cert.pem")
    project.copy("groups")
    run = relay(project, make_capture(certificate=certificate), "groups")
    assert run.outcome.code == 1, run.outcome
    check_whole(run, tests=6)


# --- around it -----------------------------------------------------------------------------------


@pytest.mark.difference("relay-1")
def test_nothing_is_sent_unless_asked_for(project: Project) -> None:
    project.write("test_a.py", "def test_a(): pass\n")
    outcome = project.run("pytest", "--session-id", "S1", "--strip-paths")
    assert outcome.code == 0, outcome
    assert not (project.folder / ".pytest_host").exists()
    # A sink that is used takes them.
    project.run("pytest", "--session-id", "S1", "--sinks", "relay")
    assert (project.folder / ".pytest_host").exists()


@pytest.mark.difference("relay-5")
def test_a_url_that_cannot_be_used(project: Project) -> None:
    project.write("test_a.py", "def test_a(): pass\n")
    outcome = project.run("pytest", "--ws-url", "http://127.0.0.1:1/")
    assert outcome.code == 4, outcome
    assert "ws-url: expected ws:// or wss://" in outcome.stderr


@pytest.mark.difference("relay-6")
def test_a_test_that_takes_its_worker_down(project: Project, make_capture: MakeCapture) -> None:
    """It has a result, and the exit status is pytest's."""
    project.write("test_a.py", "import os\ndef test_die(): os._exit(3)\ndef test_b(): pass\n")
    run = relay(project, make_capture(), "-n1")
    assert run.outcome.code == 1, run.outcome
    told = of_tests(run.messages)["test_a.py::test_die"][-1]
    assert (told["state"], told["category"]) == ("done", "failed")
    assert "crashed while running" in told["records"][0]["msg"]
    assert run.messages[-1]["payload"]["records"] == []


@pytest.mark.difference("relay-7")
def test_a_long_run_that_is_interrupted(project: Project, make_capture: MakeCapture) -> None:
    """Only what had not ended is told again."""
    project.write(
        "test_a.py",
        "import os, signal, pytest\n@pytest.mark.parametrize('n', range(150))\n"
        "def test_a(n): pass\ndef test_int(): os.kill(os.getpid(), signal.SIGINT)\n",
    )
    run = relay(project, make_capture())
    assert run.outcome.code == 2, run.outcome
    told = of_tests(run.messages)
    assert {name: len(payloads) for name, payloads in told.items()} == {
        **{f"test_a.py::test_a[{n}]": 3 for n in range(150)},
        "test_a.py::test_int": 2,
    }
    assert told["test_a.py::test_int"][-1]["records"][0]["msg"] == "E   KeyboardInterrupt"


@pytest.mark.difference("relay-8")
def test_a_warning_of_a_library_names_its_file(project: Project, make_capture: MakeCapture) -> None:
    project.write("lib.py", "import warnings\ndef careful():\n    warnings.warn('careful')\n")
    project.write("test_a.py", "import lib\ndef test_a(): lib.careful()\n")
    run = relay(project, make_capture(), "--strip-paths")
    assert run.outcome.code == 0, run.outcome
    (record,) = of_tests(run.messages)["test_a.py::test_a"][-1]["records"]
    assert record["msg"] == (
        "<pytest.rootpath>/lib.py:3: UserWarning: careful\n  warnings.warn('careful')"
    )


@pytest.mark.difference("relay-11")
def test_ids_are_those_of_the_run(project: Project, make_capture: MakeCapture) -> None:
    """What comes again after the host was killed has the ids that it had."""
    project.write(
        "test_a.py",
        f"{HELPERS}\ndef test_a(): assert 0\ndef test_b():\n    announce('here')\n    wait('go')\n",
    )
    capture = make_capture()
    running = project.start("pytest", "--ws-url", capture.url)
    project.wait_for("here")
    core = project.core()
    os.kill(core, signal.SIGKILL)
    project.write("go", "")
    outcome = running.finish()
    assert outcome.code == 1, outcome
    drained = project.run("host", "drain")
    assert drained.code == 0, drained
    capture.wait()
    run = Run(project, outcome, capture)
    check_whole(run, tests=2)


@pytest.mark.difference("relay-12")
def test_collection_warnings_of_many_tests(project: Project, make_capture: MakeCapture) -> None:
    """All of them are told, in fewer messages than there are warnings."""
    project.write(
        "test_a.py",
        "import warnings, pytest\nfor n in range(40): warnings.warn(str(n))\n"
        "@pytest.mark.parametrize('n', range(2000))\n"
        "def test_with_a_rather_long_name_for_a_test(n): pass\n",
    )
    run = relay(project, make_capture(), "--collect-only", "-q")
    assert run.outcome.code == 0, run.outcome
    sessions = of_session(run.messages)
    assert len(sessions) < 40
    assert len(sessions[-1]["records"]) == 40


def test_captures_are_all_used() -> None:
    """A capture that no test looks at shows nothing."""
    text = Path(__file__).read_text()
    names = {path.name.split(".")[0] for path in FOLDER.glob("*.ws.jsonl")}
    assert [each for each in sorted(names) if f'"{each}"' not in text] == []
