"""Reports the tests that this process collects and runs."""

from __future__ import annotations

import linecache
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from . import failures, reports, rt, texts
from .attempts import Attempt
from .items import CHUNK, Collection, group_of, loadgroup, plain_nodeid
from .redaction import Redactor
from .segment import Segments


def _code(warning: warnings.WarningMessage) -> str:
    """The line that a warning points to, as Python shows it."""
    if warning.line is not None:
        return warning.line.strip()
    try:
        return linecache.getline(warning.filename, warning.lineno).strip()
    except Exception:  # it looks at files, which a test may have faked
        return ""


class Reporter:
    """pytest's hooks on one side, frames on the other.

    No hook lets an error of ours out: `broken` is told, and that is the end of
    reporting in this process.
    """

    def __init__(
        self,
        config: pytest.Config,
        segments: Segments,
        *,
        redactor: Redactor,
        broken: Callable[[Exception], None],
    ) -> None:
        self._config = config
        self._append = segments.append
        self._redactor = redactor
        self._broken = broken
        # Kept, as tests that fake time replace what modules hold.
        self._now = time.time
        self._references: dict[str, str] = {}
        self._plain: dict[str, str] = {}
        #: How often each test was started.
        self._started: dict[str, int] = {}
        self._open: dict[str, Attempt] = {}
        #: The last attempts of tests that are to be run again.
        self._again: dict[str, Attempt] = {}
        #: By node id and phase, from `makereport` to `logreport`.
        self._raised: dict[tuple[str, str], failures.Failure] = {}

    # Collection.

    def pytest_exception_interact(self, call: Any, report: Any) -> None:
        """The only place that shows what a collector raised."""
        if report.when != "collect":
            return
        try:
            error = call.excinfo.value
            tb = call.excinfo.tb
            if isinstance(error, pytest.Collector.CollectError) and error.__cause__:
                # pytest's "ImportError while importing …" is in `longrepr`.
                error = error.__cause__
                tb = error.__traceback__
            self._raised[report.nodeid, "collect"] = failures.describe(error, tb)
        except Exception as error:
            self._broken(error)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome == "passed":
            return
        try:
            nodeid = self._redactor.identity(report.nodeid)
            if report.outcome == "failed":
                failure = self._failure(report) or failures.from_report(report)
                failure = failures.limit_texts(failure, self._redactor)
                self._send("collect-failed", nodeid=nodeid, failure=failure)
            else:
                reason = self._redactor.cut_note(failures.skip_reason(report))
                self._send("collect-skipped", nodeid=nodeid, reason=reason)
        except Exception as error:
            self._broken(error)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        try:
            grouped = loadgroup(self._config)
            plain = (
                plain_nodeid(item.nodeid, item, group_of(item) if grouped else None)
                for item in items
            )
            nodeids = list(map(self._redactor.identity, plain))
            for first in range(0, len(nodeids), CHUNK):
                self._send("deselected", nodeids=nodeids[first : first + CHUNK])
        except Exception as error:
            self._broken(error)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        try:
            collection = Collection(session.items, self._config, self._redactor)
            for frame in collection.frames():
                self._append(frame)
            self._references = collection.references
            self._plain = collection.plain
            self._send("collected", c=collection.hash, count=len(collection))
        except Exception as error:
            self._broken(error)

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str
    ) -> None:
        redactor = self._redactor
        try:
            message = texts.safe(str, warning_message.message)
            self._send(
                "warning",
                category=redactor.text(warning_message.category.__name__),
                message=redactor.cut_note(message),
                path=redactor.identity(str(warning_message.filename)),
                line=warning_message.lineno,
                stage=when,
                nodeid=redactor.identity(self._plain.get(nodeid, nodeid)) or None,
                code=redactor.cut_note(code) if (code := _code(warning_message)) else None,
            )
        except Exception as error:
            self._broken(error)

    # Running: these three are called for every test.

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        try:
            rt.forget_screen()
            self._begin(nodeid, self._now())
        except Exception as error:
            self._broken(error)

    # Neither a wrapper nor first: after pytest's own for unittest, which puts
    # the exception of a `TestCase` into `call`, and before the one that makes
    # the report.
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> None:
        if call.excinfo is None:
            if self._raised:  # by the attempt before, which some plugin let pass
                self._raised.pop((item.nodeid, call.when), None)
            return
        try:
            excinfo = call.excinfo
            failure = failures.describe(excinfo.value, excinfo.tb)
            self._raised[item.nodeid, call.when] = failure
        except Exception as error:
            self._broken(error)

    # Last, since pytest's terminal reporter turns a passed call into a failed
    # one when a subtest has failed.
    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        try:
            nodeid = report.nodeid
            when = report.when
            attempt = self._open.get(nodeid)
            if attempt is None or (when == "setup" and attempt.has("setup")):
                attempt = self._attempt_of(nodeid, report)
            if (
                report.outcome == "passed"
                and not report.sections
                and not report.user_properties
                and type(report) is pytest.TestReport
                and "wasxfail" not in report.__dict__
                and (when != "call" or not rt.screen())
            ):
                attempt.folded[when] = reports.times(report)
            else:
                self._tell(nodeid, attempt, report)
            if when == "teardown" or attempt.crashed:
                self._end(nodeid, attempt, reports.times(report)[1])
        except Exception as error:
            self._broken(error)

    def _begin(self, nodeid: str, t: float) -> Attempt:
        before = self._open.get(nodeid)
        if before is not None:
            self._append(before.end(t, "rerun"))
        else:
            before = self._again.pop(nodeid, None)
        number = self._started[nodeid] = self._started.get(nodeid, 0) + 1
        reference = self._reference(nodeid)
        attempt = self._open[nodeid] = Attempt(reference, number, before)
        self._append(attempt.start(t))
        return attempt

    def _attempt_of(self, nodeid: str, report: Any) -> Attempt:
        """For a report that is not of the attempt under way.

        pytest-rerunfailures runs all phases first, then reports them: a
        second `setup` is the first that is heard of the next attempt.
        """
        number = self._started.get(nodeid)
        if report.when == "setup" or number is None:
            return self._begin(nodeid, reports.times(report)[0])
        # Too late: its end was told.
        return Attempt(self._reference(nodeid), number)

    def _reference(self, nodeid: str) -> str:
        """The protocol's `i`, as JSON."""
        known = self._references.get(nodeid)
        return known or texts.dumps(self._redactor.identity(nodeid))

    def _tell(self, nodeid: str, attempt: Attempt, report: Any) -> None:
        """A `phase` frame, unless there is nothing to say but that it passed."""
        when, outcome = report.when, report.outcome
        subtest = reports.is_subtest(report)
        attempt.go_on(report)
        sections = reports.new_sections(report, attempt.sections)
        properties: list[Any] = []
        if not subtest:
            properties = reports.new_properties(report, attempt.properties)
            attempt.sections = reports.captured(report)
            attempt.properties = list(report.user_properties)
        if (when == "call" or outcome == "failed") and (screen := rt.screen()):
            properties.append((rt.SCREEN, screen))
        xfail = hasattr(report, "wasxfail")
        silent = not (sections or properties or subtest or xfail)
        if outcome == "passed" and silent and when in reports.PHASES:
            attempt.folded[when] = reports.times(report)
            return
        record = reports.convert(
            report,
            failure=self._failure(report),
            sections=sections,
            properties=properties,
            redactor=self._redactor,
        )
        self._append(attempt.phase(self._now(), texts.dumps(record)))
        if subtest:
            attempt.failed_subtests += outcome == "failed"
            return
        attempt.outcomes[when] = outcome
        attempt.xfail |= xfail
        # pytest-forked's report of a test that took its process down.
        attempt.crashed |= when not in reports.PHASES

    def _failure(self, report: Any) -> failures.Failure | None:
        raised = self._raised.pop((report.nodeid, report.when), None)
        if report.outcome == "passed" or report.longrepr is None:
            return None
        if raised is None:
            return failures.from_report(report)
        raised["longrepr"] = failures.longrepr_text(report)
        return raised

    def _end(self, nodeid: str, attempt: Attempt, t: float) -> None:
        if self._raised:  # in a phase that some plugin let pass: not the next attempt's
            for when in reports.PHASES:
                self._raised.pop((nodeid, when), None)
        if self._open.get(nodeid) is attempt:
            del self._open[nodeid]
            if attempt.outcomes and attempt.verdict() == "rerun":
                self._again[nodeid] = attempt
            self._append(attempt.end(t))

    def finish(self) -> None:
        """End what is still open: Ctrl-C and `pytest.exit` leave no reports."""
        try:
            while self._open:
                _, attempt = self._open.popitem()
                rerun = attempt.verdict() == "rerun"
                self._append(attempt.end(self._now(), "rerun" if rerun else "interrupted"))
        except Exception as error:
            self._broken(error)

    def _send(self, kind: str, **keys: Any) -> None:
        self._append(texts.dumps({"k": kind, "t": self._now(), **keys}).encode())
