"""Strategies for what may happen in a session, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

#: Whatever Python's texts may hold, lone surrogates included, and what formats trip over.
ODD = (
    *("", "::", "[", "]", "a[x::y]", "@g", "\x00", "\x1b[31m", "\udc80", "\ud83d\ude00", "é😀"),
    *("\\", "\u2028", '"', "\r\n", "\ufeff", "%s", "{}", "Captured stdout call", "nan"),
    "Skipped: x",
)
TEXT = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(ODD)
NAME = TEXT.filter(lambda text: text and "::()" not in text)
WORDS = ("setup", "call", "teardown")
TIMES = st.floats(1e-3, 4e9) | st.sampled_from([math.nan, math.inf, -math.inf])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, width=32) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=3,
)


@dataclass(frozen=True)
class Test:
    __test__ = False

    name: str
    file: str
    line: int | None
    domain: str
    doc: str | None
    marks: frozenset[str]
    group: str | None


@dataclass(frozen=True)
class Report:
    when: str
    outcome: str
    xfail: str | None
    #: None, a text, or pytest's triple of a skip.
    longrepr: Any
    #: The text of an exception that pytest shows to its plugins before the report.
    raised: str | None
    #: Captured in this phase: `stdout`, `stderr`, `log` or a plugin's word; and text.
    captured: tuple[tuple[str, str], ...]
    #: A section that a plugin put into this report alone: title and text.
    added: tuple[str, str] | None
    properties: tuple[tuple[str, Any], ...]
    times: tuple[float, float, float]


@dataclass(frozen=True)
class Subtest:
    message: str | None
    values: tuple[tuple[str, Any], ...]
    outcome: str
    longrepr: Any


@dataclass(frozen=True)
class Attempt:
    """One run of a test; without a teardown it is cut short, by its next or by the end."""

    test: int
    #: Whether pytest says that it starts; pytest-rerunfailures' later attempts have no start.
    told: bool
    reports: tuple[Report | Subtest, ...]


@dataclass(frozen=True)
class Notice:
    """What is not about a running test: a warning, or something of the collection."""

    kind: str
    nodeid: str
    text: str
    raised: bool
    stage: str = ""


@dataclass(frozen=True)
class Process:
    notices: tuple[Notice, ...]
    deselected: tuple[int, ...]
    #: Indices of the story's tests.
    collection: tuple[int, ...]
    attempts: tuple[Attempt, ...]
    #: Which of the open tests goes on next.
    turns: tuple[int, ...]
    #: The worker dies in the test that is open, if one is.
    crashes: bool


@dataclass(frozen=True)
class Story:
    tests: tuple[Test, ...]
    #: One alone, or several workers.
    processes: tuple[Process, ...]
    workers: bool
    grouped: bool
    #: The process that the user started dies without a word, while it writes or not.
    died: bool
    torn: bool
    exitstatus: int
    reason: str | None
    text_bytes: int


def tests() -> st.SearchStrategy[Test]:
    return st.builds(
        Test,
        name=NAME,
        file=st.sampled_from(["test_a.py", "sub/test_é.py", "sub/deep er/test_b.py"]),
        line=st.none() | st.integers(0, 1 << 20),
        domain=TEXT,
        doc=st.none() | TEXT,
        marks=st.frozensets(TEXT, max_size=2),
        group=st.none() | NAME,
    )


def sections() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    kind = st.sampled_from(["stdout", "stderr", "log", "custom"])
    return st.lists(st.tuples(kind, TEXT), max_size=2).map(tuple)


@st.composite
def reports(draw: st.DrawFn, when: str, outcomes: list[str]) -> Report:
    outcome = draw(st.sampled_from(outcomes))
    longrepr = draw(
        st.none() if outcome == "passed" else st.none() | TEXT | st.tuples(TEXT, st.just(1), TEXT)
    )
    plain = draw(st.booleans())
    return Report(
        when=when,
        outcome=outcome,
        xfail=None if plain else draw(st.none() | TEXT),
        longrepr=longrepr,
        raised=draw(st.none() | TEXT),
        captured=() if plain else draw(sections()),
        added=None if plain else draw(st.none() | st.tuples(st.just("odd title"), TEXT)),
        properties=() if plain else tuple(draw(st.lists(st.tuples(TEXT, VALUES), max_size=2))),
        times=draw(st.tuples(TIMES, TIMES, TIMES)),
    )


def subtests() -> st.SearchStrategy[Subtest]:
    return st.builds(
        Subtest,
        message=st.none() | TEXT,
        values=st.lists(st.tuples(NAME, TEXT), max_size=2, unique_by=lambda p: p[0]).map(tuple),
        outcome=st.sampled_from(["passed", "failed", "skipped"]),
        longrepr=TEXT,
    )


@st.composite
def attempts(draw: st.DrawFn, test: int, told: bool) -> Attempt:
    outcomes = ["passed", "passed", "failed", "skipped", "rerun", "odd"]
    phases = draw(st.sampled_from([WORDS, WORDS, ("setup", "teardown"), WORDS[:2], WORDS[:1], ()]))
    if not told:
        phases = phases or WORDS
    found: list[Report | Subtest] = []
    for phase in phases:
        if phase == "call":
            found += draw(st.lists(subtests(), max_size=2))
        found.append(draw(reports(phase, outcomes)))
    return Attempt(test, told, tuple(found))


def notices() -> st.SearchStrategy[Notice]:
    return st.builds(
        Notice,
        kind=st.sampled_from(["collect-failed", "collect-skipped", "warning"]),
        nodeid=TEXT,
        text=TEXT,
        raised=st.booleans(),
        stage=st.sampled_from(["config", "collect", "runtest"]),
    )


@st.composite
def processes(draw: st.DrawFn, collection: tuple[int, ...], mine: list[int]) -> Process:
    runs: list[Attempt] = []
    for test in mine:
        runs.append(draw(attempts(test, True)))
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            # Only a second setup tells that this is another attempt.
            began = any(isinstance(each, Report) for each in runs[-1].reports)
            runs.append(draw(attempts(test, not began or draw(st.booleans()))))
    deselected = st.lists(st.sampled_from(collection), max_size=2) if collection else st.just([])
    return Process(
        notices=tuple(draw(st.lists(notices(), max_size=2))),
        deselected=tuple(draw(deselected)),
        collection=collection,
        attempts=tuple(runs),
        turns=tuple(draw(st.lists(st.integers(0, 5), max_size=12))),
        crashes=draw(st.booleans()),
    )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    made = draw(st.lists(tests(), max_size=5, unique_by=_identity))
    every = range(len(made))
    workers = draw(st.booleans())
    count = draw(st.integers(1, 2)) if workers else 1
    found = []
    for n in range(count):
        collection = list(every)
        if n and draw(st.booleans()):
            collection = draw(st.permutations(collection))[: draw(st.integers(0, len(made)))]
        mine = [test for test in collection if test % count == n and draw(st.integers(0, 3))]
        # What is collected twice is one test.
        twice = draw(st.lists(st.sampled_from(collection), max_size=1)) if collection else []
        found.append(draw(processes(tuple(collection + twice), mine)))
    return Story(
        tests=tuple(made),
        processes=tuple(found),
        workers=workers,
        grouped=workers and draw(st.booleans()),
        died=draw(st.sampled_from([False, False, True])),
        torn=draw(st.booleans()),
        exitstatus=draw(st.integers(0, 255)),
        reason=draw(st.none() | TEXT),
        text_bytes=draw(st.sampled_from([256 << 10, 5])),
    )


def _identity(test: Test) -> tuple[str, str]:
    """What may not be the same in two tests, once it was made fit for UTF-8."""
    return test.file, test.name.encode("utf-8", "backslashreplace").decode()
