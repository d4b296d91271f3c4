"""One orchestrated test while it runs: does what the host says, and tells it what came of it."""

from __future__ import annotations

import json
import logging
import random
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from .. import texts
from ..connection import Message
from ..pauses.channel import Channel
from .descriptions import Description
from .options import Options
from .sources import Function, parameters
from .summary import PROPERTY, EventSummary
from .threads import Run, Threads, monotonic, now

_logger = logging.getLogger("orchestration.plugin")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

#: Seconds between two looks for a host that is gone.
_LOOK = 0.25

#: Seconds for a reporter to get through what is left in its queue.
_REPORTER = 5.0

#: Words from other threads.
_KILLED, _REPORTED = "killed", "result_reporter"


class Running:
    def __init__(
        self,
        description: Description,
        functions: dict[str, Function],
        options: Options,
        channel: Channel,
        redact: Callable[[Any], Any],
    ) -> None:
        self._description = description
        self._functions = functions
        self._options = options
        self._channel = channel
        self._redact = redact
        self._id = uuid.uuid4().hex
        self._seed = random.SystemRandom().getrandbits(32)
        self._threads = Threads()
        self._values: dict[str, Any] = {}
        #: When it began; none before the first step.
        self._began: float | None = None
        #: The last step that has arrived.
        self._step = 0
        #: Runs under way, by instance.
        self._running: dict[int, Run] = {}
        #: Ends that the host may not have heard of, and how many there were before them.
        self._ends: list[Message] = []
        self._told = 0
        self._kill = False
        self._stopped = False
        self._verdict: dict[str, Any] | None = None
        self._interrupted: KeyboardInterrupt | None = None
        #: What failed beside events.
        self._problems: list[str] = []
        self._tracebacks: dict[str, str] = {}
        self.events = {name: EventSummary(name) for name in functions}

    def run(self, values: dict[str, Any], reporter: Any) -> None:
        """Until the verdict. Raises pytest's failure, or what interrupted it."""
        self._values = values
        switch = values["kill_switch"]
        over = threading.Event()
        monitor = None
        if reporter is not None:
            monitor = self._threads.watch(_REPORTED, lambda: reporter.monitor(over))
        self._threads.watch(_KILLED, switch.wait)
        try:
            _logger.info("Test orchestration started!")
            self._channel.send(self._beginning())
            while self._verdict is None:
                self._turn()
        finally:
            self._stop()
            over.set()
            if monitor is not None:
                monitor.join(_REPORTER)
            self._take()
            self._channel.send({"type": "orchestrate-end", "orchestration": self._id})
            self._channel.close()
            self._end()
            self._threads.close()
        self._judge()

    def summary(self) -> dict[str, Any]:
        verdict = self._verdict or {}
        return {
            "name": self._description.name,
            "seed": self._seed,
            "seconds": None if self._began is None else round(monotonic() - self._began, 3),
            "passed": bool(verdict.get("passed")) and not self._problems,
            "message": self._reasons(),
            "events": [event.as_json() for event in self.events.values()],
        }

    def _turn(self) -> None:
        """Whatever comes next. Ctrl-C ends the test with its teardown; a second one, at once."""
        try:
            self._hear()
        except KeyboardInterrupt as interrupt:
            if self._interrupted is not None:
                raise
            self._interrupted = interrupt
            self._kill_now("interrupted: teardown runs; once more to leave it out")

    def _hear(self) -> None:
        if self._channel.rejoins():
            self._channel.send(self._beginning())
            for end in self._ends:
                self._channel.send(end)
            if self._kill:
                self._tell_kill()
        elif self._channel.is_lost:
            gone = "the host is gone, and no other one could be started"
            self._verdict = {"passed": False, "message": gone}
            return
        # With a host, what comes rings.
        seconds = 3600.0 if self._channel.is_open else _LOOK
        message = self._channel.receive(seconds, self._threads.bell)
        self._take()
        if message is not None and message.get("orchestration") == self._id:
            self._do(message)

    def _beginning(self) -> Message:
        """The protocol's `orchestrate`."""
        return {
            "type": "orchestrate",
            "orchestration": self._id,
            **check(self._description, self._options, self._seed),
            "elapsed": None if self._began is None else self._now(),
            "step": self._step,
        }

    def _now(self) -> float:
        return monotonic() - (self._began or 0.0)

    def _do(self, step: Message) -> None:
        """The protocol's `step`."""
        if step["number"] <= self._step:
            return
        if self._began is None:
            self._began = monotonic()
            self._tell("began", seed=self._seed, events=list(self.events))
        self._step = step["number"]
        while self._ends and self._ends[0]["number"] <= step["heard"]:
            self._ends.pop(0)
        for start in step["start"]:
            self._start(start)
        for level, message in step["log"]:
            self._log(level, message)
        if step["stop"]:
            self._stop()
        self._verdict = step["verdict"]

    def _start(self, start: dict[str, Any]) -> None:
        name = str(start["name"])
        run = Run(
            name, int(start["instance"]), float(start["due"]), self._now(), next=start.get("next")
        )
        _logger.info("Executing event: %s", name)
        self._running[run.instance] = run
        self.events.setdefault(name, EventSummary(name)).began(run)
        self._threads.start(run, self._call(name, start.get("params")))
        self._tell("started", **_about(run), due=run.due, next=run.next)

    def _call(self, name: str, params: Any) -> Callable[[], Any]:
        function = self._functions.get(name) or self._options.sources.function(name)
        values = self._values

        def call() -> Any:
            if function is None:
                raise LookupError(f"no function for {name} in {self._options.sources.shown}")
            given = params if isinstance(params, dict) else {}
            arguments = {
                parameter: given[parameter] if parameter in given else values[parameter]
                for parameter, spare in parameters(function).items()
                if parameter in given or (parameter in values and not spare)
            }
            return function(**arguments)

        return call

    def _take(self) -> None:
        """What other threads have told."""
        for news in self._threads.take():
            if isinstance(news, Run):
                self._ended(news)
            elif news == _KILLED:
                if not self._stopped:
                    self._kill_now("Kill switch triggered, stopping test!")
            elif news != _REPORTED:
                self._problems.append(news)
                _logger.error("%s", news)

    def _ended(self, run: Run) -> None:
        if self._running.pop(run.instance, None) is None:
            return
        self.events[run.name].ended(run)
        self._told += 1
        end = {
            "type": "completed",
            "orchestration": self._id,
            "number": self._told,
            "instance": run.instance,
            "ok": run.ok,
            "message": self._redact(run.message),
        }
        self._ends.append(end)
        self._channel.send(end)
        if not run.ok:
            _logger.error("Event failed: %s\n%s", run.name, run.traceback)
            self._tracebacks.setdefault(run.name, run.traceback)
        self._tell(
            "ended",
            **_about(run),
            ok=run.ok,
            duration=round(run.duration, 6),
            message=run.message,
            traceback=run.traceback,
        )

    def _kill_now(self, why: str) -> None:
        _logger.info("%s", why)
        if not self._kill:
            self._kill = True
            self._tell_kill()

    def _tell_kill(self) -> None:
        self._channel.send({"type": "kill", "orchestration": self._id})

    def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._values["kill_switch"].set()

    def _log(self, level: str, message: str) -> None:
        _logger.log(_LEVELS.get(level, logging.ERROR), "%s", message)
        self._append(
            "orchestration", name=self._description.name, level=level, message=self._redact(message)
        )

    def _tell(self, what: str, **more: Any) -> None:
        """An event for sinks that has no case of its own in the contract."""
        payload = {"orchestration": self._description.name, "id": self._id, **more}
        self._append("extension", name=f"orchestration-{what}", payload=self._redact(payload))

    def _append(self, kind: str, **keys: Any) -> None:
        if self._channel.segments is not None:
            frame = {"k": kind, "t": now(), **keys}
            self._channel.segments.append(texts.dumps(frame).encode())

    def _end(self) -> None:
        _logger.info("Orchestration test finished!")
        summary = self.summary()
        self._tell("finished", summary=summary)
        request = self._values["request"]
        request.node.user_properties.append((PROPERTY, json.dumps(summary)))

    def _reasons(self) -> str:
        verdict = self._verdict or {}
        said = [] if verdict.get("passed") else [str(verdict.get("message") or "no verdict")]
        return "\n".join([*said, *self._problems])

    def _judge(self) -> None:
        if self._interrupted is not None:
            raise self._interrupted
        reasons = self._reasons()
        if reasons:
            shown = "".join(f"\n\n{name}:\n{text}" for name, text in self._tracebacks.items())
            pytest.fail(reasons + shown.rstrip(), pytrace=False)


def _about(run: Run) -> dict[str, Any]:
    return {"event": run.name, "instance": run.instance, "at": round(run.started, 6)}


def check(description: Description, options: Options, seed: int) -> Message:
    """What an orchestrator is given."""
    return {
        "description": description.text,
        "hours": options.hours,
        "seed": seed,
        "orchestrator": options.orchestrator,
    }
