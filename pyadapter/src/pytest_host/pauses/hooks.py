"""pytest's hooks, for runs that ask for pauses."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest

from .. import summary
from . import folders, options
from .api import PAUSE_KEY
from .pauses import Pauses


def register(config: pytest.Config, *, is_worker: bool) -> None:
    """Whatever of it the run asks for. Raises pytest's usage error."""
    if not is_worker:
        options.check(config)
        config.pluginmanager.register(Hooks(config), "pytest_host_pauses")
    pauses = Pauses.of(config)
    config.pluginmanager.register(pauses.timers, "pytest_host_pause_timers")
    if pauses.options.on_failure:
        config.pluginmanager.register(FailureHooks(config), "pytest_host_pause_failures")


class Hooks:
    """The run as a whole, in the process that the user started."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pauses = Pauses.of(config)
        self._may_pause = options.may_pause(config)

    def pytest_report_header(self) -> str:
        # As pytest-live-pause has it: scripts look for it.
        return f"pytest-live-pause: run_id={self._pauses.run_id}"

    # After the host was asked whether there are to be files.
    def pytest_sessionstart(self) -> None:
        if not self._may_pause:
            return
        try:
            self._pauses.begin()
        except folders.Unusable as unusable:
            raise pytest.UsageError(f"{summary.PREFIX}--pause-dir: {unusable}") from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[PAUSE_KEY] = self._pauses.run_id

    def pytest_keyboard_interrupt(self) -> None:
        if self._may_pause:
            self._pauses.interrupt()

    def pytest_unconfigure(self) -> None:
        if self._may_pause:
            self._pauses.end()


class FailureHooks:
    """In every process that runs tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._pauses = Pauses.of(config)

    # Outermost: whether an expected failure is one has been decided by then. Before
    # teardown; with rerunfailures, reports are logged after it.
    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, None]:
        outcome = yield
        if outcome.excinfo is not None:
            return
        report = outcome.get_result()
        wanted = self._pauses.options
        if report.outcome != "failed" or call.when not in wanted.phases:
            return
        if not wanted.every_attempt and _runs_again(item):
            return
        try:
            self._pauses.failure(item, report, call)
        except Exception as error:
            report.sections.append(("live pause", summary.broken(error)))
        except BaseException as interruption:
            outcome.force_exception(interruption)


def _runs_again(item: pytest.Item) -> bool:
    """Whether pytest-rerunfailures is going to run the test once more."""
    plugin: Any = sys.modules.get("pytest_rerunfailures")
    attempt = getattr(item, "execution_count", None)
    if plugin is None or attempt is None:
        return False
    try:
        reruns = plugin.get_reruns_count(item)
        final = any(getattr(item, "_terminal_errors", {}).values())
        return bool(
            reruns and attempt <= reruns and not final and plugin.get_reruns_condition(item)
        )
    except Exception:  # another version of it
        return False
