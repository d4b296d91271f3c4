"""Tests without a host: plain Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from componentize_py_types import Err, Ok
from wit_world.exports.sink import Need_Http, Need_Write, Opening, Refusal_Reject, Refusal_Retry
from wit_world.imports import events, http, state
from wit_world.imports.events import (
    Envelope,
    Event,
    Event_PhaseFinished,
    Event_SessionFinished,
    Event_TestFinished,
    Failure,
    Outcome_Failed,
    Phase,
    Report,
    Session,
    SessionEnd,
    Verdict,
)

from sink_name import Sink

SESSION = Session(
    id="run-1",
    rootdir="/suite",
    invocation_dir="/suite",
    args=[],
    started=0.0,
    pytest_version="9.2.0",
    python_version="3.13.0",
    python_prefixes=("/venv", "/usr"),
    hostname="host",
    pid=1,
    dist=None,
    labels=[],
)


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """In place of the host's `state`."""
    values: dict[str, bytes] = {}
    monkeypatch.setattr(state, "get", values.get)
    monkeypatch.setattr(state, "set", values.__setitem__)
    return values


def failed(nodeid: str, message: str) -> list[Event]:
    report = Report(
        nodeid=nodeid,
        name=nodeid.rpartition("::")[2],
        group=None,
        attempt=1,
        phase=Phase.CALL,
        outcome=Outcome_Failed(),
        xfail_reason=None,
        start=0.0,
        stop=1.0,
        duration=1.0,
        failure=Failure("AssertionError", message, [], message),
        sections=[],
        properties=[],
        subtest=None,
    )
    return [Event_PhaseFinished(report), ended(nodeid, Verdict.FAILED)]


def ended(nodeid: str, verdict: Verdict) -> Event:
    return Event_TestFinished(events.TestEnd(nodeid, 1, verdict, 1.0))


def over() -> Event:
    return Event_SessionFinished(SessionEnd(0, None))


def numbered(*events: Event) -> list[Envelope]:
    return [Envelope(seq, 0.0, None, event) for seq, event in enumerate(events, 1)]


def opened(**settings: str) -> Sink:
    sink = Sink()
    sink.configure(json.dumps(settings))
    sink.open(SESSION, Opening.FRESH)
    return sink


def test_a_summary_is_written_when_the_run_is_over(tmp_path: Path) -> None:
    sink = opened(dir=str(tmp_path))
    passed = ended("test_a.py::test_b", Verdict.PASSED)
    sink.handle(numbered(passed, *failed("test_a.py::test_c", "no\nmore")))
    assert not list(tmp_path.iterdir())
    assert sink.handle(numbered(over())) == []
    assert json.loads((tmp_path / "summary.json").read_text()) == {
        "failures": [{"message": "no", "nodeid": "test_a.py::test_c"}],
        "session": "run-1",
        "verdicts": {"failed": 1, "passed": 1},
    }


def test_a_busy_server_is_asked_again_and_one_not_granted_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "send", lambda requests, _: [Ok(http.Response(503, [], b""))])
    sink = opened(dir=str(tmp_path), url="http://127.0.0.1:1/x")
    (undone,) = sink.handle(numbered(over()))
    assert undone.why == Refusal_Retry((1.0, "answered 503"))
    monkeypatch.setattr(http, "send", lambda requests, _: [Err(http.Error_Denied("http://127.0.0.1:1"))])
    (undone,) = sink.handle(numbered(over()))
    assert isinstance(undone.why, Refusal_Reject)


def test_settings() -> None:
    needs = Sink().configure('{"dir": "out", "url": "https://h.example/x?y"}')
    assert needs == [Need_Write("out"), Need_Http("https://h.example")]
    with pytest.raises(Err) as told:
        Sink().configure('{"dri": "out"}')
    assert told.value.value.key == "dri"
