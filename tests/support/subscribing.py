"""A client of /ws, which does with messages what docs/live.md says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from websockets.sync.client import ClientConnection

from support.polling import DEADLINE

Message = dict[str, Any]

#: Failures that a document keeps.
FAILURES = 1000


class Subscriber:
    """One connection. `documents` has what each topic has come to, `seen` all messages."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[Message] = []
        self.documents: dict[str, Any] = {}
        self._last: dict[str, tuple[str, int]] = {}

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def subscribe(self, topic: str, **where: Any) -> Message:
        """Answers with what the host says to that."""
        self.say(type="subscribe", topic=topic, **where)
        return self.wait(lambda message: message["type"] != "delta" and message["topic"] == topic)

    def read(self, timeout: float = DEADLINE) -> Message:
        """The next message."""
        message: Message = json.loads(self.socket.recv(timeout=timeout))
        self.seen.append(message)
        topic: str = message.get("topic") or ""
        kind = message["type"]
        if kind in ("snapshot", "resumed", "delta"):
            at = (message["epoch"], message["seq"])
            if kind == "delta":
                epoch, last = self._last[topic]
                assert at == (epoch, last + 1), "none is missing, and none comes twice"
            self._last[topic] = at
        if kind == "snapshot":
            self.documents[topic] = message["payload"]
        elif kind == "delta":
            self.documents[topic] = changed(topic, self.documents.get(topic), message["payload"])
        return message

    def wait(self, wanted: Callable[[Message], bool], deadline: float = DEADLINE) -> Message:
        """The next message that is wanted."""
        until = time.monotonic() + deadline
        while True:
            left = until - time.monotonic()
            assert left > 0, self.seen[-3:]
            message = self.read(left)
            if wanted(message):
                return message

    def until(self, topic: str, holds: Callable[[Any], bool], deadline: float = DEADLINE) -> Any:
        """What `topic` has come to, once that holds."""
        until = time.monotonic() + deadline
        while not holds(self.documents[topic]):
            left = until - time.monotonic()
            assert left > 0, self.documents[topic]
            self.read(left)
        return self.documents[topic]

    def position(self, topic: str) -> dict[str, Any]:
        """What to say to go on from here."""
        epoch, seq = self._last[topic]
        return {"from": seq + 1, "epoch": epoch}


def changed(topic: str, state: Any, payload: Any) -> Any:
    """What a delta makes of a state."""
    if topic.startswith("run/"):
        return _run(state, payload)
    if topic.startswith("job/"):
        begun = state if not payload["left_out"] else {"offset": payload["offset"], "text": ""}
        text = begun["text"] + payload["text"]
        return {"offset": begun["offset"], "text": text, "whole": payload["whole"]}
    if topic in ("runs", "pauses", "jobs"):
        key = "run" if topic == "runs" else "id"
        items = {item[key]: item for item in state}
        items |= {item[key]: item for item in payload["put"]}
        return [item for name, item in sorted(items.items()) if name not in payload["removed"]]
    return state


def _run(document: Message, payload: Message) -> Message:
    running = {_key(test): test for test in document["running"]}
    failures = list(document["failures"])
    for event in payload.get("events", []):
        what = {key: value for key, value in event.items() if key != "type"}
        if event["type"] == "test-started":
            running[_key(event)] = what
        elif event["type"] in ("test-finished", "test-gone"):
            running.pop(_key(event), None)
        else:
            assert event["type"] == "failed"
            failures.append(what)
    lists = {"running": list(running.values()), "failures": failures[-FAILURES:]}
    return {**document, **lists, **payload.get("set", {})}


def _key(test: Message) -> tuple[Any, ...]:
    return test["worker"], test["nodeid"], test["attempt"]
