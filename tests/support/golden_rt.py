"""What pytest-rt was seen to send; see tests/fixtures/golden/rt."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from support.golden import ADDRESS, SUITE, frames

FOLDER = Path(__file__).parents[1] / "fixtures" / "golden" / "rt"

Message = dict[str, Any]

#: Keys of each message, in order; `test` is ours alone.
KEYS = {
    "startTestRun": "fw type tests env custom_data startTime job_id custom_id",
    "startTestItem": "fw type job_id test uuid custom_id startTime",
    "stopTestItem": "fw type job_id test uuid custom_id status msg stopTime screens",
    "stopTest": "fw type job_id test uuid custom_id stopTime status msg",
    "stopTestRun": "fw type job_id custom_id stopTime send_report",
}


def posts(name: str) -> list[Message]:
    """The messages of a capture, in order of arrival."""
    lines = (FOLDER / f"{name}.posts.jsonl").read_text().splitlines()
    return [json.loads(line)["json"] for line in lines]


@dataclass(frozen=True)
class Conversation:
    """Messages without what the SPEC calls volatile.

    Those of a test are in order; across tests the order of arrival is nobody's promise.
    """

    starts: list[Message]
    #: By node id; a collector's too.
    tests: dict[str, list[Message]]
    stops: list[Message]

    def with_more(self, nodeid: str, *more: Message) -> Conversation:
        """With these at the end of what is said of a test."""
        tests = {**self.tests, nodeid: [*self.tests.get(nodeid, []), *more]}
        return replace(self, tests=tests)


def conversation(messages: Sequence[Message], suite: Path | str) -> Conversation:
    """Puts messages in order by test, and masks them."""
    starts = [message for message in messages if message["type"] == "startTestRun"]
    nodeids = {test["uuid"]: test["nodeid"] for start in starts for test in start["tests"]}
    found = Conversation([], {}, [])
    for message in messages:
        masked = _mask(message, suite)
        if message["type"] == "startTestRun":
            for test in masked["tests"]:
                assert test.pop("uuid") in nodeids
            found.starts.append(masked)
        elif message["type"] == "stopTestRun":
            found.stops.append(masked)
        else:
            named = masked.pop("uuid")
            nodeid = nodeids[named] if named is not None else masked["test"]
            found.tests.setdefault(nodeid, []).append(masked)
    return found


def _mask(message: Message, suite: Path | str) -> Message:
    text = json.dumps(message).replace(f"{suite}/", f"{SUITE}/")
    masked: Message = json.loads(ADDRESS.sub("0x…", text))
    assert uuid.UUID(masked.pop("job_id"))
    for key in ("startTime", "stopTime"):
        if key in masked:
            is_number = message["type"] == "startTestRun"
            assert isinstance(masked[key], float if is_number else str)
            assert abs(float(masked.pop(key)) - 1.8e9) < 1e8
    if message["type"] == "stopTest":
        masked["msg"][2] = frames(masked["msg"][2], SUITE)
    return masked


def jobs(messages: Iterable[Message]) -> set[str]:
    return {message["job_id"] for message in messages}


def as_ours(captured: Conversation) -> Conversation:
    """docs/compatibility.md, for what all captures have in common."""
    tests = {
        nodeid: [_with_test(message, nodeid) for message in messages]
        for nodeid, messages in captured.tests.items()
    }
    # rt-2: one of each, xdist or not.
    return Conversation(captured.starts[:1], tests, captured.stops[-1:])


def _with_test(message: Message, nodeid: str) -> Message:
    """rt-1"""
    return {**message, "test": nodeid}


def stop_test(
    nodeid: str, kind: str, value: str, frames: str = "", *, custom_id: str | None = None
) -> Message:
    """The message that pytest-rt's README has and its version 1.3.2 never sends, masked."""
    return {
        "fw": "2",
        "type": "stopTest",
        "test": nodeid,
        "custom_id": custom_id,
        "status": "error",
        "msg": [kind, value, frames],
    }


def stop_item(nodeid: str, status: str, text: str) -> Message:
    return {
        "fw": "2",
        "type": "stopTestItem",
        "test": nodeid,
        "custom_id": None,
        "status": status,
        "msg": text,
        "screens": "",
    }
