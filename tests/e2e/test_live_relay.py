"""The WebSocket `/` of `host serve`, which clients of pytest-relay-run use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from support.announcing import announcer
from support.live_host import LiveHost
from support.plain_socket import PlainSocket
from support.polling import until
from support.project import Project

ACKNOWLEDGED = '{"type":"pytest-conn-ack","payload":null}'
SOURCE = '{"type":"pytest-source","payload":null}'
SINK = '{"type":"pytest-sink","payload":null}'


class Clients:
    def __init__(self, server: LiveHost, stack: ExitStack) -> None:
        self._server = server
        self._stack = stack

    def connect(self, role: str | None, **options: Any) -> ClientConnection:
        client = self._stack.enter_context(self._server.socket("/", **options))
        assert client.recv(timeout=10) == ACKNOWLEDGED
        if role is not None:
            client.send(role)
            # Answered once what was said before it is taken in.
            assert client.ping().wait(10)
        return client


@pytest.fixture
def server(project: Project) -> LiveHost:
    return LiveHost(project)


@pytest.fixture
def clients(server: LiveHost) -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(server, stack)


def hear(client: ClientConnection, count: int) -> list[str]:
    return [str(client.recv(timeout=10)) for _ in range(count)]


def settle(source: ClientConnection, sinks: list[ClientConnection]) -> None:
    """Until all sinks are known to be sinks: each hears what is said from then on."""
    for number, sink in enumerate(sinks):
        text = f'{{"settle":{number}}}'
        source.send(text)
        while sink.recv(timeout=10) != text:
            pass


def test_what_sources_say_goes_to_sinks_and_back(clients: Clients) -> None:
    nobody = clients.connect(None)
    first = clients.connect(SINK)
    source = clients.connect(SOURCE)
    assert hear(first, 1) == [SOURCE], "the first words are relayed, too"
    second = clients.connect('{"type": "pytest-sink", "payload": null}')
    assert hear(source, 1) == ['{"type": "pytest-sink", "payload": null}'], "as they are"
    texts = [
        '{"type":"session","payload":{"id":"é 表"}}',
        '{"type" : "no such type", "more": [1,  2]}',
        SINK,
        "3",
    ]
    for text in texts:
        source.send(text)
    for sink in (first, second):
        assert hear(sink, len(texts)) == texts, "what it is is said once and for good"
    second.send('{"type":"stop"}')
    assert hear(source, 1) == ['{"type":"stop"}']
    late = clients.connect(SINK)
    source.send("4")
    assert hear(first, 1) == ["4"]
    late.send("5")
    assert hear(source, 2) == [SINK, "5"]
    for client in (nobody, first):
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.2)


@pytest.mark.difference("socket-2")
def test_what_is_no_message_ends_nothing(clients: Clients) -> None:
    sink, source = clients.connect(SINK), clients.connect(SOURCE)
    assert hear(sink, 1) == [SOURCE]
    for bad in ("", "{", '{"type":', "[" * 1000, b"\x00\xff", b'{"type":"session"}'):
        source.send(bad)
        sink.send(bad)
    source.send('{"n":1}')
    sink.send('{"n":2}')
    assert (hear(sink, 1), hear(source, 1)) == (['{"n":1}'], ['{"n":2}'])


def test_a_client_that_says_anything_else_first_is_nobody_yet(clients: Clients) -> None:
    sink = clients.connect(SINK)
    early = clients.connect('{"type":"session","payload":null}')
    early.send(SOURCE)
    early.send("1")
    assert hear(sink, 2) == [SOURCE, "1"]


def test_a_sink_that_does_not_read_is_dropped_alone(project: Project) -> None:
    project.configure('[serve]\nping = "1 s"\n')
    server = LiveHost(project)
    with ExitStack() as stack:
        clients = Clients(server, stack)
        slow = PlainSocket(server.url, "/", server.secret, buffer=4096)
        slow.send(SINK)
        mute = PlainSocket(server.url, "/", server.secret, buffer=4096)
        mute.send(SOURCE)
        source, sink = clients.connect(SOURCE), clients.connect(SINK)
        settle(source, [sink])
        long = json.dumps({"type": "session", "text": "x" * 1_000_000})
        # More than the buffers of both ends take, in both directions.
        for _ in range(8):
            source.send(long)
            sink.send(long)
            assert hear(sink, 1) == [long]
        until("it to be given up", lambda: "websocket_slow_total 1" in server.metrics())
        assert slow.closing() == (1013, "too slow: messages were not read in time")
        # A source is pytest, which never reads and must not be ended.
        mute.send('{"n":1}')
        assert hear(sink, 1) == ['{"n":1}']
        mute.end()


@pytest.mark.difference("socket-4")
def test_own_runs_are_sources(project: Project) -> None:
    project.configure(announcer(topic="relay") + "[serve]\nrelay = false\n")
    project.write("test_a.py", "def test_1(): pass\ndef test_2(): pass\n")
    server = LiveHost(project)
    with ExitStack() as stack:
        clients = Clients(server, stack)
        sink = clients.connect(SINK)
        for _ in range(2):
            assert server.pytest().finish().code == 0
        heard = hear(sink, 6)
        assert [text for text in heard if text == SOURCE] == [heard[0], heard[3]]
        names = [json.loads(text)["payload"] for text in heard]
        assert [name and name["name"] for name in names] == [
            *(None, "test_a.py::test_1", "test_a.py::test_2"),
            *(None, "test_a.py::test_1", "test_a.py::test_2"),
        ]


def test_sinks_are_told_of_jobs_and_of_their_runs(project: Project) -> None:
    """As in golden/relay-run/job-run.ws.json; the end of a job and that of its run may swap."""
    project.configure(announcer(topic="relay") + "[serve]\nrelay = false\n")
    project.write("test_a.py", "def test_1(): pass\n")
    server = LiveHost(project)
    with ExitStack() as stack:
        sink = Clients(server, stack).connect(SINK)
        assert server.post("/api/jobs", {"id": "c1", "args": ["-q"]}).status == 201
        heard = [json.loads(text) for text in hear(sink, 5)]
    jobs = [message["payload"] for message in heard if message["type"] == "job"]
    others = [message["type"] for message in heard if message["type"] != "job"]
    assert [job["state"] for job in jobs] == ["created", "in-progress", "done"]
    assert others == ["pytest-source", "testcase"]
    assert [(job["id"], job["text"]) for job in jobs[:2]] == [("c1", None), ("c1", None)]
    assert jobs[2]["returncode"] == 0
    assert "1 passed" in jobs[2]["text"]
