"""`/ws` of `host serve`: the state of what goes on, and what changes it. See docs/live.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.announcing import announcer
from support.live_host import LiveHost
from support.pausing import CHECKPOINT
from support.plain_socket import CLOSE, PONG, PlainSocket
from support.polling import until
from support.project import Project
from support.subscribing import Message, Subscriber
from support.waiting import HELPERS

CLIENT = Path(__file__).parents[2] / "docs" / "examples" / "live_client.py"

SUITE = (
    HELPERS
    + """
def test_passes():
    pass

def test_fails():
    assert 1 == 2

@pytest.mark.parametrize("n", range(2))
def test_held(n):
    announce(f"held-{n}")
    wait("go")
"""
)
HELD = "test_it.py::test_held[0]"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_it.py", SUITE)
    return project


def serve(project: Project, config: str = "") -> LiveHost:
    project.configure(config)
    return LiveHost(project)


def subscriber(server: LiveHost, stack: ExitStack, path: str = "/ws") -> Subscriber:
    return Subscriber(stack.enter_context(server.socket(path)))


def first_run(client: Subscriber) -> str:
    """The name of the run that begins."""
    client.subscribe("runs")
    name: str = client.until("runs", bool)[0]["run"]
    return name


def watched(project: Project) -> Message:
    """The run as another process reads it."""
    outcome = project.run("host", "watch", "--once", "--json")
    assert outcome.code == 0, outcome
    [run] = json.loads(outcome.stdout)
    for test in run["running"]:
        del test["seconds"]
    return dict(run)


def is_over(run: Message) -> bool:
    return run["state"] == "finished" and not run["delivering"]


def test_a_run_as_it_goes_on(suite: Project, stack: ExitStack) -> None:
    server = serve(suite)
    early = subscriber(server, stack)
    assert early.subscribe("runs")["payload"] == []
    running = server.pytest()
    run = early.until("runs", bool)[0]["run"]
    topic = f"run/{run}"
    early.subscribe(topic)

    def is_held(run: Message) -> bool:
        running = [test["nodeid"] for test in run["running"]]
        return HELD in running and not any(sink["left"] for sink in run["sinks"])

    assert early.until(topic, is_held) == watched(suite)
    late = subscriber(server, stack)
    assert late.subscribe(topic)["payload"] == early.documents[topic]
    suite.write("go", "")
    assert running.finish().code == 1
    for client in (early, late):
        document = client.until(topic, is_over)
        assert document == watched(suite)
        assert (document["done"], document["end"]["exitstatus"]) == (4, 1)
        assert [failure["nodeid"] for failure in document["failures"]] == ["test_it.py::test_fails"]
    [item] = early.until("runs", lambda runs: is_over(runs[0]))
    assert (item["counts"]["passed"], item["failures"], item["exitstatus"]) == (3, 1, 1)
    after = subscriber(server, stack)
    assert after.subscribe(topic)["payload"] == document
    fits_the_schema(server, early.seen + late.seen)


def fits_the_schema(server: LiveHost, seen: list[Message]) -> None:
    schema = server.get("/api/ws.schema.json")
    Draft202012Validator.check_schema(schema)

    def check(value: Any, part: Message) -> None:
        whole = {"$defs": schema["$defs"], **part}
        Draft202012Validator(whole).validate(value)

    for message in seen:
        check(message, {"$ref": "#/$defs/FromHost"})
        if message["type"] in ("snapshot", "delta"):
            names = {"run": "run/{id}", "job": "job/{id}/output"}
            name = names.get(message["topic"].partition("/")[0], message["topic"])
            topics = schema["x-topics"]
            check(message["payload"], topics.get(name, topics["*"])[message["type"]])
    assert {message["type"] for message in seen} >= {"snapshot", "delta"}


def test_a_run_of_another_host_is_seen_too(suite: Project, stack: ExitStack) -> None:
    server = serve(suite)
    client = subscriber(server, stack)
    running = suite.start("host", "run", "--sinks", "pubdir", "--set", "pubdir.dir=results")
    topic = f"run/{first_run(client)}"
    client.subscribe(topic)
    suite.write("go", "")
    assert running.finish().code == 1
    suite.wait_for_cores()
    document = client.until(topic, is_over)
    assert document == watched(suite)
    assert [sink["name"] for sink in document["sinks"]] == ["pubdir"]


def test_going_on_after_the_connection_was_lost(suite: Project, stack: ExitStack) -> None:
    server = serve(suite)
    client = subscriber(server, stack)
    running = server.pytest()
    topic = f"run/{first_run(client)}"
    client.subscribe(topic)
    client.until(topic, lambda run: run["running"])
    document, position = client.documents[topic], client.position(topic)
    client.socket.close()
    suite.write("go", "")
    assert running.finish().code == 1
    again = subscriber(server, stack)
    again.documents[topic] = document
    answer = again.subscribe(topic, **position)
    assert (answer["type"], answer["seq"]) == ("resumed", position["from"] - 1)
    assert again.until(topic, is_over) == watched(suite)
    for where in ({**position, "epoch": "another"}, {"from": 10**6}):
        answer = again.subscribe(topic, **where)
        assert (answer["type"], answer["gap"]) == ("snapshot", True)
        assert again.documents[topic] == watched(suite)


def test_what_a_guest_publishes(project: Project, stack: ExitStack) -> None:
    project.write(
        "test_it.py",
        "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_x(n): pass\n",
    )
    also = ["runs", "run/x", "jobs", "no such name", *(f"more/{n}" for n in range(20))]
    server = serve(project, announcer(topic="news", also=also))
    early = subscriber(server, stack)
    assert early.subscribe("news")["payload"] is None
    assert server.pytest().finish().code == 0
    for _ in range(3):
        delta = early.wait(lambda message: message["type"] == "delta")
    assert delta["seq"] == 3
    assert delta["payload"]["sink"] == "announcer"
    text = json.loads(delta["payload"]["text"])
    assert text["payload"]["name"] == "test_it.py::test_x[2]"
    late = subscriber(server, stack)
    assert late.subscribe("news", **{"from": 2})["type"] == "resumed"
    assert [late.read()["seq"] for _ in range(2)] == [2, 3]
    assert late.subscribe("news", **{"from": 9})["gap"]
    [run] = early.subscribe("runs")["payload"]
    assert run["run"] == delta["payload"]["run"]
    fits_the_schema(server, early.seen + late.seen)
    said = server.stop().stderr
    for why in ("that topic is the host's own", "a topic's name has", "a sink may have 16 topics"):
        assert said.count(why) == 1, said


def test_a_pause_is_seen_and_resumed_by_the_client(project: Project, stack: ExitStack) -> None:
    project.write("test_it.py", CHECKPOINT)
    server = serve(project)
    client = subscriber(server, stack)
    assert client.subscribe("pauses")["payload"] == []
    running = server.pytest("-s", "--pause-dir", str(project.folder / "pauses"))
    [pause] = client.until("pauses", bool)
    assert (pause["kind"], pause["task"], pause["nodeid"]) == (
        "checkpoint",
        "Approve",
        "test_it.py::test_c",
    )
    outcome = example(server, "--resume", pause["id"])
    assert outcome.code == 0, outcome
    assert client.until("pauses", lambda pauses: not pauses) == []
    outcome = running.finish()
    assert outcome.code == 0, outcome
    fits_the_schema(server, client.seen)
    outcome = example(server, "--resume", pause["id"])
    assert (outcome.code, outcome.stdout, len(outcome.stderr.splitlines())) == (1, "", 1)


def example(server: LiveHost, *args: str) -> Any:
    return started_example(server, *args).finish()


def started_example(server: LiveHost, *args: str) -> Any:
    path = ":".join(entry for entry in sys.path if entry)
    return server.project.start(
        *(sys.executable, str(CLIENT), "--url", server.url, "--token", server.secret, *args),
        PYTHONPATH=path,
    )


def test_the_client_prints_failures_as_they_come(suite: Project) -> None:
    server = serve(suite)
    client = started_example(server, "--once")
    until("the client to subscribe", lambda: "websocket_connections 1" in server.metrics())
    running = server.pytest()
    suite.wait_for("held-0")
    suite.write("go", "")
    assert running.finish().code == 1
    outcome = client.finish()
    assert outcome.code == 0, outcome
    [line] = outcome.stdout.splitlines()
    assert line.endswith("  test_it.py::test_fails  AssertionError: assert 1 == 2")


@pytest.mark.difference("socket-1")
def test_who_is_let_in(project: Project, stack: ExitStack) -> None:
    server = serve(project, '[serve]\norigins = ["https://ci.example.org"]\n')
    for path in ("/", "/ws"):
        refused_options: list[dict[str, Any]] = [
            {"additional_headers": {}},
            {"additional_headers": {"Authorization": "Bearer 0123456789abcdef"}},
            {"origin": "https://elsewhere.example.org"},
        ]
        for options in refused_options:
            with pytest.raises(InvalidStatus) as refused:
                server.socket(path, **options)
            assert refused.value.response.status_code in (401, 403)
        stack.enter_context(server.socket(f"{path}?token={server.secret}", additional_headers={}))
        stack.enter_context(server.socket(path, origin="https://ci.example.org"))
        stack.enter_context(server.socket(path, origin=server.url))
    assert (server.ask("GET", "/").status, server.ask("GET", "/ws").status) == (404, 400)


def test_what_is_not_understood_ends_nothing(project: Project, stack: ExitStack) -> None:
    server = serve(project)
    client = subscriber(server, stack)
    for text in (
        "",
        "{",
        "[]",
        "3",
        '{"type":"job"}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","topic":3}',
    ):
        client.socket.send(text)
        assert client.read()["type"] == "error"
    client.socket.send(b"\x00")
    assert client.read() == {"type": "error", "topic": None, "message": "messages are text"}
    for topic, word in (
        ("run/2026-no-such-run", "there is no run"),
        ("run/../../etc", "there is no run"),
        ("run/", "there is no run"),
        ("no such topic", "there is no topic"),
        ("x" * 200, "there is no topic"),
    ):
        answer = client.subscribe(topic)
        assert (answer["type"], word in answer["message"]) == ("error", True), answer
    for number in range(65):
        answer = client.subscribe(f"some/{number}")
    assert answer["message"] == "a connection may subscribe to 64 topics"
    client.say(type="unsubscribe", topic="some/0")
    assert client.read() == {"type": "unsubscribed", "topic": "some/0"}
    assert client.subscribe("some/64")["type"] == "snapshot"
    client.say(type="ping")
    assert client.read() == {"type": "pong"}
    fits_the_schema(
        server,
        [
            *client.seen,
            {
                "type": "snapshot",
                "topic": "t",
                "epoch": "",
                "seq": 0,
                "gap": False,
                "payload": None,
            },
            {
                "type": "delta",
                "topic": "t",
                "epoch": "",
                "seq": 0,
                "payload": {"sink": "", "run": "", "text": ""},
            },
        ],
    )
    client.socket.send("x" * (17 << 10))
    with pytest.raises(ConnectionClosed):
        client.read()


@pytest.mark.difference("socket-3")
@pytest.mark.parametrize("path", ["/", "/ws"])
def test_who_never_answers_pings_is_left_alone(project: Project, path: str) -> None:
    server = serve(project, '[serve]\nping = "100 ms"\n')
    silent = PlainSocket(server.url, path, server.secret)
    # For seven times as long as one that has answered may be silent; after each ping the
    # server would have had occasion to cut it off.
    silent.pings(21)
    answering = PlainSocket(server.url, path, server.secret)
    answering.send(b"", PONG)
    assert answering.closing() == (1001, "no answer to pings")
    silent.pings(1)
    server.stop()
    assert silent.closing() == (1001, "the host ends")


def test_a_subscriber_that_does_not_read_is_dropped_alone(
    project: Project, stack: ExitStack
) -> None:
    count = 300
    project.write(
        "test_it.py",
        f"import pytest\n@pytest.mark.parametrize('n', range({count}))\ndef test_x(n): pass\n",
    )
    server = serve(project, announcer(topic="news", padding=100_000) + '[serve]\nping = "2 s"\n')
    slow = PlainSocket(server.url, "/ws", server.secret, buffer=4096)
    slow.send('{"type":"subscribe","topic":"news"}')
    reading = subscriber(server, stack)
    reading.subscribe("news")

    def given_up() -> tuple[int, str]:
        # From then on the host tries to say why, for as long as it has waited.
        until("it to be given up", lambda: "pytest_host_websocket_slow_total 1" in server.metrics())
        return slow.closing()

    closing = stack.enter_context(ThreadPoolExecutor(1)).submit(given_up)
    running = server.pytest()
    got = [reading.wait(lambda message: message["type"] == "delta") for _ in range(count)]
    assert got[-1]["seq"] == count
    assert running.finish().code == 0
    assert closing.result() == (4008, "too slow: messages were not read in time")
    reading.say(type="ping")
    assert reading.read() == {"type": "pong"}
    assert CLOSE not in {message["type"] for message in reading.seen}


def test_jobs_and_what_they_print(suite: Project, stack: ExitStack) -> None:
    server = serve(suite)
    client = subscriber(server, stack)
    assert client.subscribe("jobs")["payload"] == []
    answer = server.post("/api/jobs", {"id": "a/b", "args": ["-s"]})
    assert answer.status == 201, answer
    topic = "job/a/b/output"
    client.subscribe(topic)
    suite.wait_for("held-0")
    [job] = client.until("jobs", lambda jobs: jobs and jobs[0]["state"] == "in-progress")
    assert job == {"id": "a/b", "state": "in-progress", "returncode": None}
    client.until(topic, lambda output: "collected 4 items" in output["text"])
    assert not client.documents[topic]["whole"]
    outcome = example(server, "--stop", "a/b")
    assert (outcome.code, outcome.stdout) == (0, "done\n"), outcome
    [job] = client.until("jobs", lambda jobs: jobs[0]["state"] == "done")
    assert job["returncode"] == 2
    output = client.until(topic, lambda output: output["whole"])
    late = subscriber(server, stack)
    assert late.subscribe(topic)["payload"] == output
    assert server.ask("GET", "/api/jobs/a%2Fb/output").text == output["text"]
    fits_the_schema(server, client.seen + late.seen)
    assert server.ask("DELETE", "/api/jobs/a%2Fb").status == 204
    assert client.until("jobs", lambda jobs: not jobs) == []
    assert "there is no job" in client.subscribe(topic)["message"]
