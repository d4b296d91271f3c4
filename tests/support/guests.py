"""Where the components of tests/fixtures/guests are, once built."""

from __future__ import annotations

from pathlib import Path

from support import variables

_ROOT = Path(__file__).parents[2]


def folder_of_guests() -> Path:
    default = _ROOT / "target" / "guests" / "fixtures"
    return Path(variables.GUESTS or default)
