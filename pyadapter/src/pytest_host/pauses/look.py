"""What can be seen from inside a paused test."""

from __future__ import annotations

import importlib.util
import linecache
import os
import reprlib
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType
from typing import Any

import pytest

from .. import failures
from . import shown

#: Frames told, of which the innermost are kept; lines of source around each; variables of each.
_FRAMES, _LINES, _LOCALS = 50, 3, 100

#: Bytes of the `repr` of a variable, and of an expression's value.
_LOCAL_BYTES, _VALUE_BYTES = 2_000, 64 << 10

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Impossible(Exception):
    """It cannot be told. The text says why."""


@dataclass(frozen=True)
class Place:
    """A frame, and the line that it is at."""

    frame: FrameType
    line: int


def raised_at(tb: TracebackType | None) -> list[Place]:
    """The user's frames that an exception came through, the innermost last."""
    places = []
    while tb is not None:
        places.append(Place(tb.tb_frame, tb.tb_lineno))
        tb = tb.tb_next
    return [place for place in places if not _is_own(place.frame.f_code)][-_FRAMES:]


def called_from() -> list[Place]:
    """The user's frames that wait for a checkpoint, the innermost last."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and _is_ours(frame.f_code):
        frame = frame.f_back
    places: list[Place] = []
    while frame is not None and not _is_own(frame.f_code) and len(places) < _FRAMES:
        places.append(Place(frame, frame.f_lineno))
        frame = frame.f_back
    return places[::-1]


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_PACKAGE)


def _is_own(code: CodeType) -> bool:
    return failures.is_own_file(code.co_filename) or _is_ours(code)


def stack(places: Sequence[Place]) -> list[dict[str, Any]]:
    """The protocol's `stack`."""
    return [_frame(place) for place in places]


def _frame(place: Place) -> dict[str, Any]:
    code = place.frame.f_code
    first = max(1, place.line - _LINES)
    numbers = range(first, place.line + _LINES + 1)
    lines = [
        (number, linecache.getline(code.co_filename, number, place.frame.f_globals))
        for number in numbers
    ]
    return {
        "file": shown.text(code.co_filename),
        "line": place.line,
        "function": shown.text(code.co_name),
        "source": [[number, shown.text(line.rstrip("\n"))] for number, line in lines if line],
        "locals": _locals(place.frame),
    }


def _locals(frame: FrameType) -> list[list[str]]:
    variables = [
        # Those of rewritten assertions begin with `@`.
        (name, value)
        for name, value in frame.f_locals.items()
        if not name.startswith("@")
    ]
    if frame.f_code.co_name == "<module>":
        variables = []
    return [
        [shown.text(name), shown.text(_repr(value), _LOCAL_BYTES)]
        for name, value in variables[:_LOCALS]
    ]


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 20
        self.maxstring = self.maxother = self.maxlong = 1000


def _repr(value: object) -> str:
    try:
        return _Short().repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: repr() raised {type(error).__name__}>"


def evaluate(places: Sequence[Place], expression: str, index: int | None) -> dict[str, str]:
    """The protocol's `repr` or `raised`. Nothing can interrupt what the expression does."""
    if not places:
        raise Impossible("this pause has no frames")
    try:
        frame = places[len(places) - 1 if index is None else index].frame
        if index is not None and index < 0:
            raise IndexError
    except IndexError:
        raise Impossible(f"no frame {index}: they are 0 to {len(places) - 1}") from None
    try:
        code = compile(expression, "<host pause eval>", "eval")
        # As one: a comprehension would not see the locals.
        value = repr(eval(code, {**frame.f_globals, **frame.f_locals}))
    except Exception as error:
        lines = traceback.format_exception_only(type(error), error)
        return {"raised": shown.text("".join(lines).rstrip("\n"), _VALUE_BYTES)}
    return {"repr": shown.text(value, _VALUE_BYTES)}


def attach_command() -> str:
    """What to type to have debugpy attach to this process."""
    if importlib.util.find_spec("debugpy") is None:
        raise Impossible(f"debugpy is not installed for {sys.executable}")
    return f"{sys.executable} -m debugpy --listen 127.0.0.1:5678 --pid {os.getpid()}"


def captured(item: pytest.Item) -> list[list[str]]:
    """What the test has printed and logged so far, as titles and texts."""
    sections = [
        (f"Captured {what} {phase}", content)
        for phase, what, content in getattr(item, "_report_sections", ())
    ]
    sections += _under_way(item.config)
    return [[shown.text(title), shown.text(content)] for title, content in sections if content]


def _under_way(config: pytest.Config) -> Iterable[tuple[str, str]]:
    """Of a phase that is not over, without taking it away: pytest has no public way."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name, title in (("out", "stdout so far"), ("err", "stderr so far")):
        try:
            file = getattr(capturing, name).tmpfile
            file.flush()
            if hasattr(file, "getvalue"):
                text = file.getvalue()
            else:
                fd = file.fileno()
                text = os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "replace")
        except Exception:  # `-s`, or another pytest
            continue
        yield title, text
