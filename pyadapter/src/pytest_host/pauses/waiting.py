"""One pause, from the question to the answer.

Whatever comes first and fits is the answer; this is the only place that decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..connection import Message
from . import look, real, shown
from .channel import Channel
from .decision import ABANDONED, TIMED_OUT, Answer
from .files import Command, Files

#: Seconds between two looks at the command file: without a host, and with one
#: that says when to look.
_ALONE, _HOSTED = 0.01, 0.25

OVER = "pause is no longer pending"

#: Longer than any test waits: 30 years.
_FOREVER = 1e9


@dataclass
class Pause:
    """What is asked, and what can be seen meanwhile."""

    id: str
    kind: str
    nodeid: str
    attempt: int
    task: str
    #: Seconds, as they were given: a whole number stays one.
    timeout: float
    original_failure: str
    created: float
    pid: int
    hostname: str
    cwd: str
    worker: str | None
    captured: Callable[[], list[list[str]]]
    places: Sequence[look.Place] = field(default_factory=tuple)

    def record(self, run_id: str) -> dict[str, Any]:
        """The pause file while nobody has answered."""
        return {
            "pause_id": self.id,
            "run_id": run_id,
            "kind": self.kind,
            "nodeid": self.nodeid,
            "task": self.task,
            "timeout": self.timeout,
            "original_failure": self.original_failure,
            "status": "pending",
            "created_at": self.created,
            "pid": self.pid,
            "hostname": self.hostname,
            "cwd": self.cwd,
            "worker_id": self.worker,
            "finished_at": None,
            "failure_reason": None,
        }

    def frame(self) -> dict[str, Any]:
        """The contract's `pause-request`."""
        return {
            "id": self.id,
            "kind": self.kind,
            "nodeid": self.nodeid,
            "task": self.task,
            "timeout": self.timeout,
            "original_failure": self.original_failure or None,
            "created": self.created,
        }


class Waiting:
    """Waits for the answer. Files or host may be missing, or go away."""

    def __init__(
        self,
        pause: Pause,
        channel: Channel,
        files: Files | None,
        *,
        run_id: str,
        may_eval: bool,
    ) -> None:
        self._pause = pause
        self._channel = channel
        self._files = files
        self._run_id = run_id
        self._may_eval = may_eval
        self._deadline = real.monotonic() + min(pause.timeout, _FOREVER)
        self._answer: Answer | None = None
        #: When to look at the command file again.
        self._look_at = 0.0

    def wait(self) -> Answer:
        while self._answer is None:
            if self._channel.rejoins():
                self._channel.send(self.opened())
            now = real.monotonic()
            if now >= self._look_at:
                self._look(now)
                continue
            if now >= self._deadline:
                self._answer = TIMED_OUT
                break
            message = self._channel.receive(min(self._deadline, self._look_at) - now)
            if message is None:
                continue
            if message["type"] == "look":
                self._look_at = 0.0
            else:
                self._channel.send(
                    {"type": "answer", "ask": message.get("ask"), **self._ask(message)}
                )
        return self._answer

    def opened(self) -> Message:
        """The protocol's `pause`."""
        pause = self._pause
        return {
            "type": "pause",
            "pause": {
                **pause.frame(),
                "run_id": self._run_id,
                "attempt": pause.attempt,
                "deadline": self._deadline_time(),
                "pid": pause.pid,
                "hostname": pause.hostname,
                "worker": pause.worker,
                "files": self._files.folder if self._files else None,
            },
        }

    def _deadline_time(self) -> float:
        return real.now() + self._deadline - real.monotonic()

    def _look(self, now: float) -> None:
        """At the files: is there an answer, or was the run interrupted?"""
        self._look_at = now + (_HOSTED if self._channel.is_open else _ALONE)
        files = self._files
        if files is None:
            return
        if real.exists(files.interrupted):
            self._answer = ABANDONED
            return
        command = files.command(self._pause.id)
        if command is not None:
            files.accept(command)
            self._answer = _resumed(command)

    def _ask(self, message: Message) -> dict[str, Any]:
        """The keys of the protocol's `answer`."""
        if self._answer is not None or message.get("pause") != self._pause.id:
            return {"accepted": False, "reason": OVER}
        do = _DO.get(str(message.get("do")))
        if do is None:
            return {
                "accepted": False,
                "reason": "this plugin cannot do that: install the same version of both",
            }
        try:
            return {"accepted": True, "value": do(self, message)}
        except look.Impossible as impossible:
            return {"accepted": False, "reason": shown.text(str(impossible))}
        except Exception as error:
            reason = f"an error of pytest-host's: {type(error).__name__}: {error}"
            return {"accepted": False, "reason": shown.text(reason)}

    def _resume(self, message: Message) -> None:
        keys = Command.of(message)
        if self._pause.kind == "failure" and (keys.result is not None or keys.reason is not None):
            raise look.Impossible("result and reason are for checkpoints; this is a failure")
        if self._pause.kind == "checkpoint" and keys.failure_reason is not None:
            raise look.Impossible("failure_reason is for failures; this is a checkpoint")
        self._answer = Answer(
            "resumed", keys.failure_reason, keys.result, keys.reason, by=_by(message)
        )

    def _abort(self, message: Message) -> None:
        reason = Command.of(message).reason
        session = bool(message.get("session"))
        self._answer = Answer("aborted", reason=reason, by=_by(message), session=session)

    def _extend(self, message: Message) -> float:
        seconds = message.get("seconds")
        if not isinstance(seconds, (int, float)) or not 0 < seconds < _FOREVER:
            raise look.Impossible(f"not a number of seconds: {seconds!r}")
        self._deadline += seconds
        self._pause.timeout += seconds
        if self._files is not None:
            self._files.write_pause(self._pause.record(self._files.run_id))
            self._files.event(
                "pause_extended", pause_id=self._pause.id, timeout=self._pause.timeout
            )
        return self._deadline_time()

    def _show(self, message: Message) -> dict[str, Any]:
        return {
            "failure": shown.text(self._pause.original_failure) or None,
            "captured": self._pause.captured(),
            "stack": look.stack(self._pause.places),
        }

    def _eval(self, message: Message) -> dict[str, str]:
        if not self._may_eval:
            raise look.Impossible("pytest was not started with --pause-eval")
        frame = message.get("frame")
        if frame is not None and not isinstance(frame, int):
            raise look.Impossible(f"not a frame: {frame!r}")
        return look.evaluate(self._pause.places, str(message.get("expression")), frame)

    def _attach(self, message: Message) -> dict[str, str]:
        return {"command": look.attach_command()}


_DO: dict[str, Callable[[Waiting, Message], Any]] = {
    "resume": Waiting._resume,
    "abort": Waiting._abort,
    "extend": Waiting._extend,
    "show": Waiting._show,
    "eval": Waiting._eval,
    "attach": Waiting._attach,
}


def _by(message: Message) -> str:
    by = message.get("by")
    return by if isinstance(by, str) else ""


def _resumed(command: Command) -> Answer:
    return Answer("resumed", command.failure_reason, command.result, command.reason, by=command.by)
