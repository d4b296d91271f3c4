"""What the command line and the ini file say about orchestrated tests."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .. import dropins
from .descriptions import BadDescription, Description, files, find
from .sources import Sources

PREFIX = "pytest-host: "

#: Seconds that pytest-timeout grants beyond the test's own length.
_TIMEOUT = 3600.0

_INI = {
    "orchestration_descriptions": "the folder that descriptions of orchestrated tests are in",
    "orchestration_sources": "files with the functions of events, separated by commas",
    "orchestration_timeout": "seconds that pytest-timeout grants an orchestrated test beyond its "
    "own length (default: 3600)",
}


def add_ini(parser: pytest.Parser) -> None:
    for name, text in _INI.items():
        # Another plugin may have them as well, and mean the same.
        if name not in getattr(parser, "_inidict", {}):
            parser.addini(name, text)


@dataclass(frozen=True)
class Options:
    #: Those that run, or are looked at.
    descriptions: tuple[Description, ...]
    sources: Sources
    #: List the events, and run nothing.
    load: bool
    hours: float | None
    timeout: float
    #: Where the component is, where it is not the host's own.
    orchestrator: str | None
    #: Where a summary goes, as JSON.
    summary: Path | None

    @classmethod
    def read(cls, config: pytest.Config) -> Options:
        """In an xdist worker, too. Raises pytest's usage error."""
        directory = config.invocation_params.dir
        load = bool(_get(config, dropins.LOAD_ORCH))
        orchestrator = _get(config, dropins.ORCHESTRATOR)
        summary = _get(config, dropins.SUMMARY_ORCH)
        try:
            return cls(
                descriptions=_descriptions(config, load=load),
                sources=Sources.load(_paths(config), directory),
                load=load,
                hours=_get(config, dropins.RUNTIME_ORCH),
                timeout=_timeout(config),
                orchestrator=str(directory / orchestrator) if orchestrator else None,
                summary=directory / summary if summary else None,
            )
        except BadDescription as bad:
            raise pytest.UsageError(f"{PREFIX}{bad}") from None


def asks(config: pytest.Config) -> bool:
    rows = (dropins.RUN_ORCH, dropins.TEST_ORCH, dropins.LOAD_ORCH)
    return any(_get(config, row) for row in rows)


def _get(config: pytest.Config, row: dropins.DropIn) -> Any:
    return getattr(config.option, row.dest, None)


def _descriptions(config: pytest.Config, *, load: bool) -> tuple[Description, ...]:
    directory = config.invocation_params.dir
    names = {_get(config, row) for row in (dropins.RUN_ORCH, dropins.TEST_ORCH)} - {None}
    if len(names) > 1:
        raise BadDescription("--run-orch and --test-orch are the same option: use one of them")
    written = _texts(config, "orchestration_descriptions")
    if not written:
        raise BadDescription("orchestration_descriptions is not set in the ini file")
    folder = _at(config, written[0])
    if not folder.is_dir():
        raise BadDescription(f"orchestration_descriptions: {written[0]} is no folder")
    if names:
        return (find(folder, names.pop(), directory),)
    assert load
    return tuple(Description.read(path, directory) for path in files(folder))


def _paths(config: pytest.Config) -> list[Path]:
    written = _texts(config, "orchestration_sources")
    if not written:
        raise BadDescription("orchestration_sources is not set in the ini file")
    return [_at(config, each) for each in written]


def _at(config: pytest.Config, path: str) -> Path:
    """Where the ini file says, or, as the published plugin has it, the working directory."""
    ini = config.inipath.parent if config.inipath else config.rootpath
    beside = Path(os.path.normpath(ini / path))
    here = Path(os.path.normpath(config.invocation_params.dir / path))
    return here if here.exists() and not beside.exists() else beside


def _texts(config: pytest.Config, name: str) -> list[str]:
    value = config.getini(name)
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [text for part in parts if (text := str(part).strip())]


def _timeout(config: pytest.Config) -> float:
    written = _texts(config, "orchestration_timeout")
    if not written:
        return _TIMEOUT
    try:
        return float(written[0])
    except ValueError:
        problem = f"orchestration_timeout: not a number of seconds: {written[0]!r}"
        raise BadDescription(problem) from None
