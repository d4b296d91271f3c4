"""What becomes of a pause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ResumeDecision:
    """What a test gets to know of the answer to its checkpoint."""

    #: `resumed` or `timed_out`.
    outcome: str
    failure_reason: str | None = None
    #: A checkpoint's answer, where there was one.
    result: bool | None = None
    reason: str | None = None


#: Words of the contract for how a pause ended.
_CONTRACT = {"resumed": "resumed", "timed_out": "timed-out"}


@dataclass(frozen=True)
class Answer:
    """How a pause ended, and by whom."""

    #: `resumed`, `timed_out`, `aborted` (somebody wants the test to fail) or `abandoned`.
    outcome: str
    failure_reason: str | None = None
    result: bool | None = None
    reason: str | None = None
    #: `cli`, `file`, a policy's name; empty where nobody answered.
    by: str = ""
    #: Aborted, and the whole run with it.
    session: bool = False

    def decision(self) -> ResumeDecision:
        return ResumeDecision(self.outcome, self.failure_reason, self.result, self.reason)

    def frame(self) -> dict[str, Any]:
        """The keys of a `pause-end` frame."""
        return {
            "outcome": _CONTRACT.get(self.outcome, "abandoned"),
            "decision": {
                "outcome": self.result,
                "reason": self.reason,
                "failure_reason": self.failure_reason,
                "by": self.by,
            },
        }


TIMED_OUT = Answer("timed_out")
ABANDONED = Answer("abandoned")
