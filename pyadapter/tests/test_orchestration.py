"""What of orchestrated tests needs no host."""

from __future__ import annotations

import json
import multiprocessing
import queue
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from pytest_host import ResultReporter
from pytest_host.orchestration.descriptions import BadDescription, Description, find, plain
from pytest_host.orchestration.summary import percentile, table
from pytest_host.orchestration.threads import Run as EventRun
from pytest_host.orchestration.threads import Threads


def test_comments_become_blanks() -> None:
    text = """{ // one
  "a": "// none /* none */ \\" // none", /* two
  lines */ "b": [1, 2, /* three */ ], "c": "a,]", // }
}"""
    bare = plain(text)
    assert json.loads(bare) == {"a": '// none /* none */ " // none', "b": [1, 2], "c": "a,]"}
    assert len(bare) == len(text)
    assert bare.count("\n") == text.count("\n")


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_a_description_says(tmp_path: Path) -> None:
    write(
        tmp_path,
        "x.json",
        """{"test_name": "n", "total_hours": 1, "total_minutes": 0.5,
        "unref_setup_fixtures": ["f", 1],
        "events": [{"name": "a", "params": {"p": 1}}, {"name": "b"}, {"nam": "c"}, 3]}""",
    )
    read = Description.read(tmp_path / "x.json", tmp_path)
    assert [(event.name, event.params) for event in read.events] == [("a", {"p": 1}), ("b", {})]
    assert (read.fixtures, read.total, read.shown) == (("f",), 3630.0, "x.json")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "x.json:1:1: expecting value"),
        ('{"a": 1,\n "b" 2}', "x.json:2:6: expecting ':' delimiter"),
        ("[]", "x.json:1:1: should be an object, {…}"),
        ("{}", 'x.json:1:1: "test_name" is missing'),
        ("[" * 100_000, "x.json: is nested too deeply"),
    ],
)
def test_what_is_no_description(tmp_path: Path, text: str, problem: str) -> None:
    write(tmp_path, "x.json", text)
    with pytest.raises(BadDescription) as raised:
        Description.read(tmp_path / "x.json", tmp_path)
    assert str(raised.value) == problem


def test_descriptions_are_found_by_their_name(tmp_path: Path) -> None:
    write(tmp_path, "d/deep/x.json", '{"test_name": "one"}')
    write(tmp_path, "d/y.json", '{"test_name": "two"}')
    write(tmp_path, "d/z.json", "{")
    write(tmp_path, "d/two.txt", "nothing")
    assert find(tmp_path / "d", "one", tmp_path).shown == "d/deep/x.json"
    with pytest.raises(BadDescription) as raised:
        find(tmp_path / "d", "three", tmp_path)
    first, broken = str(raised.value).splitlines()
    assert first == "d: no description has the test_name 'three'; known are one, two"
    assert broken.startswith("d/z.json:1:2: ")
    write(tmp_path, "d/also.json", '{"test_name": "two"}')
    with pytest.raises(BadDescription, match=r"d/also.json and d/y.json have the test_name 'two'"):
        find(tmp_path / "d", "two", tmp_path)


def test_a_reporter_gets_through_its_queue() -> None:
    """What is left when the test ends is not lost."""
    reporter = ResultReporter(queue.Queue())
    over = threading.Event()
    for n in range(100):
        reporter.add_result(n)
    over.set()
    reporter.monitor(over)
    assert reporter.queue.empty()


def test_a_reporter_may_be_told_by_any_event() -> None:
    reporter = ResultReporter(queue.Queue())
    over = multiprocessing.Event()
    thread = threading.Thread(target=reporter.monitor, args=(over,))
    thread.start()
    reporter.add_result("x")
    over.set()
    thread.join(10)
    assert not thread.is_alive()
    assert reporter.queue.empty()


def _boom() -> None:
    raise ValueError("first\nsecond")


def test_runs_tell_how_they_ended() -> None:
    threads = Threads()
    runs = {
        "fine": lambda: None,
        "boom": _boom,
        "skips": lambda: pytest.skip("not now"),
        "fails": lambda: pytest.fail("so"),
        "exits": lambda: sys.exit(3),
    }
    for number, (name, call) in enumerate(runs.items()):
        threads.start(EventRun(name, number, 0.0, 0.0), call)
    found: dict[str, EventRun] = {}
    while len(found) < len(runs):
        found |= {each.name: each for each in threads.take() if isinstance(each, EventRun)}
    threads.close()
    assert {name: run.ok for name, run in found.items()} == {
        "fine": True,
        "boom": False,
        "skips": True,
        "fails": False,
        "exits": False,
    }
    assert found["boom"].message == "ValueError: first"
    assert found["exits"].message == "SystemExit: 3"
    assert "in _boom" in found["boom"].traceback
    assert "threads.py" not in found["boom"].traceback


def test_percentiles() -> None:
    assert percentile([], 50) is None
    assert percentile([3.0], 99) == 3.0
    assert percentile(range(1, 101), 95) == 95
    assert percentile([0.12345678], 50) == 0.1235


def test_a_table() -> None:
    event: dict[str, Any] = {
        "name": "play",
        "runs": 3,
        "failures": 1,
        "duration": {"p50": 0.25, "p95": None},
        "late": {"p99": 0.001},
    }
    assert table({"events": [event]}) == [
        "event  runs  failed      p50  p95  late p99",
        "play      3       1  0.250 s    -   0.001 s",
    ]


INI = """
[pytest]
orchestration_descriptions = descriptions
orchestration_sources = events.py
"""


@pytest.mark.parametrize(
    ("ini", "args", "problem"),
    [
        ("[pytest]", ["--run-orch=x"], "orchestration_descriptions is not set in the ini file"),
        (INI, ["--run-orch=x"], "orchestration_descriptions: descriptions is no folder"),
        (INI, ["--run-orch=x", "--test-orch=y"], "--run-orch and --test-orch are the same option"),
    ],
)
def test_what_cannot_be_orchestrated(
    pytester: pytest.Pytester, run: Run, ini: str, args: list[str], problem: str
) -> None:
    pytester.makeini(ini)
    result = run(*args)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*pytest-host: {problem}*"])


def test_sources_that_cannot_be_imported(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini(INI)
    pytester.mkdir("descriptions").joinpath("x.json").write_text('{"test_name": "x"}')
    pytester.makepyfile(events="import nothing_of_that_name")
    result = run("--run-orch=x")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*pytest-host: events.py cannot be imported: ModuleNotFoundError: *nothing_of_that_name*"]
    )


def test_nothing_is_there_unless_asked_for(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini(INI)
    pytester.makepyfile("def test_a(kill_switch, result_reporter): assert not kill_switch.is_set()")
    result = run("--strict-config", "--strict-markers")
    result.assert_outcomes(passed=1)
    assert run("--load-orc").ret == 4
