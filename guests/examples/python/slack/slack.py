"""Posts what failed to a Slack channel, once the run is over."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.exports.sink import (
    Misconfiguration,
    Need,
    Need_Http,
    Opening,
    Refusal,
    Refusal_Reject,
    Refusal_Retry,
    Undone,
)
from wit_world.imports import http, state
from wit_world.imports.events import (
    Envelope,
    Event_CollectFailed,
    Event_Interrupted,
    Event_PhaseFinished,
    Event_SessionFinished,
    Event_TestFinished,
    Outcome_Failed,
    Session,
    TestEnd,
    Verdict,
)

#: Slack takes so many characters of text in a block.
TEXT = 3000
#: Characters of one failure.
LINE = 300
BAD = (Verdict.FAILED, Verdict.ERROR, Verdict.CRASHED)
DEFAULTS: dict[str, Any] = {"url": "", "when": "failure", "max": 20, "mention": "", "title": ""}


class Sink(exports.Sink):
    # An object is made for each call; what lasts as long as the instance is the class's.
    settings = DEFAULTS
    session: Session

    def configure(self, settings: str) -> list[Need]:
        Sink.settings = check(json.loads(settings))
        parts = urlsplit(Sink.settings["url"])
        return [Need_Http(f"{parts.scheme}://{parts.netloc}")]

    def open(self, session: Session, why: Opening) -> None:
        Sink.session = session

    def handle(self, batch: list[Envelope]) -> list[Undone]:
        kept = state.get("tally")
        tally = json.loads(kept) if kept else {"verdicts": {}, "failures": [], "messages": {}}
        undone = []
        for envelope in batch:
            match envelope.event:
                case Event_PhaseFinished(report):
                    if report.failure and isinstance(report.outcome, Outcome_Failed):
                        failure = report.failure
                        first = failure.message.split("\n", 1)[0]
                        message = first if first.startswith("assert ") else f"{failure.kind}: {first}"
                        tally["messages"][report.nodeid] = message
                case Event_TestFinished(end):
                    count(tally, end)
                case Event_CollectFailed((nodeid, failure)):
                    count_as(tally, "error", nodeid, failure.message.split("\n", 1)[0])
                case Event_Interrupted(reason):
                    tally["interrupted"] = reason
                case Event_SessionFinished():
                    if refusal := self.finish(tally, envelope):
                        undone.append(Undone(envelope.seq, refusal))
        state.set("tally", json.dumps(tally).encode())
        return undone

    def close(self) -> None:
        pass

    def finish(self, tally: dict[str, Any], envelope: Envelope) -> Refusal | None:
        """One message a run. It is sent again only where the host never learnt that it was taken."""
        if Sink.settings["when"] == "failure" and not tally["failures"]:
            return None
        seconds = envelope.time - Sink.session.started
        body = json.dumps(message(Sink.settings, Sink.session, tally, seconds)).encode()
        headers = [("content-type", "application/json")]
        request = http.Request("POST", Sink.settings["url"], headers, body, None, 10.0)
        match http.send([request], 1)[0]:
            case Ok(http.Response(status)) if 200 <= status < 300:
                return None
            case Ok(http.Response(status, answer_headers)) if status == 429 or status >= 500:
                return Refusal_Retry((retry_after(answer_headers), f"answered {status}"))
            case Ok(http.Response(status, _, answer)):
                said = answer.decode(errors="replace")[:100]
                return Refusal_Reject(f"answered {status}: {said}")
            case Err(http.Error_Unreachable(why)):
                return Refusal_Retry((1.0, f"unreachable: {why}"))
            case Err(http.Error_TimedOut()):
                return Refusal_Retry((1.0, "timed out"))
            case Err(http.Error_Denied(what)):
                return Refusal_Reject(f"not granted: {what}")
            case Err(error):
                return Refusal_Reject(str(error))


def check(given: dict[str, Any]) -> dict[str, Any]:
    for key, value in given.items():
        if key not in DEFAULTS:
            raise Err(Misconfiguration(key, f"unknown setting; known are {', '.join(DEFAULTS)}"))
        if type(value) is not type(DEFAULTS[key]):
            kind = "a number" if key == "max" else "a text"
            raise Err(Misconfiguration(key, f"expected {kind}"))
    settings = {**DEFAULTS, **given}
    parts = urlsplit(settings["url"])
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Err(Misconfiguration("url", "expected the URL of an incoming webhook, https://…"))
    if settings["when"] not in ("failure", "always"):
        raise Err(Misconfiguration("when", "expected failure or always"))
    if not 0 <= settings["max"] <= 45:
        raise Err(Misconfiguration("max", "expected 0 to 45: Slack takes 50 blocks"))
    return settings


def count(tally: dict[str, Any], end: TestEnd) -> None:
    name = end.verdict.name.lower()
    message = tally["messages"].pop(end.nodeid, name)
    if end.verdict in BAD:
        count_as(tally, name, end.nodeid, message)
    else:
        tally["verdicts"][name] = tally["verdicts"].get(name, 0) + 1


def count_as(tally: dict[str, Any], name: str, nodeid: str, message: str) -> None:
    tally["verdicts"][name] = tally["verdicts"].get(name, 0) + 1
    tally["failures"].append([nodeid[:LINE], message[:LINE]])


def message(settings: dict[str, Any], session: Session, tally: dict[str, Any], seconds: float) -> dict[str, Any]:
    failures = tally["failures"]
    counts = ", ".join(f"{number} {name}" for name, number in sorted(tally["verdicts"].items()))
    title = settings["title"] or f"pytest on {session.hostname}"
    mark = ":x:" if failures else ":white_check_mark:"
    head = f"{mark} *{escape(title)}*: {counts or 'no tests'} in {seconds:.0f} s"
    if "interrupted" in tally:
        head += f"\n:warning: interrupted: {escape(tally['interrupted'])}"
    if settings["mention"] and failures:
        head = f"{settings['mention']} {head}"
    shown = failures[: settings["max"]]
    texts = [head, *(f"`{code(nodeid)}`\n{escape(line)}" for nodeid, line in shown)]
    if left := len(failures) - len(shown):
        texts.append(f"and {left} more")
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": text[:TEXT]}} for text in texts]
    return {"text": head[:TEXT], "blocks": blocks}


def escape(text: str) -> str:
    """What Slack would take for its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    return escape(text).replace("`", "'")


def retry_after(headers: list[tuple[str, str]]) -> float:
    for name, value in headers:
        if name.lower() == "retry-after" and value.strip().isdigit():
            return float(value)
    return 1.0
