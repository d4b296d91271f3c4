"""Options of the plugins that we stand in for; each is a setting of a sink here."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from . import values


@dataclass(frozen=True)
class DropIn:
    """An option of another plugin."""

    option: str
    help: str
    #: Empty where the option is no sink's.
    sink: str = ""
    #: What it sets; absent where the option does something else.
    setting: str | None = None
    metavar: str | None = None
    choices: Sequence[str] | None = None
    #: Of a text, for values that are none.
    type: Callable[[str], Any] | None = None
    #: Takes no value; the setting becomes true.
    flag: bool = False
    #: Asks for its sink; others only set something, should the sink be used.
    asks: bool = False

    @property
    def dest(self) -> str:
        return "pytest_host_dropin_" + self.option.strip("-").replace("-", "_")

    def is_in(self, args: Sequence[str]) -> bool:
        return any(arg == self.option or arg.startswith(f"{self.option}=") for arg in args)


RETURN_JOB = DropIn(
    "--rt-return-job",
    sink="rt",
    flag=True,
    help="write the job's id into testgr_last_job.txt",
)

PAUSE_ON_FAILURE = DropIn(
    "--pause-on-failure",
    flag=True,
    help="pause tests that fail before their teardown, until somebody resumes them",
)
PAUSE_DIR = DropIn(
    "--pause-dir",
    metavar="PATH",
    help="where pauses and command files are (default: pytest-live-pause in the temporary folder)",
)
PAUSE_TIMEOUT = DropIn(
    "--pause-timeout",
    metavar="SECONDS",
    type=values.number,
    help="after how long a paused test goes on by itself (default: 300)",
)
PAUSE_CHECKPOINT_MOCK = DropIn(
    "--pause-checkpoint-mock",
    choices=("true", "false", "none"),
    help="answer checkpoints at once, with this result",
)
PAUSE_ON = DropIn(
    "--pause-on",
    metavar="PHASES",
    type=values.phases,
    help="phases whose failures pause: setup, call, teardown, with commas (default: call)",
)
PAUSE_ATTEMPTS = DropIn(
    "--pause-attempts",
    choices=("last", "all"),
    help="which failing attempts of a test that is run again pause (default: last)",
)
PAUSE_IN_CI = DropIn(
    "--pause-in-ci",
    flag=True,
    help="allow --pause-on-failure where the variable CI is set",
)
PAUSE_EVAL = DropIn(
    "--pause-eval",
    flag=True,
    help="allow `host pause eval`: expressions that are evaluated in a paused test",
)

PAUSES = (
    *(PAUSE_ON_FAILURE, PAUSE_DIR, PAUSE_TIMEOUT, PAUSE_CHECKPOINT_MOCK),
    *(PAUSE_ON, PAUSE_ATTEMPTS, PAUSE_IN_CI, PAUSE_EVAL),
)

RUN_ORCH = DropIn(
    "--run-orch",
    metavar="NAME",
    help="run the orchestrated test whose description has this test_name",
)
TEST_ORCH = DropIn("--test-orch", metavar="NAME", help="the same as --run-orch")
LOAD_ORCH = DropIn(
    "--load-orch",
    flag=True,
    help="list the events of orchestrated tests, check that they could run, and run nothing",
)
RUNTIME_ORCH = DropIn(
    "--runtime-orch",
    metavar="HOURS",
    type=values.hours,
    help="how long the orchestrated test takes, in place of what its description says",
)
ORCHESTRATOR = DropIn(
    "--orchestrator",
    metavar="FILE",
    help="a component that decides what starts when, in place of the host's own",
)
SUMMARY_ORCH = DropIn(
    "--summary-orch",
    metavar="FILE",
    help="write the summary of the orchestrated test as JSON",
)

ORCHESTRATION = (RUN_ORCH, TEST_ORCH, LOAD_ORCH, RUNTIME_ORCH, ORCHESTRATOR, SUMMARY_ORCH)

DROP_INS = (
    DropIn(
        "--publish",
        sink="publish",
        setting="url",
        metavar="URL",
        asks=True,
        help="send each test's result to URL as JSON",
    ),
    DropIn(
        "--pubdir",
        sink="pubdir",
        setting="dir",
        metavar="PATH",
        asks=True,
        help="write each test's result into a folder of its own under PATH",
    ),
    DropIn(
        "--pubdir-filter",
        sink="pubdir",
        setting="filter",
        choices=("all", "bad", "fail"),
        help="which results --pubdir writes: all (the default), bad (all but passes) or fail",
    ),
    DropIn(
        "--rt",
        sink="rt",
        flag=True,
        asks=True,
        help="send what happens to the URL of --rtu while it happens",
    ),
    DropIn(
        "--rtu",
        sink="rt",
        setting="url",
        metavar="URL",
        help="where --rt sends to (default: `endpoint` in the root conftest.py)",
    ),
    DropIn(
        "--rte",
        sink="rt",
        setting="env",
        metavar="ENV",
        help="the environment's name, for --rt",
    ),
    DropIn(
        "--rt-custom-id",
        sink="rt",
        setting="custom_id",
        metavar="ID",
        help="an id of your own for the run, for --rt; tests have the same uuid in each run of it",
    ),
    DropIn(
        "--rt-job-report",
        sink="rt",
        setting="job_report",
        flag=True,
        help="ask the receiver of --rt to send a report by mail",
    ),
    DropIn(
        "--rt-custom-data",
        sink="rt",
        setting="custom_data",
        metavar="JSON",
        help="passed on by --rt as it is",
    ),
    RETURN_JOB,
    DropIn(
        "--ws-url",
        sink="relay",
        setting="ws-url",
        metavar="URL",
        asks=True,
        help="send what happens to the WebSocket server at URL while it happens",
    ),
    DropIn(
        "--session-id",
        sink="relay",
        setting="session-id",
        metavar="ID",
        help="the session's id in the messages of the sink relay (default: one made for the run)",
    ),
    DropIn(
        "--strip-paths",
        sink="relay",
        setting="strip-paths",
        flag=True,
        help="take the folders of this machine out of the texts of the sink relay",
    ),
    *PAUSES,
    *ORCHESTRATION,
)

#: The drop-in options that are ours in this run.
_ours = pytest.StashKey[tuple[DropIn, ...]]()


def before_conftests(config: pytest.Config, args: Sequence[str]) -> None:
    """Keep pytest from taking the drop-in options' values for test paths.

    The options are unknown yet, and a conftest that is about to be loaded may
    own them. So a value that exists stays a place to look for conftests
    (`--publish tests`, where tests/conftest.py defines `--publish` as a flag),
    but is never the only one.
    """
    positional: list[str] = list(config.known_args_namespace.file_or_dir)
    separate = [value for value in _separate_values(args) if value in positional]
    if not separate:
        return
    for value in separate:
        if value in positional:
            positional.remove(value)
    existing = [value for value in separate if os.path.exists(value.partition("::")[0])]
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


def add(config: pytest.Config, parser: pytest.Parser, args: Sequence[str], group: str) -> None:
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
            attributes.update(metavar=row.metavar, choices=row.choices, type=row.type)
        try:
            parser.getgroup(group).addoption(row.option, **attributes)
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


def given(config: pytest.Config) -> dict[DropIn, Any]:
    """The drop-in options that are ours and were given, with their values."""
    pairs = ((row, getattr(config.option, row.dest)) for row in config.stash.get(_ours, ()))
    return {row: value for row, value in pairs if value is not None and value is not False}


def asks_for_pauses(config: pytest.Config) -> bool:
    return any(row in PAUSES for row in given(config))
