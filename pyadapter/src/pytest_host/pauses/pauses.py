"""The pauses of one pytest process."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import uuid
from typing import Any

import pytest

from .. import texts
from ..attachment import ATTACHED
from ..items import group_of, loadgroup, plain_nodeid
from ..launch import ENVIRON, start_core
from . import folders, look, pruning, real, shown, terminal
from .api import PAUSE_KEY
from .channel import Channel
from .decision import ABANDONED, Answer, ResumeDecision
from .files import Files
from .options import Options
from .timers import Timers
from .waiting import Pause, Waiting

_INSPECT = "Inspect the failure and then resume the test."

_RUN_ID = re.compile(r"[0-9a-f]{32}")


class Pauses:
    """Made when the first option or checkpoint asks for it."""

    _key = pytest.StashKey["Pauses"]()

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.options = Options.read(config)
        #: None where the process is no xdist worker.
        self._workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.run_id = self._find_run_id()
        self.timers = Timers()
        self._pid = real.getpid()
        self._files = Files(self.options.directory, self.run_id, named=self.options.named)

    @classmethod
    def of(cls, config: pytest.Config) -> Pauses:
        found = config.stash.get(cls._key, None)
        if found is None:
            found = config.stash[cls._key] = cls(config)
        return found

    def _find_run_id(self) -> str:
        given = self._workerinput or {}
        # Where nobody knew that there would be pauses, xdist's own id is what workers share.
        shared = str(given.get(PAUSE_KEY) or given.get("testrunuid"))
        return shared if _RUN_ID.fullmatch(shared) else uuid.uuid4().hex

    @property
    def _worker(self) -> str | None:
        return (self._workerinput or {}).get("workerid")

    # The run.

    def begin(self) -> None:
        """Before the first test of a run that may pause. Raises `folders.Unusable`."""
        if self._may_use_files():
            self._files.make(self._cwd(), self._worker)
            if self._workerinput is None:
                pruning.prune(self._files)

    def interrupt(self) -> None:
        """Ctrl-C, in xdist's controller: its workers need not have got it."""
        if self._may_use_files() and real.exists(self._files.folder):
            real.write_text(self._files.interrupted, "")

    def end(self) -> None:
        if real.getpid() != self._pid:
            return  # a forked child, that went on to the end
        real.remove(self._files.interrupted)
        pruning.remove_if_empty(self._files)

    def _may_use_files(self) -> bool:
        attachment = self._config.stash.get(ATTACHED, None)
        return attachment is None or attachment.welcome.pause_files

    # Pauses.

    def checkpoint(self, item: pytest.Item, task: str, timeout: float | None) -> ResumeDecision:
        options = self.options
        if options.mocked:
            return ResumeDecision("resumed", result=options.mock, reason="Mock")
        timeout = options.timeout if timeout is None else timeout
        pause = self._pause(item, "checkpoint", task, timeout, places=look.called_from())
        answer = self._wait(item, pause)
        if answer.outcome == "aborted":
            pytest.fail(_aborted(answer), pytrace=False)
        return answer.decision()

    def failure(self, item: pytest.Item, report: pytest.TestReport, call: Any) -> None:
        tb = call.excinfo.tb if call.excinfo is not None else None
        pause = self._pause(
            item,
            "failure",
            _INSPECT,
            self.options.timeout,
            original_failure=str(report.longreprtext),
            places=look.raised_at(tb),
        )
        answer = self._wait(item, pause)
        if answer.failure_reason:
            text = f"External failure reason: {answer.failure_reason}"
            report.sections.append(("live pause", text))
        elif answer.outcome == "aborted":
            report.sections.append(("live pause", _aborted(answer)))

    def current_item(self) -> pytest.Item | None:
        """The test that runs, by what pytest itself says of it."""
        session = self._config.pluginmanager.get_plugin("session")
        items: list[pytest.Item] = getattr(session, "items", [])
        said = os.environ.get("PYTEST_CURRENT_TEST")
        if said is not None:
            nodeid = said.rpartition(" (")[0]
            for item in items:
                if _as_said(item.nodeid) == nodeid:
                    return item
        # A test may have cleared its environment.
        stack = getattr(getattr(session, "_setupstate", None), "stack", {})
        return next((node for node in stack if isinstance(node, pytest.Item)), None)

    def _pause(self, item: pytest.Item, kind: str, task: str, timeout: float, **more: Any) -> Pause:
        if (attachment := self._config.stash.get(ATTACHED, None)) is not None:
            shown.redact_with(attachment.redactor)
        group = group_of(item) if loadgroup(self._config) else None
        return Pause(
            id=uuid.uuid4().hex,
            kind=kind,
            nodeid=shown.identity(plain_nodeid(item.nodeid, item, group)),
            attempt=getattr(item, "execution_count", 1),
            task=shown.text(task),
            timeout=timeout,
            original_failure=shown.text(more.pop("original_failure", "")),
            created=real.now(),
            pid=real.getpid(),
            hostname=platform.node(),
            cwd=self._cwd(),
            worker=self._worker,
            captured=lambda: look.captured(item),
            **more,
        )

    def _wait(self, item: pytest.Item, pause: Pause) -> Answer:
        attachment = self._config.stash.get(ATTACHED, None)
        channel = Channel(attachment, self._start_core, "ask", "look")
        files = self._open_files(channel)
        waiting = Waiting(
            pause,
            channel,
            files,
            run_id=self.run_id,
            may_eval=self.options.may_eval,
        )
        answer = ABANDONED
        with self.timers.suspended(item):
            try:
                self._open(pause, channel, files, waiting)
                answer = waiting.wait()
            finally:
                # After Ctrl-C, too.
                self._close(pause, channel, files, answer)
        if answer is ABANDONED:
            raise KeyboardInterrupt
        if answer.session:
            # pytest tears the test down, reports it and stops then.
            item.session.shouldstop = _aborted(answer)
        return answer

    def _open_files(self, channel: Channel) -> Files | None:
        if not self._may_use_files():
            return None
        try:
            self._files.make(self._cwd(), self._worker)
        except folders.Unusable as unusable:
            if channel.is_open:
                return None
            raise RuntimeError(f"nobody can answer a pause: {unusable}") from None
        return self._files

    def _open(self, pause: Pause, channel: Channel, files: Files | None, waiting: Waiting) -> None:
        record = pause.record(self.run_id)
        if files is not None:
            files.write_pause(record)
            files.event(
                "pause_created",
                **{key: record[key] for key in ("kind", "pause_id", "nodeid", "timeout")},
                **{key: record[key] for key in ("pid", "worker_id")},
            )
        command = self._command(pause)
        _append(channel, "pause", pause=pause.frame(), command=command)
        channel.send(waiting.opened())
        terminal.say(self._config, pause, command)

    def _close(self, pause: Pause, channel: Channel, files: Files | None, answer: Answer) -> None:
        # The test gets the answer as it was given.
        answer = dataclasses.replace(
            answer,
            failure_reason=shown.optional(answer.failure_reason),
            reason=shown.optional(answer.reason),
        )
        reasons = {key: getattr(answer, key) for key in ("failure_reason", "result", "reason")}
        if files is not None:
            ended = {"status": answer.outcome, "finished_at": real.now(), **reasons}
            files.close({**pause.record(self.run_id), **ended})
            files.event("pause_finished", pause_id=pause.id, outcome=answer.outcome, **reasons)
        _append(channel, "pause-end", id=pause.id, **answer.frame())
        channel.send({"type": "pause-end", "id": pause.id})
        channel.close()

    def _start_core(self, deadline: float) -> str:
        """In place of one that is gone while a test is paused."""
        environ = self._config.stash.get(ENVIRON, dict(os.environ))
        return start_core(self._cwd(), environ, deadline)

    def _command(self, pause: Pause) -> str:
        """What to type, in the folder that pytest was started in."""
        where = f" --pause-dir {self.options.directory}" if self.options.named else ""
        answer = " --result true" if pause.kind == "checkpoint" else ""
        return shown.text(f"host pause resume {pause.id}{where}{answer}")

    def _cwd(self) -> str:
        return str(self._config.invocation_params.dir)


def _append(channel: Channel, kind: str, **keys: Any) -> None:
    if channel.segments is not None:
        frame = {"k": kind, "t": real.now(), **keys}
        channel.segments.append(texts.dumps(frame).encode())


def _aborted(answer: Answer) -> str:
    return f"aborted: {answer.reason}" if answer.reason else "aborted"


def _as_said(nodeid: str) -> str:
    """As pytest has it in the variable, which can hold no NUL."""
    return nodeid.replace("\x00", "(null)")
