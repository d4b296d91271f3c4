"""Reports what only xdist's controller sees: workers and their ends.

Tests, collections and warnings are reported by the workers themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from . import failures, texts
from .attachment import Attachment

#: Where a worker finds how to attach, and says why it could not.
KEY = "pytest_host"


class ControllerReporter:
    def __init__(
        self,
        config: pytest.Config,
        attachment: Attachment,
        *,
        ticket: dict[str, str],
        broken: Callable[[Exception], None],
        problem: Callable[[str], None],
    ) -> None:
        self._config = config
        self._attachment = attachment
        self._ticket = ticket
        self._broken = broken
        self._problem = problem

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[KEY] = self._ticket

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        try:
            self._send(
                "crash",
                nodeid=self._attachment.redactor.identity(self._plain(crashitem)),
                worker=report.node.gateway.id,
                message=self._attachment.redactor.text(failures.longrepr_text(report)),
            )
        except Exception as error:
            self._broken(error)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        try:
            worker = node.gateway.id
            if error and error != "keyboard-interrupt":
                reason = self._attachment.redactor.text(texts.safe(str, error))
                self._send("worker-lost", worker=worker, reason=reason)
            if problem := getattr(node, "workeroutput", {}).get(KEY):
                self._problem(f"tests of {worker} are missing: {problem}")
        except Exception as ours:
            self._broken(ours)

    def _plain(self, nodeid: str) -> str:
        """Without the `@group`. The item is not here, so the looks of the id have to do."""
        at = nodeid.rfind("@")
        # Paths and parameters may hold one, too.
        is_suffix = at > max(nodeid.rfind("::"), nodeid.rfind("]"))
        grouped = self._config.getoption("dist", None) == "loadgroup"
        return nodeid[:at] if grouped and is_suffix else nodeid

    def _send(self, kind: str, **keys: Any) -> None:
        frame = {"k": kind, "t": time.time(), **keys}
        self._attachment.segments.append(texts.dumps(frame).encode())
