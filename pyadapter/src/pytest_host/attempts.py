"""One run of one test, from its reports."""

from __future__ import annotations

from typing import Any

from .reports import PHASES, Section, Times, captured

#: The `end` of a test that passed without a word, which most do.
_PASSED = (
    '{"k":"end","i":%s,"a":%d,"t":%.6f,"verdict":"passed","passed":{'
    '"setup":[%.6f,%.6f,%.9f],"call":[%.6f,%.6f,%.9f],"teardown":[%.6f,%.6f,%.9f]}}'
)


class Attempt:
    """What is known of a test between its `start` and its `end`."""

    __slots__ = (
        "before",
        "crashed",
        "failed_subtests",
        "folded",
        "number",
        "outcomes",
        "properties",
        "reference",
        "sections",
        "xfail",
    )

    def __init__(self, reference: str, number: int, before: Attempt | None = None) -> None:
        #: The protocol's `i`, as JSON.
        self.reference = reference
        #: The protocol's `a`.
        self.number = number
        #: Phases that passed without text; they are told with the end.
        self.folded: dict[str, Times] = {}
        #: Phases that were told by themselves.
        self.outcomes: dict[str, str] = {}
        #: Those of the last report; pytest repeats them in the next.
        self.sections: list[Section] = []
        self.properties: list[Any] = []
        self.xfail = False
        self.crashed = False
        self.failed_subtests = 0
        #: The same test's attempt before this one, until the first report with text.
        self.before = before
        if before is not None:
            before.before = None

    def has(self, phase: str) -> bool:
        return phase in self.folded or phase in self.outcomes

    def go_on(self, report: Any) -> None:
        """What the attempt before told is told, where `report` repeats all of it.

        pytest-rerunfailures leaves it with the item; others start afresh.
        """
        before, self.before = self.before, None
        if before is None:
            return
        sections = before.sections
        if captured(report)[: len(sections)] == sections:
            self.sections = sections
        properties = before.properties
        pairs = zip(properties, report.user_properties, strict=False)
        if len(properties) <= len(report.user_properties) and all(a is b for a, b in pairs):
            self.properties = properties

    def verdict(self) -> str:
        """Worst first; of one kind, the earlier phase."""
        setup, call, teardown = map(self.outcomes.get, PHASES)
        if self.crashed:
            return "crashed"
        if "rerun" in (setup, call, teardown):
            return "rerun"
        if setup == "failed":
            return "error"
        if call == "failed" or self.failed_subtests:
            return "failed"
        if teardown == "failed":
            return "error"
        if "skipped" in (setup, call):
            return "xfailed" if self.xfail else "skipped"
        return "xpassed" if self.xfail else "passed"

    def start(self, t: float) -> bytes:
        """The `start` frame."""
        return b'{"k":"start","i":%s,"a":%d,"t":%.6f}' % (
            self.reference.encode(),
            self.number,
            t,
        )

    def end(self, t: float, verdict: str | None = None) -> bytes:
        """The `end` frame; the verdict is that of the reports where none is given."""
        folded = self.folded
        if verdict is None and len(folded) == 3 and not self.failed_subtests:
            times = (*folded["setup"], *folded["call"], *folded["teardown"])
            return (_PASSED % (self.reference, self.number, t, *times)).encode()
        return (
            f'{{"k":"end","i":{self.reference},"a":{self.number},"t":{t:.6f},'
            f'"verdict":"{verdict or self.verdict()}","passed":{self._unfold()}}}'
        ).encode()

    def phase(self, t: float, report: str) -> bytes:
        """A `phase` frame, and with it the phases before it that passed without a word."""
        return (
            f'{{"k":"phase","i":{self.reference},"a":{self.number},"t":{t:.6f},'
            f'"passed":{self._unfold()},"report":{report}}}'
        ).encode()

    def _unfold(self) -> str:
        """The folded phases as JSON, once; from here on they count as told."""
        folded = ",".join(
            '"{}":[{:.6f},{:.6f},{:.9f}]'.format(phase, *self.folded[phase])
            for phase in PHASES
            if phase in self.folded
        )
        self.outcomes.update(dict.fromkeys(self.folded, "passed"))
        self.folded.clear()
        return f"{{{folded}}}"
