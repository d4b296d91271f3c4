"""Tests without a host: plain Python."""

from __future__ import annotations

import json
from typing import Any

import pytest
from componentize_py_types import Err, Ok
from slack import Sink, check, escape
from wit_world.exports.sink import Misconfiguration, Need_Http, Opening, Refusal_Reject, Refusal_Retry
from wit_world.imports import events, http, state

URL = "https://hooks.slack.example/services/x"
SESSION = events.Session(
    id="run-1",
    rootdir="/suite",
    invocation_dir="/suite",
    args=[],
    started=100.0,
    pytest_version="9.2.0",
    python_version="3.13.0",
    python_prefixes=("/venv", "/usr"),
    hostname="ci",
    pid=1,
    dist=None,
    labels=[],
)


class Host:
    """In place of the host: what is kept, and what is posted."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.values: dict[str, bytes] = {}
        self.posts: list[dict[str, Any]] = []
        self.answer: Ok[http.Response] | Err[http.Error] = answer(200, b"ok")
        patch.setattr(state, "get", self.values.get)
        patch.setattr(state, "set", self.values.__setitem__)
        patch.setattr(http, "send", self.send)

    def send(
        self, requests: list[http.Request], _: int
    ) -> list[Ok[http.Response] | Err[http.Error]]:
        self.posts.extend(json.loads(request.body) for request in requests)
        return [self.answer]


def answer(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Ok[http.Response]:
    return Ok(http.Response(status, list(headers), body))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def opened(**settings: Any) -> Sink:
    sink = Sink()
    sink.configure(json.dumps({"url": URL, **settings}))
    sink.open(SESSION, Opening.FRESH)
    return sink


def numbered(*told: events.Event) -> list[events.Envelope]:
    return [events.Envelope(seq, 112.0, None, event) for seq, event in enumerate(told, 1)]


def failed(nodeid: str) -> list[events.Event]:
    return [events.Event_TestFinished(events.TestEnd(nodeid, 1, events.Verdict.FAILED, 1.0))]


def over() -> events.Event:
    return events.Event_SessionFinished(events.SessionEnd(1, None))


def test_failures_are_listed_up_to_a_number(host: Host) -> None:
    sink = opened(max=2, mention="<!here>", title="shop <main>")
    for number in range(4):
        sink.handle(numbered(*failed(f"test_a.py::test[<{number}>]")))
    assert sink.handle(numbered(over())) == []
    (post,) = host.posts
    texts = [block["text"]["text"] for block in post["blocks"]]
    assert texts == [
        "<!here> :x: *shop &lt;main&gt;*: 4 failed in 12 s",
        "`test_a.py::test[&lt;0&gt;]`\nfailed",
        "`test_a.py::test[&lt;1&gt;]`\nfailed",
        "and 2 more",
    ]


def test_a_good_run_is_told_only_where_asked_for(host: Host) -> None:
    opened().handle(numbered(over()))
    assert host.posts == []
    opened(when="always").handle(numbered(over()))
    assert host.posts[0]["text"] == ":white_check_mark: *pytest on ci*: no tests in 12 s"


def test_what_the_server_says_counts(host: Host) -> None:
    sink = opened(when="always")
    host.answer = answer(429, b"", ("Retry-After", "30"))
    (undone,) = sink.handle(numbered(over()))
    assert undone.why == Refusal_Retry((30.0, "answered 429"))
    host.answer = answer(404, b"no_service")
    (undone,) = sink.handle(numbered(over()))
    assert undone.why == Refusal_Reject("answered 404: no_service")
    host.answer = Err(http.Error_Unreachable("refused"))
    (undone,) = sink.handle(numbered(over()))
    assert undone.why == Refusal_Retry((1.0, "unreachable: refused"))
    host.answer = Err(http.Error_TooLarge(70_000_000))
    (undone,) = sink.handle(numbered(over()))
    assert isinstance(undone.why, Refusal_Reject), "it would be as large the next time"


def test_limits_of_slack_are_kept(host: Host) -> None:
    sink = opened(max=45)
    for number in range(100):
        sink.handle(numbered(*failed(f"test_a.py::test[{'x' * 9000}-{number}]")))
    sink.handle(numbered(over()))
    (post,) = host.posts
    assert len(post["blocks"]) <= 50
    assert max(len(block["text"]["text"]) for block in post["blocks"]) <= 3000


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"url": "x"}, "url"), ({"url": URL, "whne": "always"}, "whne"), ({"url": URL, "max": 99}, "max")],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(Err) as told:
        check(settings)
    assert isinstance(told.value.value, Misconfiguration)
    assert told.value.value.key == key


def test_needs() -> None:
    assert Sink().configure(json.dumps({"url": URL})) == [Need_Http("https://hooks.slack.example")]
    assert escape("a & <b>") == "a &amp; &lt;b&gt;"
