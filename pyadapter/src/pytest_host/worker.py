"""Life of an xdist worker: attach, report, say bye."""

from __future__ import annotations

import time
from typing import Any

import pytest

from . import summary
from .attachment import ATTACHED, Attachment, attach
from .connection import Refused, Unavailable
from .controller import KEY
from .reporter import Reporter

#: Seconds; the workers' clock starts when theirs does, not with the session's.
_WELCOME_TIMEOUT = 2.0


class Worker:
    """Connects by itself, with what the controller handed down."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._attachment: Attachment | None = None
        self._reporter: Reporter | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        workerinput: dict[str, Any] = self._config.workerinput  # type: ignore[attr-defined]
        ticket = workerinput[KEY]
        try:
            self._attachment = attach(
                ticket["address"],
                time.monotonic() + _WELCOME_TIMEOUT,
                process=workerinput["workerid"],
                token=ticket["token"],
                role="worker",
                worker=workerinput["workerid"],
                run=ticket["run"],
            )
            self._config.stash[ATTACHED] = self._attachment
            self._reporter = Reporter(
                self._config,
                self._attachment.segments,
                redactor=self._attachment.redactor,
                broken=self._broken,
            )
            self._config.pluginmanager.register(self._reporter, "pytest_host_reporter")
        except (Refused, Unavailable) as error:
            self._tell_controller(str(error))
        except Exception as error:
            self._broken(error)

    # Not earlier: pytest still records warnings while the session finishes.
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        attachment = self._attachment
        if attachment is None or attachment.dropped:
            return
        attachment.segments.end()
        if self._reporter is not None:
            self._reporter.finish()
        attachment.segments.append(b'{"k":"bye"}')
        attachment.segments.close()
        attachment.close()

    def _broken(self, error: Exception) -> None:
        self._tell_controller(summary.broken(error))
        reporter, self._reporter = self._reporter, None
        if self._config.pluginmanager.is_registered(reporter):
            self._config.pluginmanager.unregister(reporter)

    def _tell_controller(self, problem: str) -> None:
        workeroutput: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
        workeroutput.setdefault(KEY, problem)
