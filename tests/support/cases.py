"""Test cases of `--junitxml` in detail, and the same made of events."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import junit
from support.collecting import Attempt


@dataclass
class Case:
    """What pytest's own report says of one test, all its elements together."""

    #: `failure`, `setup`, `teardown`, `skip` and `xfail`, sorted; none for a test that passed.
    kinds: list[str] = field(default_factory=list)
    #: Names and values of `record_property`.
    properties: list[tuple[str, str]] = field(default_factory=list)
    #: Why it was skipped, or expected to fail.
    reasons: list[str] = field(default_factory=list)


Cases = dict[junit.Key, Case]


def read(path: Path) -> Cases:
    cases: Cases = {}
    for element in ET.parse(path).iter("testcase"):
        key = element.get("classname", ""), element.get("name", "")
        case = cases.setdefault(key, Case())
        for child in element:
            message = child.get("message", "")
            if child.tag == "skipped":
                case.kinds.append("xfail" if child.get("type") == "pytest.xfail" else "skip")
                # Up to pytest 8, `pytest.xfail("why")` leaves "reason: why".
                case.reasons.append(message.removeprefix("reason: "))
            elif child.tag == "failure":
                case.kinds.append("failure")
            elif child.tag == "error":
                at_end = message.startswith("failed on teardown")
                case.kinds.append("teardown" if at_end else "setup")
            elif child.tag == "properties":
                case.properties += [(p.get("name", ""), p.get("value", "")) for p in child]
    return _sorted(cases)


def of_attempts(attempts: Iterable[Attempt]) -> Cases:
    """Of all attempts: pytest's report leaves out phases that are run again, and nothing else."""
    cases: Cases = {}
    for attempt in attempts:
        case = cases.setdefault(junit.key(attempt.nodeid), Case())
        for report in attempt.phases:
            kind = _kind(report)
            if kind is not None:
                case.kinds.append(kind)
            if kind in ("skip", "xfail"):
                expected = report["xfail_reason"]
                skipped = expected is None
                case.reasons.append(report["failure"]["message"] if skipped else expected)
            case.properties += [(name, value) for name, value in report["properties"]]
    return _sorted(cases)


def _sorted(cases: Cases) -> Cases:
    for case in cases.values():
        case.kinds.sort()
        case.reasons.sort()
    return cases


def _kind(report: dict[str, Any]) -> str | None:
    phase, outcome = report["phase"], report["outcome"]
    if outcome == "skipped":
        return "skip" if report["xfail_reason"] is None else "xfail"
    if outcome == "failed":
        return "failure" if phase == "call" else str(phase)
    return None
