"""What raised, as the protocol's `failure`."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TypedDict

import _pytest
import pluggy
import pytest

from . import texts
from .redaction import Redactor

#: Files whose frames say nothing about the user's code.
_OWN_FILES = tuple(
    os.path.dirname(os.path.abspath(module.__file__ or "")) + os.sep
    for module in (_pytest, pytest, pluggy)
)

#: Frames of a traceback that are kept, half from either end. Python formats
#: some 8,000 a second, and a recursion may have any number.
_FRAMES = 1000

#: `package.SomeError: message`, as pytest's crash summaries have it.
_SUMMARY = re.compile(r"(?:[\w.]+\.)?([A-Za-z_]\w*)(?:: (.*)|$)", re.DOTALL)


def is_own_file(name: str) -> bool:
    """Whether it is pytest's or pluggy's."""
    return name.startswith(_OWN_FILES)


class Failure(TypedDict):
    kind: str
    message: str
    traceback: list[str]
    longrepr: str


def describe(error: BaseException, tb: TracebackType | None) -> Failure:
    """At once, since neither exception nor frames may be kept alive.

    `longrepr` is left empty: pytest makes it later.
    """
    return {
        "kind": type(error).__name__,
        "message": texts.safe(str, error),
        "traceback": format_traceback(tb),
        "longrepr": "",
    }


def format_traceback(tb: TracebackType | None) -> list[str]:
    """`traceback.format_tb`, without pytest's and pluggy's frames.

    They are left out before anything is formatted: a skip has no others, and
    then costs next to nothing.
    """
    kept = []
    while tb is not None:
        if not is_own_file(tb.tb_frame.f_code.co_filename):
            kept.append(tb)
        tb = tb.tb_next
    if (left_out := len(kept) - _FRAMES) <= 0:
        return _format(kept)
    half = _FRAMES // 2
    return [*_format(kept[:half]), _cut(left_out), *_format(kept[-half:])]


def _format(entries: Sequence[TracebackType]) -> list[str]:
    chain: TracebackType | None = None
    for tb in reversed(entries):
        chain = TracebackType(chain, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    try:
        return traceback.format_tb(chain)
    except Exception as error:  # it looks at files, which a test may have faked
        return [f"<format_tb() raised {type(error).__name__}>\n"]


def _cut(left_out: int) -> str:
    return f"[cut: {left_out} frames]\n"


def from_report(report: Any) -> Failure:
    """Where no exception was seen: it was in another process, or there was none.

    The latter is how pytest reports a strict xpass.
    """
    longrepr = longrepr_text(report)
    crash = getattr(report.longrepr, "reprcrash", None)
    summary = getattr(crash, "message", None)
    kind, message = "Failed", longrepr
    if isinstance(summary, str):
        message = summary
        match = _SUMMARY.match(summary)
        if summary.startswith("assert "):
            kind = "AssertionError"
        elif match:
            kind, message = match[1], match[2] or ""
    elif isinstance(report.longrepr, tuple):
        kind, message = "Skipped", skip_reason(report)
    return {"kind": kind, "message": message, "traceback": [], "longrepr": longrepr}


def longrepr_text(report: Any) -> str:
    """`report.longreprtext`, without a terminal writer where none is needed."""
    longrepr = report.longrepr
    if longrepr is None:
        return ""
    if isinstance(longrepr, (str, tuple)):
        return str(longrepr)
    try:
        return str(report.longreprtext)
    except Exception as error:
        return f"<longreprtext raised {type(error).__name__}>"


def skip_reason(report: Any) -> str:
    """The reason of a report that was skipped without an expected failure."""
    longrepr = report.longrepr
    reason = str(longrepr[2]) if isinstance(longrepr, tuple) else longrepr_text(report)
    return reason.removeprefix("Skipped: ")


def limit_texts(failure: Failure, redactor: Redactor) -> Failure:
    """Redacted, each text cut to the limit, and all entries of the traceback together."""
    cut = redactor.cut_note
    return {
        "kind": cut(failure["kind"]),
        "message": cut(failure["message"]),
        "traceback": _cut_entries(list(map(cut, failure["traceback"])), redactor.limit),
        "longrepr": cut(failure["longrepr"]),
    }


def _cut_entries(entries: list[str], limit: int) -> list[str]:
    """The outermost and the innermost, in turn, as long as there is room."""
    if sum(map(len, entries)) <= limit:
        return entries
    kept: tuple[list[str], list[str]] = [], []
    ends = (iter(entries), reversed(entries))
    room = limit
    for turn in range(len(entries)):
        entry = next(ends[turn % 2])
        room -= len(entry)
        if room < 0:
            break
        kept[turn % 2].append(entry)
    first, last = kept
    return [*first, _cut(len(entries) - len(first) - len(last)), *reversed(last)]
