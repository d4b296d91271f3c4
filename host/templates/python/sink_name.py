"""Counts what tests came to; at the end of the run it writes that to a file, and posts it where asked to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.exports.sink import (
    Misconfiguration,
    Need,
    Need_Http,
    Need_Write,
    Opening,
    Refusal,
    Refusal_Reject,
    Refusal_Retry,
    Undone,
)
from wit_world.imports import http, state
from wit_world.imports.events import (
    Envelope,
    Event_PhaseFinished,
    Event_SessionFinished,
    Event_TestFinished,
    Outcome_Failed,
    Session,
    TestEnd,
    Verdict,
)

#: Verdicts that are listed one by one.
BAD = (Verdict.FAILED, Verdict.ERROR, Verdict.CRASHED)
#: Characters of a message that are kept.
LONGEST = 200


class Sink(exports.Sink):
    # An object is made for each call, so what lasts as long as the instance is the class's.
    # What outlasts the instance is in `state`.
    settings: dict[str, str] = {}
    session = ""

    def configure(self, settings: str) -> list[Need]:
        Sink.settings = check(json.loads(settings))
        needs: list[Need] = [Need_Write(Sink.settings["dir"])]
        if url := Sink.settings.get("url"):
            needs.append(Need_Http(origin(url)))
        return needs

    def open(self, session: Session, why: Opening) -> None:
        Sink.session = session.id

    def handle(self, batch: list[Envelope]) -> list[Undone]:
        tally = load()
        undone = []
        for envelope in batch:
            match envelope.event:
                case Event_PhaseFinished(report):
                    if report.failure and isinstance(report.outcome, Outcome_Failed):
                        tally["messages"][report.nodeid] = first_line(report.failure.message)
                case Event_TestFinished(end):
                    count(tally, end)
                case Event_SessionFinished():
                    if refusal := finish(summary(Sink.session, tally)):
                        undone.append(Undone(envelope.seq, refusal))
        # Kept together with the acknowledgement of this batch: nothing is counted twice.
        state.set("tally", json.dumps(tally).encode())
        return undone

    def close(self) -> None:
        pass


def check(settings: dict[str, Any]) -> dict[str, str]:
    for key, value in settings.items():
        if key not in ("dir", "url"):
            raise Err(Misconfiguration(key, "unknown setting; known are dir and url"))
        if not isinstance(value, str):
            raise Err(Misconfiguration(key, "expected a text"))
    return {"dir": "report", **settings}


def origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Err(Misconfiguration("url", "expected http:// or https://"))
    return f"{parts.scheme}://{parts.netloc}"


def load() -> dict[str, Any]:
    kept = state.get("tally")
    return json.loads(kept) if kept else {"verdicts": {}, "failures": [], "messages": {}}


def count(tally: dict[str, Any], end: TestEnd) -> None:
    name = end.verdict.name.lower()
    tally["verdicts"][name] = tally["verdicts"].get(name, 0) + 1
    message = tally["messages"].pop(end.nodeid, name)
    if end.verdict in BAD:
        tally["failures"].append({"message": message, "nodeid": end.nodeid})


def first_line(text: str) -> str:
    return text.split("\n", 1)[0][:LONGEST]


def summary(session: str, tally: dict[str, Any]) -> str:
    shown = {"failures": tally["failures"], "session": session, "verdicts": tally["verdicts"]}
    return json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def finish(text: str) -> Refusal | None:
    """Says why it is not done, or nothing. It may be called again: the same text is written and posted."""
    Path(Sink.settings["dir"], "summary.json").write_text(text, encoding="utf-8")
    url = Sink.settings.get("url")
    if not url:
        return None
    headers = [("content-type", "application/json")]
    request = http.Request("POST", url, headers, text.encode(), key=None, timeout=None)
    match http.send([request], 1)[0]:
        case Ok(http.Response(status)) if 200 <= status < 300:
            return None
        case Ok(http.Response(status)) if status >= 500 or status in (408, 425, 429):
            return Refusal_Retry((1.0, f"answered {status}"))
        case Ok(http.Response(status)):
            return Refusal_Reject(f"answered {status}")
        case Err(http.Error_Unreachable(why)):
            return Refusal_Retry((1.0, f"unreachable: {why}"))
        case Err(http.Error_TimedOut()):
            return Refusal_Retry((1.0, "timed out"))
        case Err(error):  # What the host will say again: not granted, for one.
            return Refusal_Reject(str(error))
