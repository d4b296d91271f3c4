"""What an orchestrated test came to, event by event."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .threads import Run

#: The property of the test's report that holds a summary.
PROPERTY = "orchestration"


@dataclass
class EventSummary:
    name: str
    runs: int = 0
    failures: int = 0
    #: Runs that have not ended.
    unfinished: int = 0
    #: Seconds.
    durations: list[float] = field(default_factory=list, repr=False)
    late: list[float] = field(default_factory=list, repr=False)
    first_failure: str | None = None

    def began(self, run: Run) -> None:
        self.runs += 1
        self.unfinished += 1
        self.late.append(max(0.0, run.started - run.due))

    def ended(self, run: Run) -> None:
        self.unfinished -= 1
        self.durations.append(run.duration)
        if not run.ok:
            self.failures += 1
            self.first_failure = self.first_failure or run.message

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "runs": self.runs,
            "failures": self.failures,
            "unfinished": self.unfinished,
            "duration": {
                "p50": percentile(self.durations, 50),
                "p95": percentile(self.durations, 95),
            },
            "late": {"p50": percentile(self.late, 50), "p99": percentile(self.late, 99)},
            "first_failure": self.first_failure,
        }


def percentile(values: Iterable[float], percent: float) -> float | None:
    """The nearest rank, to the tenth of a millisecond."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = math.ceil(percent / 100 * len(ordered))
    return round(ordered[max(0, rank - 1)], 4)


def table(summary: dict[str, Any]) -> Sequence[str]:
    """For the terminal."""
    rows = [("event", "runs", "failed", "p50", "p95", "late p99")]
    for event in summary["events"]:
        duration, late = event["duration"], event["late"]
        rows.append(
            (
                event["name"],
                str(event["runs"]),
                str(event["failures"]),
                *(_seconds(each) for each in (duration["p50"], duration["p95"], late["p99"])),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for name, *others in rows:
        cells = (each.rjust(width) for each, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join((name.ljust(widths[0]), *cells)).rstrip())
    return lines


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"
