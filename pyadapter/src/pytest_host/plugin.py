"""pytest's entry into pytest-host.

Options are always defined. Anything else is registered only for a run that
asked to be reported, or for an xdist worker of such a run.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from . import dropins, launch, options
from .controller import KEY
from .orchestration import options as orchestration
from .orchestration.fixtures import kill_switch, report_queue, result_reporter
from .pauses import api
from .pauses.api import PAUSE_KEY, live_pause, pause_run_id
from .session import Session
from .worker import Worker

_NAME = "pytest_host_session"

#: Fixtures, for pytest to find.
__all__ = ["kill_switch", "live_pause", "pause_run_id", "report_queue", "result_reporter"]


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_own(parser)
    orchestration.add_ini(parser)


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    dropins.before_conftests(early_config, args)
    yield
    dropins.add(early_config, parser, args, options.GROUP)


def pytest_configure(config: pytest.Config) -> None:
    environ = config.stash[launch.ENVIRON] = dict(os.environ)
    # A pytest that a test starts is not part of this run.
    for name in environ:
        if name.startswith("PYTEST_HOST"):
            os.environ.pop(name, None)
    api.enter(config)
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        if KEY in workerinput:
            config.pluginmanager.register(Worker(config), _NAME)
        if PAUSE_KEY in workerinput:
            _register_pauses(config, is_worker=True)
        _register_orchestration(config, is_worker=True)
        return
    request = options.read_request(config, environ)
    if request is not None:
        config.pluginmanager.register(Session(config, request, environ), _NAME)
    if dropins.asks_for_pauses(config):
        _register_pauses(config, is_worker=False)
    _register_orchestration(config, is_worker=False)


def pytest_unconfigure(config: pytest.Config) -> None:
    api.leave(config)


def _register_pauses(config: pytest.Config, *, is_worker: bool) -> None:
    from .pauses import hooks  # noqa: PLC0415 - costs nothing until used

    hooks.register(config, is_worker=is_worker)


def _register_orchestration(config: pytest.Config, *, is_worker: bool) -> None:
    if orchestration.asks(config):
        from .orchestration import hooks  # noqa: PLC0415 - costs nothing until used

        hooks.register(config, is_worker=is_worker)
