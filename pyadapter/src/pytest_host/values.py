"""Values of options that are no texts."""

from __future__ import annotations

import argparse
import contextlib
import math

_PHASES = ("setup", "call", "teardown")


def number(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if math.isfinite(value):
            return value
    raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")


def seconds(text: str) -> float:
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return value


def hours(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if math.isfinite(value) and value >= 0:
            return value
    raise argparse.ArgumentTypeError(f"not a number of hours: {text!r}")


def phases(text: str) -> tuple[str, ...]:
    """Some of pytest's phases, with commas between."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in _PHASES:
            raise argparse.ArgumentTypeError(
                f"no phase: {name!r} (choose from {', '.join(_PHASES)})"
            )
    return names
