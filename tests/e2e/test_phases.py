"""All that the contract's `phase-finished` says, from real pytest."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from support import collecting
from support.project import MakeProject, Project

TEXT_BYTES = 256 << 10

PHASES = """
import logging, sys
import pytest

@pytest.fixture
def around(request):
    print("out of setup")
    yield
    print("err of teardown", file=sys.stderr)

class Odd:
    def __repr__(self): return "odd"

def helper(): raise KeyError("why")

def test_all(around, record_property, request):
    print("out")
    print("err", file=sys.stderr)
    logging.getLogger("x").error("log")
    record_property("plain", {"a": [1, None, "é"]})
    record_property("odd", Odd())
    request.node.add_report_section("call", "custom", "of a plugin")
    helper()

def test_long(): print("é" * 200_000)
def test_skips(): pytest.skip("no")
@pytest.mark.xfail(reason="known")
def test_xfails(): assert 1 == 2
@pytest.mark.xfail(reason="known", strict=True)
def test_xpasses_strictly(): pass
"""


@pytest.fixture(scope="module")
def reports(make_project: MakeProject, python: str) -> dict[tuple[str, str], Any]:
    """By name and phase."""
    project = make_project(python)
    collecting.configure(project)
    project.write("test_p.py", PHASES)
    before = time.time()
    outcome = project.run("pytest", "--sinks", "collector")
    assert outcome.code == 1, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    found = collecting.of_kind(events, "phase-finished")
    for report in found:
        assert report["nodeid"] == f"test_p.py::{report['name']}"
        assert report.pop("attempt") == 1
        start, stop = report.pop("start"), report.pop("stop")
        assert before - 1 < start <= stop < time.time()
        assert 0 <= report.pop("duration") < 60
        assert (report.pop("group"), report.pop("subtest")) == (None, None)
    return {(report["name"], report["phase"]): report for report in found}


def section(capture: Any, title: str, content: str) -> dict[str, Any]:
    return {
        "capture": capture,
        "title": f"Captured {title}",
        "content": content,
        "original_size": None,
    }


def test_sections_are_of_their_own_phase(reports: dict[tuple[str, str], Any]) -> None:
    setup, call, teardown = (
        reports["test_all", phase]["sections"] for phase in ("setup", "call", "teardown")
    )
    assert setup == [section("out", "stdout setup", "out of setup\n")]
    (log,) = (each for each in call if each["capture"] == "log")
    assert re.fullmatch(r"ERROR +x:test_p\.py:\d+ log", log["content"])
    assert sorted(call, key=lambda each: each["title"]) == [
        section({"other": "custom"}, "custom call", "of a plugin"),
        section("log", "log call", log["content"]),
        section("err", "stderr call", "err\n"),
        section("out", "stdout call", "out\n"),
    ]
    assert teardown == [section("err", "stderr teardown", "err of teardown\n")]


def test_a_long_section_is_cut(reports: dict[tuple[str, str], Any]) -> None:
    """At a whole character; how long it was is told."""
    (cut,) = reports["test_long", "call"]["sections"]
    assert cut["content"] == "é" * (TEXT_BYTES // 2)
    assert cut["original_size"] == 400_001


def test_properties(reports: dict[tuple[str, str], Any]) -> None:
    found = {phase: reports["test_all", phase]["properties"] for phase in ("setup", "teardown")}
    assert found == {"setup": [], "teardown": []}
    properties = reports["test_all", "call"]["properties"]
    assert [(name, json.loads(value)) for name, value in properties] == [
        ("plain", {"a": [1, None, "é"]}),
        ("odd", "odd"),
    ]


def test_failures(reports: dict[tuple[str, str], Any]) -> None:
    failure = reports["test_all", "call"]["failure"]
    assert (failure["kind"], failure["message"]) == ("KeyError", "'why'")
    functions = [re.findall(r"line \d+, in (\w+)\n", entry) for entry in failure["traceback"]]
    assert functions == [["test_all"], ["helper"]]
    assert 'def helper(): raise KeyError("why")' in failure["longrepr"]
    assert reports["test_all", "call"]["outcome"] == "failed"
    for phase in ("setup", "teardown"):
        assert reports["test_all", phase]["failure"] is None
        assert reports["test_all", phase]["outcome"] == "passed"
    skip = reports["test_skips", "call"]
    assert (skip["outcome"], skip["xfail_reason"]) == ("skipped", None)
    assert (skip["failure"]["kind"], skip["failure"]["message"]) == ("Skipped", "no")
    xfail = reports["test_xfails", "call"]
    assert (xfail["outcome"], xfail["xfail_reason"]) == ("skipped", "known")
    assert (xfail["failure"]["kind"], xfail["failure"]["message"]) == (
        "AssertionError",
        "assert 1 == 2",
    )
    strict = reports["test_xpasses_strictly", "call"]
    assert (strict["outcome"], strict["failure"]["kind"]) == ("failed", "Failed")
    assert strict["failure"]["message"] == strict["failure"]["longrepr"] == "[XPASS(strict)] known"
    assert strict["failure"]["traceback"] == []


def test_subtests(project: Project) -> None:
    if project.installation.pytest < (9, 0):
        pytest.skip("subtests came with pytest 9.0")
    collecting.configure(project)
    project.write(
        "test_s.py",
        "def test_s(subtests):\n"
        "    for i in range(2):\n"
        "        with subtests.test('odd', i=i):\n"
        "            assert i\n",
    )
    assert project.run("pytest", "--sinks", "collector").code == 1
    events = collecting.events(project)
    collecting.check_whole(events)
    (attempt,) = collecting.attempts(events)
    calls = [each for each in attempt.phases if each["phase"] == "call"]
    assert [(each["subtest"], each["outcome"]) for each in calls] == [
        ("[odd] (i=0)", "failed"),
        ("[odd] (i=1)", "passed"),
        (None, "failed"),
    ]
    assert attempt.verdict == "failed"
