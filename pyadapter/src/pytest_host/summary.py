"""The lines that people get to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import texts

PREFIX = "pytest-host: "


def unreported(reason: str) -> str:
    return f"this run is not reported: {reason}"


def finished(
    sinks: Sequence[Any], *, refused: Sequence[Any] = (), give_again: Sequence[str] = ()
) -> tuple[str, bool]:
    """What became of the events, and whether all is well.

    `refused` says why changes were not taken over, `give_again` are secret settings, of
    whatever sink, that the host does not keep.
    """
    parts = []
    well = True
    left = []
    for sink in sinks:
        name = sink.get("name", "?")
        error = f" ({sink['error']})" if sink.get("error") else ""
        counts = []
        if sink.get("left"):
            left.append(f"{name}.")
            counts.append(f"{_events(sink['left'])} left")
        if sink.get("set_aside"):
            counts.append(f"{_events(sink['set_aside'])} set aside")
        if sink.get("lost"):
            counts.append(f"{_events(sink['lost'])} lost")
        if counts or error:
            well = False
            parts.append(f"{name}: {', '.join(counts) or 'failed'}{error}")
        else:
            parts.append(f"{name} {sink.get('delivered', 0)} delivered")
    line = ", ".join(parts) or "nothing to deliver to"
    if left:
        line += "; they go out with: host drain"
        wanted = [key for key in give_again if key.startswith(tuple(left))]
        line += "".join(f" --set {key}=…" for key in wanted)
    for why in refused:
        well = False
        line += f"; not taken over: {why}"
    return line, well


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def left_out(count: int) -> str:
    return f"{_events(count)} of this process could not be kept"


def unwritten(name: str, error: OSError) -> str:
    return f"{name} could not be written ({error.strerror})"


def late(seconds: float) -> str:
    return f"the sinks did not finish within {seconds:g} s; what is left goes out with: host drain"


def not_awaited() -> str:
    return "the sinks were not waited for; what is left goes out with: host drain"


def broken(error: Exception) -> str:
    return f"reporting ended early, an error of pytest-host's: {texts.safe(repr, error)}"
