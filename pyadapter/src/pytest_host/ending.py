"""Why a session ended the way it did."""

from __future__ import annotations

from typing import Any

import pytest

from . import texts


class Ending:
    """Collects what pytest tells about the end of a session."""

    def __init__(self) -> None:
        #: What the `interrupted` frame says.
        self.interruption: str | None = None
        self._reason: str | None = None
        self._internal_error = False

    def interrupted(self, error: BaseException) -> None:
        """What pytest was interrupted by; it has three kinds of interruption."""
        if isinstance(error, pytest.exit.Exception):
            self.interruption = self._reason = f"exit: {error.msg}"
        elif type(error) is KeyboardInterrupt:
            self.interruption, self._reason = "KeyboardInterrupt", "interrupted"
        else:  # pytest's own `Interrupted`, e.g. "1 error during collection"
            self.interruption = self._reason = texts.safe(str, error)

    def internal_error(self) -> None:
        self._internal_error = True

    def reason(self, session: Any, exitstatus: int) -> str | None:
        """Why tests did not run, where some did not."""
        if self._internal_error or exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            return "internal error"
        if session.shouldfail:
            return "maxfail"
        if self._reason is not None:
            return self._reason
        if session.shouldstop:
            return str(session.shouldstop)
        # xdist gives up in its own words, and says them in its summary alone.
        xdist = session.config.pluginmanager.getplugin("dsession")
        if given_up := getattr(xdist, "_summary_report", None):
            return texts.safe(str, given_up)
        return "usage" if exitstatus == pytest.ExitCode.USAGE_ERROR else None
