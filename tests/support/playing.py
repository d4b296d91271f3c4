"""Tells a story to the adapter as pytest would, and says what is to come of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from _pytest.subtests import SubtestContext
from pytest_host import texts
from pytest_host.attachment import Attachment
from pytest_host.reporter import Reporter

from support import collecting, telling
from support.adapter import Session, node, tear
from support.collecting import Event
from support.stories import Attempt, Notice, Process, Report, Story, Subtest, Test
from support.telling import Open, Told

#: Kinds whose order counts, among those of one worker.
ORDERED = ("test-started", "phase-finished", "test-finished", "warning", "worker-lost", "gap")


class Made(pytest.Function):
    """A test that nobody will run."""

    told: Test
    suffix = ""

    @property
    def nodeid(self) -> str:
        """With the suffix that xdist gives to grouped tests, under most versions of pytest."""
        return super().nodeid + self.suffix

    def reportinfo(self) -> Any:
        return self.path, self.told.line, self.told.domain


class Odd(Exception):  # noqa: N818
    pass


def fail(text: str) -> None:
    raise Odd(text)


def _pass() -> None:
    pass


def make(test: Test, session: pytest.Session, grouped: bool) -> Made:
    module = pytest.Module.from_parent(session, path=session.config.rootpath / test.file)

    def function() -> None: ...

    function.__doc__ = test.doc
    made: Made = Made.from_parent(module, name=test.name, callobj=function)
    made.told = test
    for name in test.marks:
        made.add_marker(mark(name))
    if grouped and test.group is not None:
        made.add_marker(mark("xdist_group", test.group))
        made.suffix = f"@{test.group}"
    return made


def mark(name: str, *args: str) -> pytest.MarkDecorator:
    """Of any name, registered or not."""
    return pytest.MarkDecorator(pytest.Mark(name, args, {}, _ispytest=True), _ispytest=True)


class Player:
    def __init__(self, story: Story, session: Session, pytest_session: pytest.Session) -> None:
        self._story = story
        self._session = session
        self._items = [make(test, pytest_session, story.grouped) for test in story.tests]
        #: In order, by worker.
        self._streams: dict[str | None, list[Told]] = {None: []}
        #: What each worker's stream ends with, in any order.
        self._ends: dict[str | None, list[Told]] = {}
        #: Said once in a session, whoever says it.
        self._once: dict[tuple[str, str], Told] = {}
        self._deselected: set[str] = set()
        self._announced: dict[str, Any] = {}
        self._collections: list[int] = []
        self._started: set[str] = set()

    def play(self) -> None:
        story, main = self._story, self._session.main
        main.segments.append(SESSION)
        for number, process in enumerate(story.processes):
            worker = f"gw{number}" if story.workers else None
            dies = story.died if worker is None else _crashes(process)
            attachment = main if worker is None else self._session.worker(worker, alive=not dies)
            played = _Played(self, process, worker, attachment)
            played.play(dies)
        if story.died:
            if story.torn:
                tear(main)
                name = f"main-{os.getpid()}"
                gap = {"first": 0, "count": 1, "reason": f"{name} died while it wrote an event"}
                self._streams[None].append(("gap", gap))
            return
        finish = {"k": "finish", "t": 1.0, "exitstatus": story.exitstatus, "reason": story.reason}
        main.segments.append(texts.dumps(finish).encode())
        main.segments.append(b'{"k":"bye"}')

    def compare(self, events: Sequence[Event]) -> None:
        story = self._story
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[0].kind == "session-started"
        reason = None if story.reason is None else telling.clean(story.reason)
        assert (events[-1].kind, events[-1].body) == (
            "session-finished",
            {"exitstatus": None, "reason": "aborted"}
            if story.died
            else {"exitstatus": story.exitstatus, "reason": reason},
        )
        self._compare_collection(events)
        workers = {event.worker for event in events}
        assert workers <= set(self._streams)
        for worker, expected in self._streams.items():
            found = [
                (event.kind, event.body)
                for event in events
                if event.worker == worker and event.kind in ORDERED
            ]
            same(found[: len(expected)], expected)
            ends = self._ends.get(worker, [])
            same(sorted(found[len(expected) :], key=_by_test), sorted(ends, key=_by_test))
        not_run = telling.not_run(story, list(self._announced), self._started)
        same([("not-run", body) for body in collecting.of_kind(events, "not-run")], not_run)
        # Nothing else was told.
        known = {*ORDERED, "session-started", "session-finished", "collected", "not-run"}
        known |= {"collection-finished", "collect-failed", "collect-skipped", "deselected"}
        assert {event.kind for event in events} <= known

    def _compare_collection(self, events: Sequence[Event]) -> None:
        found = sorted(collecting.announced(events), key=_nodeid)
        same(found, sorted(self._announced.values(), key=_nodeid))
        counts = collecting.of_kind(events, "collection-finished")
        assert counts[-1] == len(self._announced)
        assert len(counts) == len(set(self._collections))
        once = [
            (event.kind, event.body)
            for event in events
            if event.kind in ("collect-failed", "collect-skipped")
        ]
        expected = sorted(self._once.values(), key=_kind_and_nodeid)
        same(sorted(once, key=_kind_and_nodeid), expected)
        deselected = [each for some in collecting.of_kind(events, "deselected") for each in some]
        assert sorted(deselected) == sorted(self._deselected)


def same(found: Sequence[Any], expected: Sequence[Any]) -> None:
    """With the first that differs where they do."""
    for n, (one, other) in enumerate(zip(found, expected, strict=False)):
        assert one == other, f"number {n} is\n{one}\nand not\n{other}"
    assert len(found) == len(expected), f"{found[len(expected) :]}, {expected[len(found) :]}"


class _Played:
    """One process, as it goes."""

    def __init__(
        self, player: Player, process: Process, worker: str | None, attachment: Attachment
    ) -> None:
        self._player = player
        self._story = player._story
        self._process = process
        self._worker = worker
        self._attachment = attachment
        grouped = self._story.grouped
        self._reporter: Reporter = player._session.reporter(attachment, grouped=grouped)
        self._stream = player._streams.setdefault(worker, [])
        self._open: dict[int, Open] = {}
        self._numbers: dict[int, int] = {}
        #: What pytest keeps with an item.
        self._sections: dict[int, list[tuple[str, str]]] = {}
        self._properties: dict[int, list[tuple[str, Any]]] = {}

    def play(self, dies: bool) -> None:
        for notice in self._process.notices:
            self._notice(notice)
        self._collect()
        queues = {
            test: [step for attempt in self._of(test) for step in _steps(attempt)]
            for test in dict.fromkeys(attempt.test for attempt in self._process.attempts)
        }
        turns = list(self._process.turns)
        while queues:
            turn = turns.pop() if turns else 0
            test = list(queues)[turn % len(queues)]
            self._step(test, queues[test].pop(0))
            if not queues[test]:
                del queues[test]
        self._end(dies)

    def _of(self, test: int) -> list[Attempt]:
        return [attempt for attempt in self._process.attempts if attempt.test == test]

    def _notice(self, notice: Notice) -> None:
        told = telling.of_notice(notice, self._story.text_bytes)
        if notice.kind == "warning":
            message = warnings.WarningMessage(
                UserWarning(notice.text), UserWarning, "file.py", lineno=3
            )
            self._reporter.pytest_warning_recorded(message, notice.stage, notice.nodeid)
            self._stream.append(told)
            return
        self._player._once.setdefault((notice.kind, told[1][0]), told)
        if notice.kind == "collect-skipped":
            longrepr: Any = ("file.py", 3, f"Skipped: {notice.text}")
            report = pytest.CollectReport(notice.nodeid, "skipped", longrepr, [])
        else:
            longrepr = notice.text
            report = pytest.CollectReport(notice.nodeid, "failed", longrepr, [])
            if notice.raised:
                call = pytest.CallInfo.from_call(partial(fail, notice.text), when="collect")
                self._reporter.pytest_exception_interact(call, report)
        self._reporter.pytest_collectreport(report)

    def _collect(self) -> None:
        items, tests = self._player._items, self._story.tests
        some = [items[n] for n in self._process.deselected]
        if some:
            self._reporter.pytest_deselected(some)
            self._player._deselected |= {telling.nodeid(item.told) for item in some}
        session = _Collected([items[n] for n in self._process.collection])
        self._reporter.pytest_collection_finish(session)  # type: ignore[arg-type]
        for n in self._process.collection:
            body = telling.collected(tests[n], self._story.grouped)
            self._player._announced.setdefault(body["nodeid"], body)
        self._player._collections.append(hash(tuple(dict.fromkeys(self._process.collection))))

    def _step(self, test: int, step: Report | Subtest | None) -> None:
        """None is a start."""
        item = self._player._items[test]
        if step is None:
            self._reporter.pytest_runtest_logstart(item.nodeid)
            self._begin(test)
            return
        open_ = self._open.get(test)
        is_setup = isinstance(step, Report) and step.when == "setup"
        if open_ is None or (is_setup and "setup" in open_.outcomes):
            open_ = self._begin(test)
        if isinstance(step, Subtest):
            self._reporter.pytest_runtest_logreport(_subtest(item, step))
            self._stream.extend(open_.report(step))
            return
        body = partial(fail, step.raised) if step.raised is not None else _pass
        call = pytest.CallInfo.from_call(body, when=step.when)  # type: ignore[arg-type]
        self._reporter.pytest_runtest_makereport(item, call)
        self._reporter.pytest_runtest_logreport(self._report(test, item, step))
        self._stream.extend(open_.report(step))
        if step.when == "teardown":
            verdict = open_.verdict()
            self._stream.extend([*open_.silent, *open_.finish(verdict)])
            del self._open[test]
            if verdict != "rerun":  # or the same item is run again, with what it has by now
                self._sections[test] = []
                self._properties[test] = []

    def _begin(self, test: int) -> Open:
        before = self._open.get(test)
        if before is not None:
            self._stream.extend([*before.silent, *before.finish("rerun")])
        number = self._numbers[test] = self._numbers.get(test, 0) + 1
        told = self._story.tests[test]
        open_ = Open(told, number, self._story.grouped, self._story.text_bytes)
        self._open[test] = open_
        self._stream.extend(open_.start())
        self._player._started.add(telling.nodeid(told))
        return open_

    def _report(self, test: int, item: Made, step: Report) -> pytest.TestReport:
        sections = self._sections.setdefault(test, [])
        properties = self._properties.setdefault(test, [])
        sections += [(f"Captured {kind} {step.when}", text) for kind, text in step.captured]
        properties += step.properties
        start, stop, duration = step.times
        report = pytest.TestReport(
            item.nodeid,
            item.location,
            {},
            step.outcome,  # type: ignore[arg-type]
            step.longrepr,
            step.when,  # type: ignore[arg-type]
            [*sections, *([step.added] if step.added else [])],
            duration,
            start,
            stop,
            list(properties),
        )
        if step.xfail is not None:
            report.wasxfail = step.xfail
        return report

    def _end(self, dies: bool) -> None:
        ends = self._player._ends.setdefault(self._worker, [])
        opened = [open_ for _, open_ in sorted(self._open.items())]
        if not dies:
            self._reporter.finish()
            for open_ in opened:
                rerun = open_.verdict() == "rerun"
                ends += [*open_.silent, *open_.finish("rerun" if rerun else "interrupted")]
            if self._worker is not None:
                self._attachment.segments.append(b'{"k":"bye"}')
            return
        if self._worker is not None:
            self._crash(opened.pop(0))
        for open_ in opened:
            ends += open_.finish("crashed")

    def _crash(self, crashed: Open) -> None:
        """As xdist's controller tells it."""
        worker = self._worker
        assert worker is not None
        self._attachment.close()
        nodeid = f"{crashed.test.file}::{crashed.test.name}"
        message = f"worker {worker!r} crashed"
        report = pytest.TestReport(nodeid, ("", None, ""), {}, "failed", message, "call")
        report.node = node(worker)  # type: ignore[attr-defined]
        controller = self._player._session.controller
        controller.pytest_handlecrashitem(nodeid, report)
        controller.pytest_testnodedown(node(worker), "Not properly terminated")
        self._stream.extend(crashed.crash(message))
        lost = ("worker-lost", [worker, "Not properly terminated"])
        self._player._streams[None].append(lost)


class _Collected:
    """What the adapter asks of a session."""

    def __init__(self, items: list[Made]) -> None:
        self.items = items


SESSION = texts.dumps(
    {
        "k": "session",
        "t": 1.0,
        "session": {
            **dict.fromkeys(("rootdir", "invocation_dir", "pytest_version", "hostname"), "x"),
            "python_version": "3",
            "python_prefixes": ["", ""],
            "args": [],
            "pid": 1,
            "started": 1.0,
        },
    }
).encode()


def _steps(attempt: Attempt) -> Iterator[Report | Subtest | None]:
    if attempt.told:
        yield None
    yield from attempt.reports


def _crashes(process: Process) -> bool:
    """Whether there is a test for the worker to die in."""
    last = {attempt.test: attempt for attempt in process.attempts}
    return process.crashes and any(not telling.ends(attempt) for attempt in last.values())


def _subtest(item: Made, step: Subtest) -> pytest.TestReport:
    longrepr = None if step.outcome == "passed" else step.longrepr
    report = pytest.SubtestReport(
        item.nodeid,
        item.location,
        {},
        step.outcome,  # type: ignore[arg-type]
        longrepr,
        "call",
        (),
        1.0,
        1.0,
        2.0,
    )
    report.context = SubtestContext(msg=step.message, kwargs=dict(step.values))
    return report


def _nodeid(test: Any) -> str:
    return str(test["nodeid"])


def _kind_and_nodeid(told: Told) -> tuple[str, str]:
    return told[0], told[1][0]


def _by_test(told: Told) -> tuple[str, str, str]:
    kind, body = told
    return body["nodeid"], kind, body.get("phase", "")
