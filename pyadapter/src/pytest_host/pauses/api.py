"""What tests import and ask for."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from .decision import ResumeDecision

#: Configurations that are in force, the innermost last: a test may run pytest. Each
#: with the thread that runs its tests.
_active: list[tuple[pytest.Config, int]] = []

#: Where an xdist worker finds the run id.
PAUSE_KEY = "pytest_host_pause"

_NOT_IN_A_TEST = "checkpoint can only be used while a pytest test is running"


def checkpoint(*, task: str, timeout: float | None = None) -> ResumeDecision:
    """Pause the test that runs until somebody answers, or for `timeout` seconds.

    Without `timeout`, for as long as `--pause-timeout` says. The answer never
    fails the test by itself.

    Raises `ValueError` for an empty task, and `RuntimeError` outside of a test
    and in a thread that is not the test's own.
    """
    if not task.strip():
        raise ValueError("checkpoint task must not be empty")
    return _checkpoint(task, timeout)


def _checkpoint(task: str, timeout: float | None) -> ResumeDecision:
    from .pauses import Pauses  # noqa: PLC0415 - costs nothing until used

    if not _active or _active[-1][1] != threading.get_ident():
        raise RuntimeError(_NOT_IN_A_TEST)
    pauses = Pauses.of(_active[-1][0])
    item = pauses.current_item()
    if item is None:
        raise RuntimeError(_NOT_IN_A_TEST)
    return pauses.checkpoint(item, task, timeout)


@dataclass(frozen=True)
class LivePause:
    """The fixture `live_pause`."""

    run_id: str
    _config: pytest.Config = field(repr=False)

    def checkpoint(self, *, task: str, timeout: float | None = None) -> ResumeDecision:
        """As `pytest_host.checkpoint`."""
        return _checkpoint(task, timeout)


@pytest.fixture
def live_pause(pytestconfig: pytest.Config, pause_run_id: str) -> LivePause:
    """Pauses the test: `live_pause.checkpoint(task="…", timeout=300)`."""
    return LivePause(pause_run_id, pytestconfig)


@pytest.fixture
def pause_run_id(pytestconfig: pytest.Config) -> str:
    """The id that `host pause watch --run-id` takes; one for all xdist workers of a run."""
    from .pauses import Pauses  # noqa: PLC0415 - costs nothing until used

    return Pauses.of(pytestconfig).run_id


def enter(config: pytest.Config) -> None:
    _active.append((config, threading.get_ident()))


def leave(config: pytest.Config) -> None:
    _active[:] = [each for each in _active if each[0] is not config]
