"""What pytest prints, to be held against what it prints by itself."""

from __future__ import annotations

import re


def without_times(stdout: str) -> list[str]:
    """Lines, without how long it took and without what the plugin says."""
    lines = re.sub(r" in [0-9.]+s(?: \([0-9:]+\))?", "", stdout).splitlines()
    return [line.strip("= ") for line in lines if not line.startswith("pytest-host: ")]
