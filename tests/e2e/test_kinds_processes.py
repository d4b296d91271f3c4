"""Every kind of thing that a test does to its process, and processes that it starts."""

from __future__ import annotations

from collections import Counter

import pytest

from support import collecting, kinds
from support.project import MakeProject, Project

#: Each says what it is at its end, so that what is captured after it can be told.
HOSTILE = """
import builtins, gc, inspect, json, logging, multiprocessing, os, signal, socket, sys, threading
import time
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))

@pytest.fixture(autouse=True)
def name(request): yield; print("end of", request.node.name)

def test_fork_and_exit():
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
def test_pool_of_forks():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
def test_pool_of_spawned():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
def test_threads():
    threads = [threading.Thread(target=print, args=("x" * 1000,)) for _ in range(20)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

def test_folder_is_gone(tmp_path):
    os.chdir(tmp_path)
    os.rmdir(tmp_path)
def test_without_a_folder(): pass
def test_back(): os.chdir(HERE)
def test_environment():
    os.environ.clear()
    os.environ["HOME"] = "/nosuch"
def test_without_environment(): pass
def test_another_output(): sys.stdout = open(os.devnull, "w"); print("lost")

def test_faked(monkeypatch):
    def no(*args, **keys): raise RuntimeError("faked")
    for module, names in (
        (builtins, ("open",)),
        (json, ("dumps", "loads", "JSONEncoder")),
        (os, ("getpid", "open", "replace", "unlink")),
        (socket, ("socket",)),
        (threading, ("Thread", "Lock", "get_ident")),
        (time, ("time", "monotonic")),
    ):
        for name in names: monkeypatch.setattr(module, name, no)
    # More than fits into one segment.
    print("x" * 300_000)
    assert 0
def test_faked_files(monkeypatch):
    # pytest itself does not survive this in a test that fails.
    monkeypatch.setattr(os, "stat", None)
    print("x" * 300_000)
@pytest.mark.parametrize("n", range(8))
def test_after_faked(n): print("x" * 200_000)

def deep(n): return deep(n + 1)
def test_recursion(): deep(0)
def test_recursion_of_few():
    sys.setrecursionlimit(60 + len(inspect.stack()))
    deep(0)
def test_recursion_limit(): sys.setrecursionlimit(1000)

def test_garbage(): gc.collect(); gc.freeze(); gc.disable()
def test_logging():
    logging.getLogger().handlers.clear()
    logging.disable()
    logging.shutdown()
def test_after_logging(): logging.error("unheard")
def test_trace(): sys.settrace(lambda *args: None)
def test_profile(): sys.setprofile(lambda *args: None)
def test_hooks(): sys.excepthook = sys.unraisablehook = threading.excepthook = None
def test_signals():
    for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt): signal.raise_signal(signal.SIGINT)
def test_stdin(): os.close(0)
def test_last(): pass
"""

FAIL = {"test_faked", "test_recursion", "test_recursion_of_few"}


def test_hostile(make_project: MakeProject, python: str) -> None:
    project = make_project(python)
    check_hostile(kinds.run(project, {"test_h.py": HOSTILE}, code=1), captured=True)


def test_hostile_without_capture(project: Project) -> None:
    check_hostile(kinds.run(project, {"test_h.py": HOSTILE}, "-s", code=1), captured=False)


def test_hostile_in_workers(project: Project) -> None:
    check_hostile(kinds.run(project, {"test_h.py": HOSTILE}, "-n2", code=1), captured=True)


def check_hostile(events: list[collecting.Event], *, captured: bool) -> None:
    verdicts = kinds.verdicts(events)
    assert len(verdicts) == 32
    assert {name for name, found in verdicts.items() if found == ["failed"]} == FAIL
    assert Counter(v for (v,) in verdicts.values()) == Counter(passed=29, failed=3)
    times = [event.time for event in events]
    assert max(times) - min(times) < 600, "a faked time got through"
    ends = {
        report["name"]: section["content"]
        for report in collecting.of_kind(events, "phase-finished")
        for section in report["sections"]
        if (section["capture"], report["phase"]) == ("out", "teardown")
    }
    # One test's output goes elsewhere, if it is not put back.
    told = {kinds.name(test["nodeid"]) for test in collecting.announced(events)}
    assert set(ends) >= told - {"test_another_output"} if captured else not ends
    assert all(content == f"end of {name}\n" for name, content in ends.items())


def test_a_child_that_runs_on(make_project: MakeProject, python: str) -> None:
    """To the end of pytest, with all its reports: they are the parent's."""
    project = make_project(python)
    text = """
import os
def test_a(): pass
def test_forks():
    if pid := os.fork(): os.waitpid(pid, 0)
    print("said")
def test_b(): print("said")
def test_c(): assert 0
"""
    events, outcome = kinds.run_and_show(project, {"test_f.py": text}, code=1)
    assert kinds.verdicts(events) == {
        "test_a": ["passed"],
        "test_forks": ["passed"],
        "test_b": ["passed"],
        "test_c": ["failed"],
    }
    assert outcome.stdout.count("pytest-host: ") == 1, "the child waited for sinks, too"


def test_closed_descriptors(project: Project) -> None:
    """All but the standard ones, and without what of pytest would not survive it."""
    text = """
import os, pytest
def test_a(): pass
def test_closes(): os.closerange(3, 256)
@pytest.mark.parametrize("n", range(50))
def test_b(n, record_property): record_property("text", "x" * 50_000)
"""
    args = ("-s", "-p", "no:faulthandler", "-p", "no:logging")
    events, outcome = kinds.run_and_show(project, {"test_d.py": text}, *args, code=0)
    assert Counter(v for (v,) in kinds.verdicts(events).values()) == Counter(passed=52)
    assert "pytest-host: a test closed the connection to the host" in outcome.stdout


NESTED = """
import os, subprocess, sys
import pytest

INNER = "def test_inner(): pass\\ndef test_inner_fails(): assert 0"

def test_before(): print("before")
def test_in_process(pytester):
    pytester.makepyfile(INNER)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    assert "pytest-host:" not in result.stdout.str()
def test_subprocess(pytester):
    pytester.makepyfile(INNER)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    assert "pytest-host:" not in result.stdout.str()
def test_run(tmp_path):
    (tmp_path / "test_i.py").write_text(INNER)
    command = [sys.executable, "-m", "pytest", "-n1", "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed, 1 passed" in result.stdout
    assert "pytest-host:" not in result.stdout
def test_main(tmp_path):
    (tmp_path / "test_m.py").write_text(INNER)
    assert pytest.main([str(tmp_path), "-p", "no:cacheprovider"]) == 1
def test_after(): print("after")
"""

OF_ITS_OWN = """
import subprocess
def test_reports_itself(tmp_path):
    (tmp_path / "test_i.py").write_text("def test_inner(): pass")
    command = ["pytest", "-p", "no:cacheprovider", "--pubdir=results"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "pytest-host: pubdir" in result.stdout, result.stdout
    assert [path.parent.name for path in tmp_path.rglob("0.pass")] == ["test_inner"]
"""


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["alone", "xdist"])
def test_nested(project: Project, args: tuple[str, ...]) -> None:
    """A pytest in a test, in the same process or another, is no part of the run."""
    files = {"conftest.py": "pytest_plugins = ['pytester']", "test_n.py": NESTED}
    events = kinds.run(project, files, *args, code=0)
    names = {f"test_{name}" for name in ("before", "in_process", "subprocess", "run", "main")}
    assert kinds.verdicts(events) == {name: ["passed"] for name in (*names, "test_after")}
    assert not [test for test in collecting.announced(events) if "inner" in test["nodeid"]]


def test_nested_run_of_its_own(project: Project) -> None:
    """Where it asks for sinks itself, they get it, and those of the run around it do not."""
    events = kinds.run(project, {"test_o.py": OF_ITS_OWN}, code=0)
    assert kinds.verdicts(events) == {"test_reports_itself": ["passed"]}
