"""Command-line options of our own, and what all options together ask for."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from . import dropins, rt, values
from .orchestration import options as orchestration
from .pauses.options import may_pause
from .redaction import REPLACEMENT

GROUP = "pytest-host"

SET = "--sinks-set"

#: Set by `host run`: the folder of the core that waits for this run.
ADDRESS_VARIABLE = "PYTEST_HOST_ADDRESS"


def add_own(parser: pytest.Parser) -> None:
    group = parser.getgroup(GROUP, "pytest-host")
    group.addoption(
        "--sinks",
        dest="pytest_host_sinks",
        metavar="NAMES",
        help="report this run to these sinks, separated by commas",
    )
    group.addoption(
        SET,
        dest="pytest_host_sinks_set",
        action="append",
        default=[],
        metavar="SINK.KEY=VALUE",
        help="one setting of a sink; may be given several times",
    )
    group.addoption(
        "--sinks-host",
        dest="pytest_host_sinks_host",
        metavar="ADDRESS",
        help="report to the host that serves at ADDRESS instead of starting one",
    )
    group.addoption(
        "--sinks-finish-timeout",
        dest="pytest_host_sinks_finish_timeout",
        type=values.seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for the sinks at the end (default: 5)",
    )


@dataclass(frozen=True)
class Request:
    """What this run asks for."""

    #: Of a core that runs already, else one is started.
    address: str | None
    #: The protocol's `request`.
    body: dict[str, Any]
    finish_timeout: float
    #: The id that `--rt-return-job` is to write down.
    job: str | None = None


#: Names of settings whose values are nobody's business, as the host has them.
_SECRET = re.compile("token|secret|password|passwd|key|authorization|cookie|credential", re.I)


def without_secrets(args: Sequence[str]) -> list[str]:
    """pytest's arguments, without the values of settings that are secret by their name."""
    shown: list[str] = []
    for before, arg in zip(("", *args), args, strict=False):
        flag = f"{SET}=" if arg.startswith(f"{SET}=") else ""
        key, assigns, _ = arg[len(flag) :].partition("=")
        if assigns and (flag or before == SET) and _SECRET.search(key):
            shown.append(f"{flag}{key}={REPLACEMENT}")
        else:
            shown.append(arg)
    return shown


def read_request(config: pytest.Config, environ: dict[str, str]) -> Request | None:
    """`None` where reporting was not asked for."""
    option = config.option
    address = option.pytest_host_sinks_host or environ.get(ADDRESS_VARIABLE) or None
    given = dropins.given(config)
    settings: dict[str, dict[str, Any]] = {}
    for row, value in given.items():
        if row.setting is not None:
            settings.setdefault(row.sink, {})[row.setting] = value
    extra = list(dict.fromkeys(row.sink for row in given if row.asks))
    pauses = dropins.asks_for_pauses(config) and may_pause(config)
    # Either way the host is there for something else than sinks.
    pauses = pauses or orchestration.asks(config)
    if address is None and option.pytest_host_sinks is None and not extra and not pauses:
        return None
    body: dict[str, Any] = {}
    if option.pytest_host_sinks is not None:
        names = (name.strip() for name in option.pytest_host_sinks.split(","))
        body["sinks"] = [name for name in names if name]
    elif address is None:
        body["sinks"] = []  # the drop-in ones and no others
    if extra:
        body["extra_sinks"] = extra
    if pauses:
        body["pauses"] = True
    job = None
    if dropins.RETURN_JOB in given:
        job = settings.setdefault("rt", {})["job_id"] = str(uuid.uuid4())
    if settings:
        body["settings"] = settings
    if "rt" in extra and "url" not in settings.get("rt", {}):
        body["defaults"] = rt.conftest_settings(config)
    if option.pytest_host_sinks_set:
        body["set"] = option.pytest_host_sinks_set
    return Request(address, body, option.pytest_host_sinks_finish_timeout, job)
