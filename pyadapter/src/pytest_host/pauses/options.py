"""What the command line says about pauses."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import Any

import pytest

from .. import dropins

#: Mocked answers, by the option's words.
_MOCKS = {"true": True, "false": False, "none": None}

#: Options of a run that pauses nowhere.
_NO_RUN = (
    *("collectonly", "showfixtures", "show_fixtures_per_test"),
    *("cacheshow", "setupplan", "setuponly"),
)


@dataclass(frozen=True)
class Options:
    on_failure: bool
    #: Where the file protocol's folders are; `named` by the user.
    directory: str
    named: bool
    #: Seconds.
    timeout: float
    #: Whether checkpoints are answered at once, and with what.
    mocked: bool
    mock: bool | None
    #: Phases whose failures pause.
    phases: tuple[str, ...]
    #: Whether each failing attempt pauses, or the last alone.
    every_attempt: bool
    may_eval: bool

    @classmethod
    def read(cls, config: pytest.Config) -> Options:
        """In an xdist worker, too, which gets the values and not the options."""

        def get(row: dropins.DropIn) -> Any:
            return getattr(config.option, row.dest, None)

        directory = get(dropins.PAUSE_DIR)
        mock = get(dropins.PAUSE_CHECKPOINT_MOCK)
        timeout = get(dropins.PAUSE_TIMEOUT)
        return cls(
            on_failure=bool(get(dropins.PAUSE_ON_FAILURE)),
            directory=directory or os.path.join(tempfile.gettempdir(), "pytest-live-pause"),
            named=bool(directory),
            timeout=300.0 if timeout is None else timeout,
            mocked=mock is not None,
            mock=_MOCKS.get(mock),
            phases=get(dropins.PAUSE_ON) or ("call",),
            every_attempt=get(dropins.PAUSE_ATTEMPTS) == "all",
            may_eval=bool(get(dropins.PAUSE_EVAL)),
        )


def may_pause(config: pytest.Config) -> bool:
    """Whether it can come to a pause that somebody has to answer."""
    if not dropins.asks_for_pauses(config) or any(
        getattr(config.option, name, False) for name in _NO_RUN
    ):
        return False
    options = Options.read(config)
    return options.on_failure or not options.mocked


def check(config: pytest.Config) -> None:
    """Raises pytest's usage error for what must not be."""
    given = dropins.given(config)
    if (
        dropins.PAUSE_ON_FAILURE in given
        and dropins.PAUSE_IN_CI not in given
        and os.environ.get("CI")
    ):
        raise pytest.UsageError(
            "pytest-host: --pause-on-failure would wait for a person, and CI is set; "
            "with --pause-in-ci it does"
        )
