"""Every kind of run that other plugins make of it."""

from __future__ import annotations

from collections import Counter

import pytest

from support import collecting, kinds
from support.project import MakeProject, Project

#: `tried` counts over processes.
COUNTING = """
import os, pathlib
import pytest

def tried(name):
    file = pathlib.Path(__file__).with_name(name + ".tried")
    count = int(file.read_text()) if file.exists() else 0
    file.write_text(str(count + 1))
    return count
"""

RERUNS = f"""
{COUNTING}
def test_call(): n = tried("call"); print("call", n); assert n == 2

@pytest.fixture
def setup():
    print("setup")
    if not tried("setup"): raise RuntimeError
def test_setup(setup): pass

@pytest.fixture
def teardown(): yield; raise RuntimeError
def test_teardown(teardown): pass
def test_call_and_teardown(teardown): assert 0

def test_never(): assert 0
def test_other(): raise KeyError
@pytest.mark.xfail
def test_xfail(): assert 0
def test_skip(): pytest.skip()
@pytest.mark.flaky(reruns=1)
def test_marked(): assert tried("marked")
class TestClass:
    def test_method(self): assert tried("method")
"""

RERUN = {
    "test_call": ["rerun", "rerun", "passed"],
    "test_setup": ["rerun", "passed"],
    "test_teardown": ["rerun", "rerun", "error"],
    "test_call_and_teardown": ["rerun", "rerun", "failed"],
    "test_never": ["rerun", "rerun", "failed"],
    "test_other": ["rerun", "rerun", "failed"],
    "test_xfail": ["xfailed"],
    "test_skip": ["skipped"],
    "test_marked": ["rerun", "passed"],
    "TestClass::test_method": ["rerun", "passed"],
}

RERUN_ASSERTIONS = RERUN | {
    "test_setup": ["error"],
    "test_teardown": ["error"],
    "test_call_and_teardown": ["failed"],
    "test_other": ["failed"],
}


def test_reruns(make_project: MakeProject, python: str) -> None:
    project = make_project(python)
    events = kinds.run(project, {"test_r.py": RERUNS}, "--reruns=2", code=1)
    assert kinds.verdicts(events) == RERUN
    calls = [
        (report["attempt"], report["outcome"], [each["content"] for each in report["sections"]])
        for report in collecting.of_kind(events, "phase-finished")
        if (report["name"], report["phase"]) == ("test_call", "call")
    ]
    assert calls == [
        (1, "rerun", ["call 0\n"]),
        (2, "rerun", ["call 1\n"]),
        (3, "passed", ["call 2\n"]),
    ]


def test_reruns_in_workers(project: Project) -> None:
    events = kinds.run(project, {"test_r.py": RERUNS}, "--reruns=2", "-n2", code=1)
    assert kinds.verdicts(events) == RERUN
    # A worker that is left to itself reruns its tests itself.
    for nodeid, workers in of_workers(events).items():
        assert len(workers) == 1, nodeid


def test_reruns_of_some_errors(project: Project) -> None:
    args = ("--reruns=2", "--only-rerun=AssertionError")
    events = kinds.run(project, {"test_r.py": RERUNS}, *args, code=1)
    assert kinds.verdicts(events) == RERUN_ASSERTIONS


CRASHES = f"""
{COUNTING}
def test_a(): pass
def test_once():
    if not tried("once"): os._exit(1)
def test_always(): os._exit(1)
def test_b(): pass
"""


def test_reruns_of_crashes(make_project: MakeProject, python: str) -> None:
    """In another worker, as another attempt."""
    project = make_project(python)
    events = kinds.run(project, {"test_c.py": CRASHES}, "--reruns=2", "-n2", code=1)
    assert kinds.verdicts(events) == {
        "test_a": ["passed"],
        "test_once": ["crashed", "passed"],
        "test_always": ["crashed", "crashed", "crashed"],
        "test_b": ["passed"],
    }
    workers = of_workers(events)
    assert len(workers["test_c.py::test_always"]) == 3
    assert len(workers["test_c.py::test_once"]) == 2
    crashes = Counter(attempt.verdict for attempt in collecting.attempts(events))["crashed"]
    assert len(collecting.of_kind(events, "worker-lost")) == crashes == 4


def of_workers(events: list[collecting.Event]) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for attempt in collecting.attempts(events):
        found.setdefault(attempt.nodeid, set()).add(attempt.worker)
    return found


REPEATED = """
import pytest
def test_a(): pass
@pytest.mark.parametrize("n", range(2))
def test_p(n): assert n
class TestX:
    def test_x(self): pass
"""


@pytest.mark.parametrize("args", [(), ("--repeat-scope=session",), ("-n2",)], ids=" ".join)
def test_repeat(project: Project, args: tuple[str, ...]) -> None:
    """Each repetition is a test of its own, as its node id says."""
    files = {"test_r.py": REPEATED}
    environ = kinds.plugins(project)
    events = kinds.run(project, files, "--count=3", *args, code=1, **environ)
    verdicts = kinds.verdicts(events)
    assert Counter(v for (v,) in verdicts.values()) == Counter(passed=9, failed=3)
    assert {f"test_a[{n}-3]" for n in (1, 2, 3)} <= set(verdicts)


SUBTESTS = """
import unittest
import pytest

def test_s(subtests):
    for i in range(3):
        with subtests.test("odd", i=i):
            print("in", i)
            assert i != 1
def test_skips(subtests):
    with subtests.test(): pytest.skip("x")
    with subtests.test(a=1): pytest.xfail("y")
class Case(unittest.TestCase):
    def test_u(self):
        for i in range(3):
            with self.subTest("m", i=i): self.assertNotEqual(i, 1)
    def test_uskips(self):
        with self.subTest(i=1): self.skipTest("s")
"""


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["alone", "xdist"])
def test_subtests(make_project: MakeProject, python: str, args: tuple[str, ...]) -> None:
    """pytest 9's own; a plugin's before that."""
    project = make_project(python)
    files = {"test_s.py": SUBTESTS}
    events = kinds.run(project, files, *args, code=1, **kinds.plugins(project))
    assert kinds.verdicts(events) == {
        "test_s": ["failed"],
        "test_skips": ["passed"],
        "Case::test_u": ["failed"],
        "Case::test_uskips": ["passed"],
    }
    told: dict[str, list[tuple[str, str]]] = {}
    for report in collecting.of_kind(events, "phase-finished"):
        if report["subtest"] is not None:
            assert report["phase"] == "call"
            told.setdefault(report["name"], []).append((report["subtest"], report["outcome"]))
    for name, message in (("test_s", "odd"), ("test_u", "m")):
        outcomes = ("passed", "failed", "passed")
        assert told[name] == [(f"[{message}] (i={i})", each) for i, each in enumerate(outcomes)]
    assert told["test_skips"] == [("(<subtest>)", "skipped"), ("(a=1)", "skipped")]


ASYNC = """
import asyncio, pytest

@pytest.fixture
def held(): print("setup"); yield; print("teardown")

@pytest.mark.asyncio
async def test_passes(held): await asyncio.sleep(0); print("call")
@pytest.mark.asyncio
async def test_fails(): await asyncio.sleep(0); assert 0
@pytest.mark.asyncio
async def test_times_out():
    async def slow(): await asyncio.sleep(30)
    await asyncio.wait_for(slow(), 0.01)
"""

INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"


def test_async(make_project: MakeProject, python: str) -> None:
    project = make_project(python)
    files = {"test_a.py": ASYNC, "pytest.ini": INI}
    events = kinds.run(project, files, code=1, **kinds.plugins(project))
    assert kinds.verdicts(events) == {
        "test_passes": ["passed"],
        "test_fails": ["failed"],
        "test_times_out": ["failed"],
    }
    reports = collecting.of_kind(events, "phase-finished")
    out = {
        report["phase"]: report["sections"][0]["content"]
        for report in reports
        if report["name"] == "test_passes"
    }
    assert out == {"setup": "setup\n", "call": "call\n", "teardown": "teardown\n"}
    kinds_ = {each["name"]: each["failure"]["kind"] for each in reports if each["failure"]}
    assert kinds_ == {"test_fails": "AssertionError", "test_times_out": "TimeoutError"}


SLOW = """
import time
def test_a(): pass
def test_slow(): print("slow", flush=True); time.sleep(60)
def test_b(): pass
"""


def test_timeout_by_signal(project: Project) -> None:
    args = ("--timeout=0.5", "--timeout-method=signal")
    events = kinds.run(project, {"test_t.py": SLOW}, *args, code=1, **kinds.plugins(project))
    verdicts = {"test_a": ["passed"], "test_slow": ["failed"], "test_b": ["passed"]}
    assert kinds.verdicts(events) == verdicts
    (failure,) = (
        report["failure"]
        for report in collecting.of_kind(events, "phase-finished")
        if report["failure"]
    )
    assert (failure["kind"], failure["message"]) == (
        "Failed",
        "Timeout (>0.5s) from pytest-timeout.",
    )


def test_timeout_by_thread(project: Project) -> None:
    """It ends the process: the test has crashed, and the rest was not run."""
    args = ("--timeout=0.5", "--timeout-method=thread")
    events = kinds.run(project, {"test_t.py": SLOW}, *args, code=1, **kinds.plugins(project))
    assert kinds.verdicts(events) == {"test_a": ["passed"], "test_slow": ["crashed"]}
    assert collecting.of_kind(events, "not-run") == [["test_t.py::test_b", "aborted"]]
    assert events[-1].body == {"exitstatus": None, "reason": "aborted"}


def test_timeout_in_a_worker(project: Project) -> None:
    """It ends the worker; another one goes on."""
    args = ("--timeout=0.5", "--timeout-method=thread", "-n1")
    events = kinds.run(project, {"test_t.py": SLOW}, *args, code=1, **kinds.plugins(project))
    verdicts = {"test_a": ["passed"], "test_slow": ["crashed"], "test_b": ["passed"]}
    assert kinds.verdicts(events) == verdicts
