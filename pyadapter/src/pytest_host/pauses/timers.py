"""Time limits stand still while a test is paused."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from . import real

#: Seconds that a limit has left at the least, or setting it would be to switch it off.
_LEAST = 0.001


class Timers:
    """pytest-timeout's timers of this process, as it sets and cancels them."""

    def __init__(self) -> None:
        #: Of the one that runs: when it was set, and its settings.
        self._running: tuple[float, Any] | None = None

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, settings: Any) -> None:
        self._running = real.monotonic(), settings

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_cancel_timer(self) -> None:
        self._running = None

    @contextlib.contextmanager
    def suspended(self, item: pytest.Item) -> Iterator[None]:
        restore = [self._suspend_timeout(item), _suspend_faulthandler(item.config)]
        try:
            yield
        finally:
            for each in restore:
                each()

    def _suspend_timeout(self, item: pytest.Item) -> Any:
        hook = item.config.hook
        if not hasattr(hook, "pytest_timeout_cancel_timer"):
            return _nothing
        running = self._running or _found(item)
        if running is None:
            return _nothing
        since, settings = running
        left = settings.timeout - (real.monotonic() - since)
        hook.pytest_timeout_cancel_timer(item=item)

        def restore() -> None:
            with_less = settings._replace(timeout=max(left, _LEAST))
            hook.pytest_timeout_set_timer(item=item, settings=with_less)
            # What is left of it next time is counted from the whole.
            self._running = real.monotonic() - (settings.timeout - left), settings

        return restore


def _nothing() -> None:
    pass


def _found(item: pytest.Item) -> tuple[float, Any] | None:
    """A timer that was set before anybody looked."""
    plugin: Any = sys.modules.get("pytest_timeout")
    if plugin is None:
        return None
    with contextlib.suppress(Exception):
        settings = plugin._get_item_settings(item)
        if not settings.timeout:
            return None
        now = real.monotonic()
        if settings.method == "signal" and (left := signal.getitimer(signal.ITIMER_REAL)[0]):
            return now - (settings.timeout - left), settings
        name = f"pytest_timeout {item.nodeid}"
        if any(thread.name == name for thread in threading.enumerate()):
            return now, settings  # its start is not known: it begins anew
    return None


def _suspend_faulthandler(config: pytest.Config) -> Any:
    """`faulthandler_timeout`, of which nobody can tell how much is left: it begins anew."""
    if not config.pluginmanager.hasplugin("faulthandler"):
        return _nothing
    seconds = float(config.getini("faulthandler_timeout") or 0)
    key: Any = getattr(sys.modules.get("_pytest.faulthandler"), "fault_handler_stderr_fd_key", None)
    file = config.stash.get(key, None)
    if seconds <= 0 or file is None:
        return _nothing
    try:
        leave = bool(config.getini("faulthandler_exit_on_timeout"))
    except ValueError:  # before pytest 8.3
        leave = False
    faulthandler.cancel_dump_traceback_later()

    def restore() -> None:
        faulthandler.dump_traceback_later(seconds, file=file, exit=leave)

    return restore
