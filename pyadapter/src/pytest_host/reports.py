"""pytest's reports as the protocol's `report`."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from . import failures, texts
from .redaction import Redactor

PHASES = ("setup", "call", "teardown")

_OUTCOMES = frozenset({"passed", "failed", "skipped", "rerun"})
_CAPTURES = {"stdout": "out", "stderr": "err", "log": "log"}

Section = tuple[str, str]
Times = tuple[float, float, float]


def times(report: Any) -> Times:
    """Start, stop and duration, in seconds."""
    try:
        start, stop, duration = found = report.start, report.stop, report.duration
        if stop and math.isfinite(start + stop + duration):
            return found
    except (AttributeError, TypeError, OverflowError):
        pass
    duration = _number(report.duration)
    stop = _number(getattr(report, "stop", 0.0)) or time.time()
    start = _number(getattr(report, "start", 0.0)) or stop - duration
    return start, stop, duration


def _number(value: Any) -> float:
    """Plugins put what they like into reports."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def convert(
    report: Any,
    *,
    failure: failures.Failure | None,
    sections: list[Section],
    properties: list[Any],
    redactor: Redactor,
) -> dict[str, Any]:
    """The protocol's `report`; `sections` and `properties` are those to tell."""
    start, stop, duration = times(report)
    outcome = str(report.outcome)
    reason = xfail_reason(report)
    subtest = subtest_description(report)
    return {
        "phase": report.when if report.when in PHASES else "call",
        "outcome": outcome if outcome in _OUTCOMES else {"other": redactor.text(outcome)},
        "xfail_reason": None if reason is None else redactor.text(reason),
        "start": start,
        "stop": stop,
        "duration": duration,
        "failure": failure and failures.limit_texts(failure, redactor),
        "sections": [_section(*each, redactor) for each in sections],
        "properties": [_property(each, redactor) for each in properties],
        "subtest": None if subtest is None else redactor.text(subtest),
    }


def xfail_reason(report: Any) -> str | None:
    reason = getattr(report, "wasxfail", None)
    # Up to pytest 8, `pytest.xfail("why")` leaves "reason: why".
    return None if reason is None else str(reason).removeprefix("reason: ")


def captured(report: Any) -> list[Section]:
    """The report's sections that pytest keeps with the item, and repeats in its next reports."""
    return [section for section in report.sections if _captured(section[0])]


def new_sections(report: Any, told: list[Section]) -> list[Section]:
    """Of the report's sections, those that this phase captured, and those that some plugin added.

    pytest repeats those of earlier phases, and of earlier attempts, in front;
    `told` are those that the report before had captured.
    """
    new: list[Section] = []
    repeated = iter(told)
    repeats = True
    for title, content in report.sections:
        parts = _captured(title)
        if parts is None:
            new.append((title, content))
            continue
        repeats = repeats and next(repeated, None) == (title, content)
        if not repeats and parts[1] == report.when:
            new.append((title, content))
    return new


def new_properties(report: Any, told: list[Any]) -> list[Any]:
    """Of the report's properties, those not among `told`, the ones of the report before.

    Compared by identity, since values may refuse to be compared.
    """
    same = 0
    for old, new in zip(told, report.user_properties, strict=False):
        if old is not new:
            break
        same += 1
    return list(report.user_properties[same:])


def _captured(title: str) -> tuple[str, str] | None:
    """`Captured stdout call` as `stdout` and `call`."""
    if title.startswith("Captured "):
        what, _, phase = title.removeprefix("Captured ").rpartition(" ")
        if what and phase in PHASES:
            return what, phase
    return None


def _section(title: str, content: str, redactor: Redactor) -> dict[str, Any]:
    parts = _captured(title)
    title = redactor.text(title)
    what = title if parts is None else parts[0]
    kept, size = redactor.cut(str(content))
    return {
        "capture": _CAPTURES.get(what, {"other": redactor.text(what)}),
        "title": title,
        "content": kept,
        "original_size": size,
    }


def _property(pair: Any, redactor: Redactor) -> tuple[str, str]:
    name, value = pair
    return redactor.text(texts.safe(str, name)), redactor.json(texts.dump_property(value))


def is_subtest(report: Any) -> bool:
    """pytest 9's and pytest-subtests' reports are of classes of their own."""
    return type(report) is not pytest.TestReport and hasattr(report, "context")


def subtest_description(report: Any) -> str | None:
    """What pytest prints for a subtest, e.g. `[message] (i=1)`."""
    if not is_subtest(report):
        return None
    context = report.context
    parts = []
    if getattr(context, "msg", None) is not None:
        parts.append(f"[{context.msg}]")
    if values := getattr(context, "kwargs", None):
        shown = (
            f"{name}={value if isinstance(value, str) else texts.safe(repr, value)}"
            for name, value in values.items()
        )
        parts.append(f"({', '.join(shown)})")
    return " ".join(parts) or "(<subtest>)"
