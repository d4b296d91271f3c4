"""Command-line options: our own, and those of the plugins we stand in for."""

from __future__ import annotations

import argparse
import contextlib
import glob
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

_GROUP = "pytest-host"

#: Set by `host run`: the folder of the core that waits for this run.
ADDRESS_VARIABLE = "PYTEST_HOST_ADDRESS"


@dataclass(frozen=True)
class DropIn:
    """An option of another plugin, here a setting of the sink that replaces it."""

    option: str
    sink: str
    setting: str
    help: str
    metavar: str | None = None
    choices: Sequence[str] | None = None
    #: Takes no value; the setting becomes true.
    flag: bool = False
    #: Asks for its sink; others only set something, should the sink be used.
    asks: bool = True

    @property
    def dest(self) -> str:
        return "pytest_host_dropin_" + self.option.strip("-").replace("-", "_")

    def is_in(self, args: Sequence[str]) -> bool:
        return any(arg == self.option or arg.startswith(f"{self.option}=") for arg in args)


DROP_INS = (
    DropIn(
        "--publish",
        sink="publish",
        setting="url",
        metavar="URL",
        help="send each test's result to URL as JSON",
    ),
    DropIn(
        "--pubdir",
        sink="pubdir",
        setting="dir",
        metavar="PATH",
        help="write each test's result into a folder of its own under PATH",
    ),
    DropIn(
        "--pubdir-filter",
        sink="pubdir",
        setting="filter",
        choices=("all", "bad", "fail"),
        asks=False,
        help="which results --pubdir writes: all (the default), bad (all but passes) or fail",
    ),
)

#: The drop-in options that are ours in this run.
_ours = pytest.StashKey[tuple[DropIn, ...]]()


def add_own(parser: pytest.Parser) -> None:
    group = parser.getgroup(_GROUP, "pytest-host")
    group.addoption(
        "--sinks",
        dest="pytest_host_sinks",
        metavar="NAMES",
        help="report this run to these sinks, separated by commas",
    )
    group.addoption(
        "--sinks-set",
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
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for the sinks at the end (default: 5)",
    )


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if math.isfinite(value) and value >= 0:
            return value
    raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")


def before_conftests(config: pytest.Config, args: Sequence[str]) -> None:
    """Keep pytest from taking the drop-in options' values for test paths.

    The options are unknown yet, and a conftest that is about to be loaded may
    own them. So a value that exists stays a place to look for conftests
    (`--publish tests`, where tests/conftest.py defines `--publish` as a flag),
    but is never the only one.
    """
    positional: list[str] = list(config.known_args_namespace.file_or_dir)
    values = [value for value in _separate_values(args) if value in positional]
    if not values:
        return
    for value in values:
        if value in positional:
            positional.remove(value)
    existing = [value for value in values if os.path.exists(value.partition("::")[0])]
    if existing and not positional:
        positional = _default_paths(config)
    config.known_args_namespace.file_or_dir = positional + existing


def _separate_values(args: Sequence[str]) -> Iterator[str]:
    """Values of drop-in options that are arguments of their own."""
    names = {row.option for row in DROP_INS if not row.flag}
    for option, value in pairwise(args):
        if option == "--":
            return
        if option in names and not value.startswith("-"):
            yield value


def _default_paths(config: pytest.Config) -> list[str]:
    """Where pytest looks when no path is given."""
    directory = config.invocation_params.dir
    paths: list[str] = []
    if directory == config.rootpath:
        for pattern in config.getini("testpaths"):
            paths += sorted(glob.iglob(pattern, recursive=True))
    return paths or [str(directory)]


def add_drop_ins(config: pytest.Config, parser: pytest.Parser, args: Sequence[str]) -> None:
    """Add the drop-in options that are used and that nobody else has defined.

    After the conftests, since theirs win.
    """
    # Options in a file of arguments (`@file`) can't be seen from here.
    everything = any(arg in ("-h", "--help") or arg.startswith("@") for arg in args)
    owned = _defined(parser)
    added = []
    for row in DROP_INS:
        if row.option in owned or not (everything or row.is_in(args)):
            continue
        attributes: dict[str, Any] = {"dest": row.dest, "help": row.help}
        if row.flag:
            attributes["action"] = "store_true"
        else:
            attributes.update(metavar=row.metavar, choices=row.choices)
        try:
            parser.getgroup(_GROUP).addoption(row.option, **attributes)
        except (ValueError, argparse.ArgumentError):
            continue  # owned after all, in a way that `_defined` does not know
        added.append(row)
    config.stash[_ours] = tuple(added)


def _defined(parser: pytest.Parser) -> set[str]:
    """Every option string known so far.

    pytest has no public way to ask; these two attributes are the same in all
    versions from 7.0 to 9.2.
    """
    groups: Iterable[Any] = (
        *getattr(parser, "_groups", ()),
        getattr(parser, "_anonymous", None),
    )
    return {
        name
        for group in groups
        for option in getattr(group, "options", ())
        for name in option.names()
    }


@dataclass(frozen=True)
class Request:
    """What this run asks for."""

    #: Of a core that runs already, else one is started.
    address: str | None
    #: The protocol's `request`.
    body: dict[str, Any]
    finish_timeout: float


def read_request(config: pytest.Config, environ: dict[str, str]) -> Request | None:
    """`None` where reporting was not asked for."""
    option = config.option
    address = option.pytest_host_sinks_host or environ.get(ADDRESS_VARIABLE) or None
    extra: list[str] = []
    settings: dict[str, dict[str, Any]] = {}
    for row in config.stash.get(_ours, ()):
        value = getattr(option, row.dest)
        if value is None or value is False:
            continue
        settings.setdefault(row.sink, {})[row.setting] = value
        if row.asks and row.sink not in extra:
            extra.append(row.sink)
    if address is None and option.pytest_host_sinks is None and not extra:
        return None
    body: dict[str, Any] = {}
    if option.pytest_host_sinks is not None:
        names = (name.strip() for name in option.pytest_host_sinks.split(","))
        body["sinks"] = [name for name in names if name]
    elif address is None:
        body["sinks"] = []  # the drop-in ones and no others
    if extra:
        body["extra_sinks"] = extra
    if settings:
        body["settings"] = settings
    if option.pytest_host_sinks_set:
        body["set"] = option.pytest_host_sinks_set
    return Request(address, body, option.pytest_host_sinks_finish_timeout)
