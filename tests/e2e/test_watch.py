"""`host watch` beside runs: it sees them as they go, and is in nobody's way."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest

from support.polling import until
from support.project import MakeProject, Project
from support.terminal import Terminal
from support.waiting import HELPERS

SUITE = (
    HELPERS
    + """
def test_passes():
    pass

def test_fails():
    assert 1 == 2, "\\x1b[31mred"

@pytest.mark.parametrize("n", range(2))
def test_held(n):
    (HERE / f"held-{n}").touch()
    wait("go")
"""
)
HELD = "test_it.py::test_held[0]"
RUN = ("host", "run", "--sinks", "pubdir", "--set", "pubdir.dir=results")

#: The exit code is what remains of standard output.
PIPE = 'exec 3>&1; { host watch "$@"; printf $? >&3; } | cat > "$0"'


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_it.py", SUITE)
    return project


class Watch:
    """`host watch` over a pipe, whose output is seen while it is written."""

    def __init__(self, project: Project, *args: str) -> None:
        number = len(list(project.folder.glob("watched-*")))
        self._output = project.folder / f"watched-{number}"
        self._output.touch()
        self.running = project.start("/bin/sh", "-c", PIPE, str(self._output), *args)

    def text(self) -> str:
        return self._output.read_text()

    def wait_for(self, words: str) -> None:
        until(f"host watch to say {words!r}", lambda: words in self.text())

    def events(self) -> list[dict[str, Any]]:
        whole = self.text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def finish(self) -> str:
        outcome = self.running.finish()
        assert (outcome.code, outcome.stdout) == (0, "0"), outcome
        return self.text()


def kinds(watch: Watch) -> list[str]:
    return [event["type"] for event in watch.events()]


def now(project: Project, *args: str) -> list[dict[str, Any]]:
    outcome = project.run("host", "watch", "--once", "--json", *args)
    assert outcome.code == 0, outcome
    runs: list[dict[str, Any]] = json.loads(outcome.stdout)
    return runs


def wait_for_test(project: Project, nodeid: str) -> dict[str, Any]:
    """The only run, once that test is seen to run."""

    def look() -> list[dict[str, Any]]:
        runs = now(project)
        return [run for run in runs if nodeid in [test["nodeid"] for test in run["running"]]]

    return until(f"{nodeid} to be seen", look)[0]


def go(project: Project) -> None:
    (project.folder / "go").touch()


def test_lines_while_a_run_goes_on(suite: Project) -> None:
    watch = Watch(suite, "--slow", "100ms")
    running = suite.start(*RUN)
    watch.wait_for("FAILED test_it.py::test_fails - AssertionError: red")
    slow = re.compile(rf" still running, (\d+)s: {re.escape(HELD)}\n")
    until("its age to be told, and again", lambda: len(slow.findall(watch.text())) > 1)
    assert running.is_running(), "all that was told before the run ended"
    go(suite)
    outcome = running.finish()
    assert outcome.code == 1, outcome
    until("the end to be told", lambda: "sinks: " in watch.text().partition(" finished in ")[2])
    watch.running.end()
    ages = [int(age) for age in slow.findall(watch.text())]
    assert ages == sorted(ages)
    first, *_, end, sinks = watch.text().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d run [-\dT]+[0-9a-f]{4}: pytest [.\d]+, 4 tests", first)
    assert re.search(r" finished in [.\d]+ s: 3 passed, 1 failed \(exit status 1\)$", end)
    assert re.search(r" sinks: pubdir \d+ delivered$", sinks)
    assert "\x1b" not in watch.text()


def test_json_while_a_run_goes_on_and_after_it(make_project: MakeProject, python: str) -> None:
    suite = make_project(python)
    suite.write("test_it.py", SUITE)
    watch = Watch(suite, "--json")
    running = suite.start(*RUN)
    run = wait_for_test(suite, HELD)
    assert (run["state"], run["collected"], run["done"]) == ("running", 4, 2)
    assert run["counts"]["passed"] == run["counts"]["failed"] == 1
    assert run["running"][0]["seconds"] >= 0
    assert run["pid"] == suite.pytest_of(running.pid)
    failure = {key: run["failures"][0][key] for key in ("nodeid", "phase", "kind")}
    assert failure == {
        "nodeid": "test_it.py::test_fails",
        "phase": "call",
        "kind": "AssertionError",
    }
    go(suite)
    running.finish()
    suite.wait_for_cores()
    [run] = now(suite)
    assert (run["state"], run["delivering"], run["running"]) == ("finished", False, [])
    assert run["end"]["exitstatus"] == 1
    assert (run["sinks"][0]["name"], run["sinks"][0]["left"]) == ("pubdir", 0)
    until("the end to be told", lambda: kinds(watch)[-2:] == ["finished", "sinks"])
    watch.running.end()
    seldom = [kind for kind in kinds(watch) if kind not in ("slow", "progress", "sinks")]
    assert seldom == ["run", "failed", "finished"]
    events = watch.events()
    assert {event["run"] for event in events} == {run["run"]}


def test_until_done(suite: Project) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held-0")
    watch = Watch(suite, "--until-done")
    watch.wait_for(" tests\n")
    assert watch.running.is_running()
    go(suite)
    assert "finished in " in watch.finish()
    running.finish()
    assert "finished in " in Watch(suite, "--until-done").finish(), "the last, where none runs"


def test_two_runs_at_once(suite: Project) -> None:
    first = suite.start(*RUN, "--", "-k", "passes or held")
    one = wait_for_test(suite, HELD)["run"]
    second = suite.start("pytest", "--pubdir", "more")

    def both() -> bool:
        runs = now(suite)
        return len(runs) == 2 and all(run["running"] for run in runs)

    until("both runs to be seen", both)
    other = next(run["run"] for run in now(suite) if run["run"] != one)
    watch = Watch(suite, "--until-done")
    until("both to be told", lambda: {one, other} <= set(watch.text().replace(":", "").split()))
    only = Watch(suite, one)
    go(suite)
    first.finish()
    second.finish()
    text = watch.finish()
    assert f"[{one[-4:]}] finished in " in text
    assert f"[{other[-4:]}] finished in " in text
    assert f"[{other[-4:]}] FAILED test_it.py::test_fails" in text
    assert "FAILED" not in only.finish(), "one run alone, until it has ended"


def test_a_run_whose_core_was_killed_is_lost(suite: Project) -> None:
    watch = Watch(suite)
    running = suite.start(*RUN)
    run = wait_for_test(suite, HELD)["run"]
    os.kill(suite.core(), signal.SIGKILL)
    watch.wait_for("lost: its host ended; `host drain` takes it up")
    assert [(run["run"], run["state"]) for run in now(suite)] == [(run, "lost")]
    go(suite)
    running.finish()
    assert suite.run("host", "drain").code == 0, "nobody is in its way"
    watch.wait_for("3 passed, 1 failed (exit status 1)")
    assert [run["state"] for run in now(suite)] == ["finished"]
    watch.running.end()


def wait_for_ends(watch: Watch, count: int) -> None:
    until("the end of a run to be told", lambda: kinds(watch).count("finished") == count)


def test_a_run_begins_and_a_drain_works_while_many_watch(suite: Project) -> None:
    """Nobody is refused a run because somebody looks at it."""
    watches = [Watch(suite, "--json") for _ in range(4)]
    go(suite)
    for number in range(1, 4):
        outcome = suite.run(*RUN)
        assert outcome.code == 1, outcome
        drained = suite.run("host", "drain")
        assert (drained.code, drained.stdout) == (0, "nothing is left to deliver\n")
        for watch in watches:
            wait_for_ends(watch, number)
    for watch in watches:
        watch.running.end()


def test_what_a_sink_has_not_got(suite: Project) -> None:
    receiver = suite.receiver("--status", "503")
    go(suite)
    suite.run(
        *("host", "run", "--sinks", "publish", f"--set=publish.url={receiver.url}"),
        "--drain-timeout=100ms",
    )
    suite.wait_for_cores()
    [run] = now(suite)
    [sink] = run["sinks"]
    assert run["state"] == "finished"
    assert sink["left"] > 0
    assert "503" in sink["error"]
    outcome = suite.run("host", "watch", "--once")
    assert f"sinks: publish {sink['delivered']} delivered, {sink['left']} left (" in outcome.stdout


def test_whoever_has_read_enough_ends_it(suite: Project) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held-0")
    outcome = suite.run("/bin/sh", "-c", "host watch | head -n 1")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.endswith(", 4 tests\n")
    assert running.is_running()
    go(suite)
    running.finish()


def test_workers(suite: Project) -> None:
    running = suite.start(*RUN, "--", "-n2", "-k", "held")
    suite.wait_for("held-0")
    suite.wait_for("held-1")
    run = until("both workers' tests to be seen", lambda: two_running(suite))
    assert {test["worker"] for test in run["running"]} == {"gw0", "gw1"}
    assert (run["collected"], run["deselected"]) == (2, 2)
    assert run["workers"] == ["gw0", "gw1"]
    go(suite)
    running.finish()


def two_running(suite: Project) -> dict[str, Any]:
    run = now(suite)[0]
    return run if len(run["running"]) == 2 else {}


def test_nothing_to_watch(suite: Project) -> None:
    assert now(suite) == []
    outcome = suite.run("host", "watch", "--once")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("no run was ever kept for ")
    assert suite.run("host", "watch", "--until-done").code == 0
    watch = suite.start("host", "watch")
    assert not (suite.folder / ".pytest_host").exists()
    go(suite)
    run = suite.run(*RUN)
    assert run.code == 1, run
    watch_once = suite.run("host", "watch", "--until-done")
    assert "finished in " in watch_once.stdout
    os.kill(watch.pid, signal.SIGTERM)
    outcome = watch.finish()
    assert outcome.code == 128 + signal.SIGTERM
    assert "no run yet in " in outcome.stderr
    assert "; waiting" in outcome.stderr


def test_an_unknown_run(suite: Project) -> None:
    go(suite)
    suite.run(*RUN)
    last = now(suite)[0]["run"]
    outcome = suite.run("host", "watch", "2020")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr == f'host: no run is named "2020"; the last one is {last}\n'
    assert suite.run("host", "watch", "--slow", "soon").code == 2


#: What takes a terminal's other screen, and what gives it back.
TAKEN, GIVEN_BACK = "\x1b[?1049h", "\x1b[?1049l"


@pytest.mark.parametrize("keys", [b"q", b"\x1b", b"\x03"], ids=["q", "escape", "ctrl-c"])
def test_in_a_terminal(suite: Project, keys: bytes) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held-0")
    terminal = Terminal(suite, "host", "watch", size=(20, 80))
    terminal.wait_for(HELD)
    terminal.wait_for("FAILED")
    terminal.type(keys)
    code, said = terminal.finish()
    assert code == 0, said
    assert said.count(TAKEN) == said.count(GIVEN_BACK) == 1
    assert "\x1b[31mred" not in said
    assert running.is_running()
    go(suite)
    running.finish()


def test_a_terminal_is_given_back_on_a_signal(suite: Project) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held-0")
    terminal = Terminal(suite, "host", "watch", size=(20, 80))
    terminal.wait_for(HELD)
    os.kill(terminal.pid, signal.SIGTERM)
    code, said = terminal.finish()
    assert code == 128 + signal.SIGTERM
    assert said.count(GIVEN_BACK) == 1
    assert "\x1b[?25h" in said, "the cursor is there again"
    go(suite)
    running.finish()


def test_a_terminal_that_goes_away_ends_it(suite: Project) -> None:
    running = suite.start(*RUN)
    suite.wait_for("held-0")
    terminal = Terminal(suite, "host", "watch", size=(20, 80))
    terminal.wait_for(HELD)
    terminal.hang_up()
    go(suite)
    running.finish()


def test_a_dumb_terminal_gets_lines(suite: Project) -> None:
    go(suite)
    suite.run(*RUN)
    terminal = Terminal(suite, "host", "watch", "--until-done", TERM="dumb")
    code, said = terminal.finish()
    assert code == 0
    assert TAKEN not in said
    assert "finished in " in said


def test_no_colour_unless_wanted(suite: Project) -> None:
    go(suite)
    suite.run(*RUN)
    coloured = Terminal(suite, "host", "watch", "--once", NO_COLOR="").finish()[1]
    plain = Terminal(suite, "host", "watch", "--once", NO_COLOR="1").finish()[1]
    assert "\x1b[31m" in coloured
    assert "\x1b" not in plain
