"""Fixtures for events; all of them may be overridden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .reporter import ResultReporter


@pytest.fixture
def kill_switch() -> Iterator[Any]:
    """A `multiprocessing.Event` that is set when an orchestrated test ends; set it to end one."""
    import multiprocessing  # noqa: PLC0415 - costs nothing until used

    switch = multiprocessing.Event()
    yield switch
    switch.set()


@pytest.fixture
def report_queue() -> Iterator[Any]:
    """A queue that other processes can write to as well."""
    import multiprocessing  # noqa: PLC0415 - costs nothing until used

    with multiprocessing.Manager() as manager:
        yield manager.Queue()


@pytest.fixture
def result_reporter(report_queue: Any) -> ResultReporter:
    """Takes what events report: `result_reporter.add_result("…")`."""
    return ResultReporter(report_queue)
