"""Waiting for something, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds. Far more than anything here takes: it guards against a hang.
DEADLINE = 30.0


def until(what: str, look: Callable[[], T], deadline: float = DEADLINE) -> T:
    """Whatever `look` returns once that is true; `what` says what was waited for in vain."""
    end = time.monotonic() + deadline
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline:g} s")
        time.sleep(0.02)
    return found
