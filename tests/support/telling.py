"""What the contract says should come of a story; not how the adapter and the host get there."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.stories import WORDS, Attempt, Notice, Report, Story, Subtest, Test

Body = Any
#: Kind and body of an event.
Told = tuple[str, Body]


class Anything:
    """Equal to any number that is one."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (int, float)) and math.isfinite(other)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "<any number>"


class Frames:
    """Equal to a traceback with one frame, cut or not."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list) or len(other) != 1:
            return False
        whole = other[0].startswith('  File "') and ", in fail\n" in other[0]
        return whole or (self._limit < 100 and "[cut: " in other[0])

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<one frame>"


NUMBER = Anything()


def clean(text: str) -> str:
    """What UTF-8 can't hold, as Python writes it."""
    return "".join(f"\\u{ord(c):04x}" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)


def note(text: str, limit: int) -> str:
    """A text that says itself that it was cut."""
    data = clean(text).encode()
    if len(data) <= limit:
        return clean(text)
    return f"{data[:limit].decode(errors='ignore')}\n[cut: {len(data)} bytes in all]"


def nodeid(test: Test) -> str:
    return clean(f"{test.file}::{test.name}")


def collected(test: Test, grouped: bool) -> Body:
    return {
        "nodeid": nodeid(test),
        "path": test.file,
        "line": test.line,
        "name": clean(test.name),
        "domain": clean(test.domain),
        "doc": None if test.doc is None else clean(test.doc),
        "keywords": _keywords(test, grouped),
        "group": clean(test.group) if grouped and test.group is not None else None,
    }


def _keywords(test: Test, grouped: bool) -> list[str]:
    marks = set(test.marks) | ({"xdist_group"} if grouped and test.group is not None else set())
    return [clean(mark) for mark in sorted(marks)]


def failure(kind: str, message: str, longrepr: str, limit: int, traceback: Any) -> Body:
    return {
        "kind": note(kind, limit),
        "message": note(message, limit),
        "traceback": traceback,
        "longrepr": note(longrepr, limit),
    }


def of_notice(notice: Notice, limit: int) -> Told:
    if notice.kind == "warning":
        return notice.kind, {
            "category": "UserWarning",
            "message": note(notice.text, limit),
            "path": "file.py",
            "line": 3,
            "stage": notice.stage,
            "nodeid": clean(notice.nodeid) or None,
            "code": None,
        }
    if notice.kind == "collect-skipped":
        return notice.kind, [clean(notice.nodeid), note(notice.text, limit)]
    found = failure("Failed", notice.text, notice.text, limit, [])
    if notice.raised:
        found = failure("Odd", notice.text, notice.text, limit, Frames(limit))
    return notice.kind, [clean(notice.nodeid), found]


@dataclass
class Open:
    """An attempt under way."""

    test: Test
    number: int
    grouped: bool
    limit: int
    #: Passed without a word, and told with the next phase that has one, or the end.
    silent: list[Told] = field(default_factory=list)
    #: Told by now.
    outcomes: dict[str, str] = field(default_factory=dict)
    xfail: bool = False
    failed_subtest: bool = False

    def start(self) -> list[Told]:
        return [("test-started", [nodeid(self.test), self.number])]

    def finish(self, verdict: str) -> list[Told]:
        return [("test-finished", {**self._of(), "verdict": verdict, "duration": NUMBER})]

    def report(self, report: Report | Subtest) -> list[Told]:
        if isinstance(report, Subtest):
            self.failed_subtest |= report.outcome == "failed"
            told = self._subtest(report)
        else:
            self.outcomes[report.when] = report.outcome
            self.xfail |= report.xfail is not None
            told = self._phase(report)
            if _is_silent(report):
                self.silent.append(told)
                return []
        silent, self.silent = self.silent, []
        return [*silent, told]

    def verdict(self) -> str:
        """Worst first."""
        setup, call, teardown = (self.outcomes.get(phase) for phase in WORDS)
        if "rerun" in (setup, call, teardown):
            return "rerun"
        if setup == "failed":
            return "error"
        if call == "failed" or self.failed_subtest:
            return "failed"
        if teardown == "failed":
            return "error"
        if "skipped" in (setup, call):
            return "xfailed" if self.xfail else "skipped"
        return "xpassed" if self.xfail else "passed"

    def crash(self, message: str) -> list[Told]:
        """The worker died in it; what was silent died with it."""
        of = {"kind": "WorkerCrash", "message": message, "traceback": [], "longrepr": message}
        report = {**self._report("call", "failed", (math.nan,) * 3), "failure": of}
        return [("phase-finished", report), *self.finish("crashed")]

    def _of(self) -> Body:
        return {"nodeid": nodeid(self.test), "attempt": self.number}

    def _report(self, when: str, outcome: str, times: tuple[float, float, float]) -> Body:
        known = outcome in ("passed", "failed", "skipped", "rerun")
        sane = all(map(math.isfinite, times))
        start, stop, duration = (pytest.approx(t, abs=2e-6) if sane else NUMBER for t in times)
        return {
            **self._of(),
            "name": clean(self.test.name),
            "group": collected(self.test, self.grouped)["group"],
            "phase": when,
            "outcome": outcome if known else {"other": outcome},
            "xfail_reason": None,
            "start": start,
            "stop": stop,
            "duration": duration,
            "failure": None,
            "sections": [],
            "properties": [],
            "subtest": None,
        }

    def _phase(self, report: Report) -> Told:
        body = self._report(report.when, report.outcome, report.times)
        body["xfail_reason"] = None if report.xfail is None else clean(report.xfail)
        body["failure"] = self._failure(report)
        for kind, text in report.captured:
            capture = {"stdout": "out", "stderr": "err", "log": "log"}.get(kind, {"other": kind})
            body["sections"].append(self._section(capture, f"Captured {kind} {report.when}", text))
        if report.added is not None:
            title, text = report.added
            body["sections"].append(self._section({"other": title}, title, text))
        body["properties"] = [[clean(name), Json(value)] for name, value in report.properties]
        return "phase-finished", body

    def _section(self, capture: Any, title: str, text: str) -> Body:
        data = clean(text).encode()
        cut = len(data) > self.limit
        return {
            "capture": capture,
            "title": title,
            "content": data[: self.limit].decode(errors="ignore"),
            "original_size": len(data) if cut else None,
        }

    def _failure(self, report: Report) -> Body:
        longrepr = report.longrepr
        if report.outcome == "passed" or longrepr is None:
            return None
        text = str(longrepr)
        if report.raised is not None:
            return failure("Odd", report.raised, text, self.limit, Frames(self.limit))
        if isinstance(longrepr, tuple):
            message = longrepr[2].removeprefix("Skipped: ")
            return failure("Skipped", message, text, self.limit, [])
        return failure("Failed", text, text, self.limit, [])

    def _subtest(self, report: Subtest) -> Told:
        body = self._report("call", report.outcome, (1.0, 2.0, 1.0))
        parts = [] if report.message is None else [f"[{report.message}]"]
        if report.values:
            values = ", ".join(f"{name}={value!r}" for name, value in report.values)
            parts.append(f"({values})")
        body["subtest"] = clean(" ".join(parts)) or "(<subtest>)"
        if report.outcome != "passed":
            body["failure"] = failure("Failed", report.longrepr, report.longrepr, self.limit, [])
        return "phase-finished", body


class Json:
    """Equal to a JSON text of the value."""

    def __init__(self, value: Any) -> None:
        self._value = _clean_all(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and json.loads(other) == self._value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<JSON of {self._value!r}>"


def _clean_all(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_all(each) for each in value]
    if isinstance(value, dict):
        return {clean(key): _clean_all(each) for key, each in value.items()}
    return value


def _is_silent(report: Report) -> bool:
    return report.outcome == "passed" and not (
        report.captured or report.added or report.properties or report.xfail is not None
    )


def ends(attempt: Attempt) -> bool:
    """Whether its teardown is reported."""
    return any(isinstance(each, Report) and each.when == "teardown" for each in attempt.reports)


def not_run(story: Story, announced: list[str], started: set[str]) -> list[Told]:
    reason = "not started" if story.reason is None else clean(story.reason)
    why = "aborted" if story.died else reason
    return [("not-run", [each, why]) for each in announced if each not in started]
