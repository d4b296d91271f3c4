"""Orchestrated tests with the real host: what events get, what sinks are told, how they end."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest

from support import collecting, variables
from support.guests import folder_of_guests
from support.orchestrating import Orchestrations
from support.polling import until
from support.project import Project


@pytest.fixture
def here(project: Project) -> Orchestrations:
    return Orchestrations(project)


def summary(here: Orchestrations, *args: str, code: int = 0) -> dict[str, Any]:
    outcome = here.run("--summary-orch=summary.json", *args)
    assert outcome.code == code, outcome
    written = json.loads((here.project.folder / "summary.json").read_text())
    (found,) = written["orchestrations"]
    assert isinstance(found, dict)
    return found


def test_sinks_are_told(here: Orchestrations) -> None:
    """Of every run of an event, and of what the orchestrator has to say."""
    collecting.configure(here.project)
    here.describe_events(
        {"name": "ev_interval", "interval_sec": 0.1},
        {"name": "ev_raises"},
        total_seconds=0.25,
    )
    # pytest has nothing to say of how we use it.
    strict = ("-W", "error::pytest.PytestDeprecationWarning")
    outcome = here.run("--sinks", "collector", *strict)
    assert outcome.code == 1
    events = collecting.events(here.project)
    collecting.check_whole(events)
    reported = collecting.of_kind(events, "orchestration-reported")
    assert reported == [["demo", "error", "ev_raises: RuntimeError: event boom"]]
    extensions = [
        (body["name"].removeprefix("orchestration-"), json.loads(body["payload"]))
        for body in collecting.of_kind(events, "extension")
    ]
    began, finished = extensions[0], extensions[-1]
    assert (began[0], finished[0]) == ("began", "finished")
    assert began[1]["events"] == ["ev_interval", "ev_raises"]
    ended = [body for name, body in extensions if name == "ended"]
    assert sorted(body["event"] for body in ended) == [*["ev_interval"] * 3, "ev_raises"]
    (raised,) = (body for body in ended if not body["ok"])
    assert 'raise RuntimeError("event boom")' in raised["traceback"]
    assert "threads.py" not in raised["traceback"]
    assert finished[1]["summary"]["events"][0]["runs"] == 3
    (attempt,) = collecting.attempts(events)
    assert attempt.nodeid == "descriptions/demo.json::test_demo"


def test_core_killed_and_back(here: Orchestrations) -> None:
    """It goes on where the plan is; nothing runs twice, and what was missed is told."""
    collecting.configure(here.project)
    here.describe_events(
        {"name": "ev_interval", "interval_sec": 0.25},
        {"name": "ev_end", "at_startup": False, "at_teardown": True},
        total_seconds=5,
    )
    running = here.start("--sinks", "collector", "--summary-orch=summary.json")
    until("some runs", lambda: len(here.words()) >= 3)
    os.kill(here.project.core(), signal.SIGKILL)
    outcome = running.finish()
    assert outcome.code == 0, outcome
    assert here.words()[-1] == "end False"
    events = collecting.events(here.project)
    collecting.check_whole(events)
    started = [
        json.loads(body["payload"])
        for body in collecting.of_kind(events, "extension")
        if body["name"] == "orchestration-started"
    ]
    due = [body["due"] for body in started if body["event"] == "ev_interval"]
    assert due[:3] == [0, 0.25, 0.5]
    assert due == sorted(set(due))
    assert {each % 0.25 for each in due} == {0}
    # Some while there was no host, and the last of those late.
    assert 5 < len(due) < 20
    assert len(here.seconds("interval")) == len(due)
    assert len({body["instance"] for body in started}) == len(started)
    said = [text for _, _, text in collecting.of_kind(events, "orchestration-reported")]
    assert any("missed" in text for text in said), said
    assert sum("runs, " in text for text in said) == 1
    found = json.loads((here.project.folder / "summary.json").read_text())
    assert found["orchestrations"][0]["events"][0]["runs"] == len(due)


def test_core_killed_and_none_to_take_over(here: Orchestrations) -> None:
    """The test fails for it, and pytest goes on."""
    here.describe_events({"name": "ev_interval", "interval_sec": 0.2}, total_seconds=600)
    link = here.project.folder / "host-once"
    link.symlink_to(here.project.installation.scripts / "host")
    running = here.start(PYTEST_HOST_BINARY=str(link))
    until("a run", here.words)
    link.unlink()
    os.kill(here.project.core(), signal.SIGKILL)
    outcome = running.finish()
    assert outcome.code == 1
    assert "the host is gone, and no other one could be started" in outcome.stdout


def test_what_hangs_is_named(here: Orchestrations) -> None:
    """And pytest ends without it."""
    here.describe_events({"name": "ev_stuck"}, total_seconds=0.2, stop_timeout=0.3)
    outcome = here.run()
    assert outcome.code == 1
    # By the orchestrator's clock, which went on until it had started the event.
    hangs = (
        r"ev_stuck: hangs: it began at 0(\.\d+)? s and had not ended 0\.3 s after it should have"
    )
    assert re.search(hangs, outcome.stdout), outcome
    assert outcome.seconds < 30


def test_an_error_stops_the_test(here: Orchestrations) -> None:
    here.describe_events(
        {"name": "ev_raises", "on_error": "stop"},
        {"name": "ev_end", "at_startup": False, "at_teardown": True},
        total_hours=1,
    )
    outcome = here.run()
    assert outcome.code == 1
    assert here.words() == ["raises", "end False"]


def test_an_error_that_is_put_up_with(here: Orchestrations) -> None:
    here.describe_events({"name": "ev_raises", "on_error": "continue"}, total_seconds=0.1)
    found = summary(here)
    assert found["passed"]
    event = found["events"][0]
    assert (event["runs"], event["failures"]) == (1, 1)
    assert event["first_failure"] == "RuntimeError: event boom"


FIXTURES = """
import pytest

@pytest.fixture(params=["red", "blue"])
def colour(request):
    return request.param

@pytest.fixture
def prepared():
    with open("events.log", "a") as log:
        print(0, "prepared", file=log)
"""

SOURCES = """
import pytest
from events import say

@pytest.fixture
def own():
    return "own"

def painted(colour, own, shade, again="default", *, last):
    say(colour, own, shade, again, last)
"""


def test_fixtures_and_parameters(here: Orchestrations) -> None:
    """Parametrised ones make several tests; those in files of events are found, too."""
    here.project.write("conftest.py", FIXTURES)
    here.project.write("painting.py", SOURCES)
    here.describe_events(
        {"name": "painted", "params": {"shade": "dark", "last": [1, {"a": None}], "unused": 1}},
        total_seconds=0,
        unref_setup_fixtures=["prepared"],
    )
    outcome = here.run("-v", "-o", "orchestration_sources=painting.py,events.py")
    assert outcome.code == 0, outcome
    assert here.words() == [
        "prepared",
        "red own dark default [1, {'a': None}]",
        "prepared",
        "blue own dark default [1, {'a': None}]",
    ]
    assert "descriptions/demo.json::test_demo[red] PASSED" in outcome.stdout


def test_any_number_of_parameters(here: Orchestrations) -> None:
    names = [f"p{n}" for n in range(150)]
    here.project.write(
        "many.py", f"from events import say\n\ndef many({', '.join(names)}):\n    say(p0, p149)\n"
    )
    here.describe_events({"name": "many", "params": {n: n for n in names}}, total_seconds=0)
    outcome = here.run("-o", "orchestration_sources=many.py")
    assert outcome.code == 0, outcome
    assert here.words() == ["p0 p149"]


REPORTER = """
import pytest
from pytest_host import ResultReporter

class Mine(ResultReporter):
    def on_result(self):
        result = self.queue.get()
        with open("events.log", "a") as log:
            print(0, "got", result, file=log)
        if "error" in result:
            raise ValueError(result)

@pytest.fixture
def result_reporter(report_queue):
    return Mine(report_queue)
"""


def test_a_reporter_of_ones_own(here: Orchestrations) -> None:
    """What it raises fails the test."""
    here.project.write("conftest.py", REPORTER)
    here.describe_events({"name": "ev_report"}, total_seconds=0)
    outcome = here.run()
    assert here.words() == ["got all fine", "got an error happened"]
    assert outcome.code == 1
    assert "result_reporter: ValueError: an error happened" in outcome.stdout


def test_another_orchestrator(here: Orchestrations) -> None:
    """A component that orchestrates, and one that does something else."""
    dist = folder_of_guests().parent / "dist"
    here.describe_events({"name": "ev_interval"}, total_seconds=0)
    ours = here.run("--orchestrator", str(dist / "orchestration.wasm"))
    assert ours.code == 0, ours
    assert here.words() == ["interval"]
    none = here.run("--orchestrator", str(dist / "rt.wasm"))
    assert none.code == 4
    assert "exports no pytest-host:sinks/orchestrator@0.1.0" in none.stderr
    assert here.words() == ["interval"]


def test_bad_descriptions_are_told_before_any_test(here: Orchestrations) -> None:
    """By the orchestrator, with line and column; what is no JSON, by the adapter."""
    here.describe(
        '{"test_name": "demo", "total_hours": 1,\n "events": [{"name": "ev_late", "cout": 1}]}'
    )
    outcome = here.project.run("pytest", "--run-orch=demo")
    assert outcome.code == 4
    assert (
        'pytest-host: descriptions/demo.json:2:33: unknown key "cout"; did you mean "count"?'
        in outcome.stderr
    )
    loaded = here.run(run="--load-orch")
    assert loaded.code == 2
    assert 'descriptions/demo.json:2:33: unknown key "cout"' in loaded.stdout + loaded.stderr
    here.describe('{"test_name": "demo",\n "events" []}')
    outcome = here.run()
    assert outcome.code == 4
    assert "descriptions/demo.json:2:11: expecting ':' delimiter" in outcome.stderr


def test_parameters_that_nobody_has(here: Orchestrations) -> None:
    here.describe_events({"name": "ev_sub", "params": {"path": "P"}}, total_seconds=0)
    loaded = here.run(run="--load-orch")
    assert loaded.code == 2
    problem = "descriptions/demo.json: video_path is neither a fixture nor in params"
    assert problem in loaded.stdout + loaded.stderr


def test_under_xdist(here: Orchestrations) -> None:
    """A worker runs it; its summary is shown all the same."""
    here.describe_events({"name": "ev_interval", "interval_sec": 0.1}, total_seconds=0.25)
    outcome = here.project.run("pytest", "-n2", "--run-orch=demo")
    assert outcome.code == 0, outcome
    assert here.words() == ["interval"] * 3
    assert "3 passed" in outcome.stdout
    assert "orchestration: demo" in outcome.stdout


def test_an_option_of_somebody_elses(here: Orchestrations) -> None:
    here.project.write(
        "conftest.py", "def pytest_addoption(parser): parser.addoption('--run-orch', dest='theirs')"
    )
    outcome = here.project.run("pytest", "--run-orch=demo", "test_ord.py")
    assert outcome.code == 0, outcome
    assert "2 passed" in outcome.stdout


def test_looking_on(here: Orchestrations) -> None:
    """A table of events, for people and as JSON; and before, what would start when."""
    here.describe_events(
        {"name": "ev_interval", "interval_sec": 0.1}, {"name": "ev_late", "at_startup": False},
        total_seconds=0.25,
    )  # fmt: skip
    plan = here.project.run("host", "orchestrate", "plan", "descriptions/demo.json")
    assert plan.code == 0, plan
    assert [line.split() for line in plan.stdout.splitlines()] == [
        ["0:00:00", "ev_interval"],
        ["0:00:00.1", "ev_interval"],
        ["0:00:00.2", "ev_interval"],
        ["0:00:00.25", "the", "end:", "ev_interval", "3"],
    ]
    first = here.project.run(
        "host", "orchestrate", "plan", "descriptions/demo.json", "--json", "--limit", "1"
    )
    assert json.loads(first.stdout) == {"at": 0.0, "event": "ev_interval", "params": {}}
    checked = here.project.run("host", "orchestrate", "check", "descriptions/demo.json")
    assert (checked.code, checked.stdout) == (0, "descriptions/demo.json: ok\n")
    assert here.run().code == 0
    shown = here.project.run("host", "watch", "--once")
    rows = [line.split() for line in shown.stdout.splitlines()]
    (row,) = (row for row in rows if row[:1] == ["ev_interval"])
    assert row[1:3] == ["3", "0"]
    (document,) = json.loads(here.project.run("host", "watch", "--once", "--json").stdout)
    (orchestrated,) = document["orchestrated"]
    assert orchestrated["over"]
    assert [event["runs"] for event in orchestrated["events"]] == [3, 0]


def test_descriptions_that_are_wrong(here: Orchestrations) -> None:
    here.describe("{\n}")
    here.describe({"test_name": "right", "total_hours": 1}, "right.json")
    checked = here.project.run(
        "host", "orchestrate", "check", "descriptions/demo.json", "descriptions/right.json", "none"
    )
    assert checked.code == 2
    assert checked.stdout == "descriptions/right.json: ok\n"
    wrong, missing = checked.stderr.splitlines()
    assert wrong == 'host: descriptions/demo.json:1:1: "test_name" is missing'
    assert missing.startswith("host: none: cannot be read: ")


def test_ten_events_a_second(here: Orchestrations, record_property: Any) -> None:
    """Exactly as many as planned. For a minute, and on time, where that is asked for."""
    seconds = 60 if variables.MINUTE else 3
    here.project.write(
        "ten.py",
        "import time\n" + "".join(f"def ev{n}():\n    time.sleep(0.2)\n" for n in range(10)),
    )
    here.describe_events(
        *({"name": f"ev{n}", "interval_sec": 1} for n in range(10)), total_seconds=seconds
    )
    found = summary(here, "-o", "orchestration_sources=ten.py")
    assert [event["runs"] for event in found["events"]] == [seconds] * 10
    late = max(event["late"]["p99"] for event in found["events"])
    record_property(
        "figure", f"{seconds} s of ten events a second: p99 of starts {late * 1000:.1f} ms late"
    )
    assert late < (0.05 if variables.MINUTE else 1.0)
