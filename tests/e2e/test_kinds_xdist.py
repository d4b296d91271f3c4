"""Every kind of run with workers."""

from __future__ import annotations

from collections import Counter

import pytest

from support import collecting, kinds
from support.project import Project

SUITE = {
    "test_a.py": """
import pytest
@pytest.mark.parametrize("n", range(6))
def test_n(n): pass
class TestX:
    def test_x(self): pass
    def test_fails(self): assert 0
""",
    "test_b.py": """
import pytest
@pytest.mark.parametrize("v", ["p@q", "r"])
def test_v(v): pass
@pytest.mark.xdist_group("g")
def test_g(): pass
@pytest.mark.xdist_group("g")
def test_h(): pytest.skip()
""",
}

TESTS = 12

#: Which tests stay together. With pytest 9, xdist 3.8 does not keep to its groups.
UNITS = {
    "loadscope": lambda nodeid: nodeid.rpartition("::")[0],
    "loadfile": lambda nodeid: nodeid.partition("::")[0],
}


@pytest.mark.parametrize("mode", ["load", "loadscope", "loadfile", "loadgroup", "worksteal"])
def test_modes(project: Project, mode: str) -> None:
    events = kinds.run(project, SUITE, "-n2", f"--dist={mode}", code=1)
    assert events[0].body["dist"] == mode
    attempts = collecting.attempts(events)
    assert len(attempts) == TESTS
    assert Counter(each.verdict for each in attempts) == Counter(passed=10, failed=1, skipped=1)
    assert {attempt.worker for attempt in attempts} <= {"gw0", "gw1"}
    if mode in UNITS:
        workers: dict[str, set[str | None]] = {}
        for attempt in attempts:
            workers.setdefault(UNITS[mode](attempt.nodeid), set()).add(attempt.worker)
        assert all(len(each) == 1 for each in workers.values()), workers
    groups = {kinds.name(test["nodeid"]): test["group"] for test in collecting.announced(events)}
    grouped = {name: group for name, group in groups.items() if group is not None}
    assert grouped == ({"test_g": "g", "test_h": "g"} if mode == "loadgroup" else {})
    for report in collecting.of_kind(events, "phase-finished"):
        assert report["group"] == groups[kinds.name(report["nodeid"])]
    # A worker runs one test after another.
    for worker in ("gw0", "gw1"):
        steps = [e.kind for e in events if e.worker == worker and e.kind.startswith("test-")]
        assert steps == ["test-started", "test-finished"] * (len(steps) // 2)


def test_each(project: Project) -> None:
    """All tests in all workers, each of which counts its attempts by itself."""
    events = kinds.run(project, SUITE, "-n2", "--dist=each", code=1)
    attempts = collecting.attempts(events)
    assert Counter(attempt.worker for attempt in attempts) == Counter(gw0=TESTS, gw1=TESTS)
    assert {attempt.number for attempt in attempts} == {1}
    assert Counter(each.verdict for each in attempts) == Counter(passed=20, failed=2, skipped=2)


def test_many_tests_on_many_workers(project: Project) -> None:
    text = """
import pytest, warnings
@pytest.mark.parametrize("n", range(200))
def test_n(n):
    print("out", n)
    if n % 20 == 0: warnings.warn(f"w{n}")
    assert n % 7
"""
    events = kinds.run(project, {"test_n.py": text}, "-n4", code=1)
    assert Counter(v for (v,) in kinds.verdicts(events).values()) == Counter(passed=171, failed=29)
    out = {
        report["name"]: section["content"]
        for report in collecting.of_kind(events, "phase-finished")
        for section in report["sections"]
    }
    assert out == {f"test_n[{n}]": f"out {n}\n" for n in range(200)}
    warned = [warning["nodeid"] for warning in collecting.of_kind(events, "warning")]
    assert sorted(warned) == sorted(f"test_n.py::test_n[{n}]" for n in range(0, 200, 20))
    assert len({attempt.worker for attempt in collecting.attempts(events)}) == 4


def test_a_worker_that_dies_between_two_tests(project: Project) -> None:
    """xdist blames the test that has just ended; it has passed, and then it has crashed."""
    conftest = """
import os
def pytest_runtest_logfinish(nodeid):
    if nodeid.endswith("test_b") and "PYTEST_XDIST_WORKER" in os.environ: os._exit(1)
"""
    text = "def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\ndef test_d(): pass\n"
    files = {"conftest.py": conftest, "test_d.py": text}
    events, outcome = kinds.run_and_show(project, files, "-n1", code=1)
    assert "1 failed, 4 passed" in outcome.stdout
    assert kinds.verdicts(events) == {
        "test_a": ["passed"],
        "test_b": ["passed", "crashed"],
        "test_c": ["passed"],
        "test_d": ["passed"],
    }
    workers = {(name(each), each.number): each.worker for each in collecting.attempts(events)}
    assert workers["test_b", 1] == workers["test_b", 2] == "gw0"
    assert workers["test_c", 1] == workers["test_d", 1] == "gw1"


def name(attempt: collecting.Attempt) -> str:
    return kinds.name(attempt.nodeid)


def test_deselected_is_told_once(project: Project) -> None:
    text = "def test_a(): pass\ndef test_b(): pass\n"
    events = kinds.run(project, {"test_d.py": text}, "-n2", "-k", "test_a", code=0)
    assert collecting.of_kind(events, "deselected") == [["test_d.py::test_b"]]
    assert kinds.verdicts(events) == {"test_a": ["passed"]}
