"""What pytest-relay and pytest-relay-ws were seen to send; see tests/fixtures/golden/relay."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support.golden import ADDRESS, SUITE

FOLDER = Path(__file__).parents[1] / "fixtures" / "golden" / "relay"

Message = dict[str, Any]

#: Keys of each payload, in order.
KEYS = {
    "session": "id records tests time_start time_stop result config state",
    "testcase": "session_id idx name time_start time_stop category records state result",
}
RECORD_KEYS = "id time severity phase msg source"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?")
#: Where the standard library is, and what it says of itself.
_LIBRARY = re.compile(
    r"^.*importlib/__init__\.py:\d+: in import_module\n(    .*\n|  +\^+\n)*", re.MULTILINE
)


def captured(name: str) -> list[Message]:
    """The messages of a capture's first connection, without how it begins."""
    lines = (FOLDER / f"{name}.ws.jsonl").read_text().splitlines()
    events = map(json.loads, lines)
    return [
        event["json"]
        for event in events
        if event["ev"] == "msg" and event["json"]["type"] != "pytest-source"
    ]


def mask(messages: Iterable[Message], suite: str) -> list[Message]:
    """Without what the SPEC calls volatile. `suite` is the folder that the suite is in."""
    ids: dict[str, str] = {}

    def name(kind: str, value: str) -> str:
        return ids.setdefault(value, f"{kind}{len(ids)}")

    masked = []
    for message in messages:
        text = json.dumps(message).replace(json.dumps(suite)[1:-1], SUITE)
        copy = json.loads(ADDRESS.sub("0x…", text))
        payload = copy["payload"]
        for key in ("time_start", "time_stop"):
            payload[key] = _time(payload[key])
        for key in ("id", "session_id"):
            if key in payload and payload[key] != "S1":
                assert uuid.UUID(payload[key])
                payload[key] = name("session", payload[key])
        for record in payload["records"]:
            assert uuid.UUID(record["id"])
            record["id"] = name("record", record["id"])
            record["time"] = _time(record["time"])
            record["msg"] = _LIBRARY.sub("", record["msg"])
        masked.append(copy)
    return masked


def _time(text: str | None) -> str | None:
    if text is None:
        return None
    assert _TIME.fullmatch(text), text
    return "…"


def check_keys(messages: Iterable[Message]) -> None:
    for message in messages:
        assert list(message) == ["type", "payload"]
        payload = message["payload"]
        assert list(payload) == KEYS[message["type"]].split()
        for record in payload["records"]:
            assert list(record) == RECORD_KEYS.split()


def of_tests(messages: Iterable[Message]) -> dict[str, list[Message]]:
    """What is said of each test, in order."""
    found: dict[str, list[Message]] = {}
    for message in messages:
        if message["type"] == "testcase":
            found.setdefault(message["payload"]["name"], []).append(message["payload"])
    return found


def of_session(messages: Iterable[Message]) -> list[Message]:
    return [message["payload"] for message in messages if message["type"] == "session"]


def once(messages: Iterable[Message]) -> list[Message]:
    """Each message once, at its first place: what may have been lost comes again as it was."""
    found: dict[str, Message] = {}
    for message in messages:
        found.setdefault(json.dumps(message), message)
    return list(found.values())
