"""Pauses with a host: what sinks are told, and what can be done from another terminal."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from support import collecting
from support.guests import folder_of_guests
from support.pausing import CHECKPOINT, FAIL, Pauses
from support.polling import until
from support.project import Project
from support.waiting import HELPERS

#: A failing test with a variable to look at, and a teardown that is seen.
LOOK = f"""{HELPERS}
import logging

@pytest.fixture
def board():
    yield "board"
    announce("torn-down")

def helper(board, words):
    assert words == [board]

def test_f(board):
    print("some output")
    logging.getLogger("x").warning("beware")
    helper(board, ["lamp"] * 2)
"""


def test_sinks_are_told(project: Project) -> None:
    """In the journal's order, with what to type, and who answered."""
    collecting.configure(project)
    project.write("test_x.py", FAIL)
    pauses = Pauses(project)
    running = pauses.start("--sinks", "collector")
    record = pauses.hosted(pauses.one())
    pause = str(record["pause_id"])
    assert pauses.host("resume", pause, "--failure-reason", "known").code == 0
    assert running.finish().code == 1
    events = collecting.events(project)
    collecting.check_whole(events)
    kinds = [event.kind for event in events]
    start = kinds.index("test-started")
    assert kinds[start + 1 : start + 4] == ["pause-opened", "extension", "pause-closed"]
    opened, extension, closed = (event.body for event in events[start + 1 : start + 4])
    assert (opened["id"], opened["kind"], opened["nodeid"]) == (
        pause,
        "failure",
        "test_x.py::test_f",
    )
    assert "assert [1] == [2]" in opened["original_failure"]
    assert extension["name"] == "pause-command"
    command = f"host pause resume {pause} --pause-dir {pauses.top}"
    assert json.loads(extension["payload"]) == {"pause": pause, "command": command}
    assert closed[:2] == [pause, "resumed"]
    assert closed[2]["by"] == "cli"
    assert closed[2]["failure_reason"] == "known"


def test_under_host_run(project: Project) -> None:
    """No option of pytest's but the one; and a core of somebody else's."""
    collecting.configure(project)
    project.write("test_x.py", FAIL)
    pauses = Pauses(project)
    options = ("--pause-on-failure", "--pause-dir", str(pauses.top))
    running = project.start("host", "run", "--", *options)
    record = pauses.hosted(pauses.one())
    assert pauses.host("resume", str(record["pause_id"])).code == 0
    outcome = running.finish()
    assert outcome.code == 1, outcome
    assert re.search("collector +[0-9]+ events delivered", outcome.stderr), outcome


def test_show(project: Project) -> None:
    project.write("test_x.py", LOOK)
    pauses = Pauses(project)
    running = pauses.start()
    record = pauses.hosted(pauses.one())
    pause = str(record["pause_id"])
    shown = pauses.host("show", pause)
    assert shown.code == 0, shown
    lines = shown.stdout.splitlines()
    assert lines[0] == "failure:"
    for line in (
        "  E       AssertionError: assert ['lamp', 'lamp'] == ['board']",
        "Captured stdout call:",
        "  some output",
        f"frame 0: {project.folder}/test_x.py:",
        f"frame 1: {project.folder}/test_x.py:",
        "    words = ['lamp', 'lamp']",
    ):
        assert any(each.startswith(line.rstrip()) for each in lines), (line, shown)
    assert "beware" in shown.stdout
    inside = json.loads(pauses.host("show", pause, "--json").stdout)
    assert [frame["function"] for frame in inside["stack"]] == ["test_f", "helper"]
    refused = pauses.host("eval", pause, "words")
    assert (refused.code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("pytest was not started with --pause-eval: ")
    assert not (project.folder / "torn-down").exists()
    assert pauses.host("resume", pause).code == 0
    assert running.finish().code == 1
    assert (project.folder / "torn-down").exists()


def test_eval_extend_attach_abort(project: Project) -> None:
    project.write("test_x.py", LOOK + "\ndef test_g(): pass\n")
    pauses = Pauses(project)
    running = pauses.start("--pause-eval")
    record = pauses.hosted(pauses.one())
    pause = str(record["pause_id"])
    assert pauses.host("eval", pause, "len(words)").stdout == "2\n"
    assert pauses.host("eval", pause, "board", "--frame", "0").stdout == "'board'\n"
    raised = pauses.host("eval", pause, "words[7]")
    assert (raised.code, raised.stderr) == (1, "IndexError: list index out of range\n")
    large = pauses.host("eval", pause, "'x' * 10_000_000").stdout
    assert len(large) < 100_000
    assert "[cut: 10000002 bytes in all]" in large
    extended = pauses.host("extend", pause, "1000")
    assert extended.stdout.startswith("paused until "), extended
    (listed,) = json.loads(pauses.host("ls", "--json").stdout)
    assert listed["left"] > 1000
    assert listed["timeout"] == pauses.timeout + 1000
    attach = pauses.host("attach", pause)
    assert "debugpy" in attach.stdout + attach.stderr
    assert (
        pauses.host("abort", pause, "--session", "--reason", "enough").stdout == "abort accepted\n"
    )
    outcome = running.finish()
    assert outcome.code == 2, outcome
    assert "aborted: enough" in outcome.stdout
    assert "1 failed" in outcome.stdout
    assert (project.folder / "torn-down").exists()
    gone = pauses.host("extend", pause, "1")
    assert gone.code == 1
    assert gone.stderr.startswith("no host can be reached for this pause; it can only be resumed: ")


def test_without_files(project: Project) -> None:
    """Everything through the host; a checkpoint is asked for without any option."""
    collecting.configure(project)
    text = (project.folder / "host.toml").read_text()
    project.configure(f"pause.files = false\n{text}")
    project.write("test_x.py", CHECKPOINT)
    pauses = Pauses(project)
    running = project.start("pytest", "-s", "--sinks", "collector", TMPDIR=str(project.folder))

    def look() -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(pauses.host("ls", "--json", place=False).stdout)
        return found

    (listed,) = until("a pause", look)
    assert listed["pause_file"] is None
    pause = listed["pause_id"]
    wrong = pauses.host("resume", pause, "--failure-reason", "x", place=False)
    assert (wrong.code, wrong.stdout) == (1, "")
    assert pauses.host("resume", pause, "--result", "false", place=False).code == 0
    outcome = running.finish()
    assert "result=False, reason=None)" in outcome.stdout
    assert not (project.folder / "pytest-live-pause").exists()
    closed = collecting.of_kind(collecting.events(project), "pause-closed")
    assert [body[1] for body in closed] == ["resumed"]


@pytest.mark.difference("livepause-15")
def test_in_ci(project: Project) -> None:
    project.write("test_x.py", FAIL)
    pauses = Pauses(project, timeout=0)
    refused = pauses.start(environ={"CI": "true"}).finish()
    assert refused.code == 4
    assert "--pause-in-ci" in refused.stderr
    assert pauses.start("--pause-in-ci", environ={"CI": "true"}).finish().code == 1


def test_process_that_dies_while_it_is_paused(project: Project) -> None:
    collecting.configure(project)
    project.write("test_x.py", FAIL)
    pauses = Pauses(project)
    running = pauses.start("--sinks", "collector")
    pauses.hosted(pauses.one())
    os.kill(running.pid, signal.SIGKILL)
    running.finish()
    events = collecting.events(project)
    closed = collecting.of_kind(events, "pause-closed")
    assert [(body[1], body[2]["by"]) for body in closed] == [("abandoned", "")]
    assert [attempt.verdict for attempt in collecting.attempts(events)] == ["crashed"]


def test_core_killed_during_a_pause(project: Project) -> None:
    """Another takes over: the pause is there again, and sinks get everything."""
    collecting.configure(project)
    project.write("test_x.py", FAIL + FAIL.replace("test_f", "test_g"))
    pauses = Pauses(project)
    running = pauses.start("--sinks", "collector")
    record = pauses.hosted(pauses.one())
    os.kill(project.core(), signal.SIGKILL)
    again = pauses.hosted(record)
    assert again["run"] == record["run"]
    assert pauses.host("extend", str(record["pause_id"]), "10").code == 0
    resumed = pauses.host("resume", str(record["pause_id"]), "--failure-reason", "again")
    assert resumed.code == 0, resumed
    second = pauses.hosted(pauses.number(1))
    assert pauses.host("resume", str(second["pause_id"])).code == 0
    outcome = running.finish()
    assert outcome.code == 1
    assert "External failure reason: again" in outcome.stdout
    assert re.search("^pytest-host: collector [0-9]+ delivered$", outcome.stdout, re.MULTILINE)
    events = collecting.events(project)
    collecting.check_whole(events)
    assert [body[1] for body in collecting.of_kind(events, "pause-closed")] == ["resumed"] * 2


def test_core_killed_and_none_to_take_over(project: Project) -> None:
    """Resumed through its files; another test goes on at its deadline."""
    project.write("test_x.py", FAIL + FAIL.replace("test_f", "test_g"))
    pauses = Pauses(project, timeout=8)
    link = project.folder / "host-once"
    link.symlink_to(project.installation.scripts / "host")
    running = pauses.start(environ={"PYTEST_HOST_BINARY": str(link)})
    record = pauses.hosted(pauses.one())
    link.unlink()
    os.kill(project.core(), signal.SIGKILL)
    resumed = pauses.host("resume", str(record["pause_id"]), "--failure-reason", "by file")
    assert resumed.code == 0, resumed
    outcome = running.finish()
    assert outcome.code == 1
    assert "External failure reason: by file" in outcome.stdout
    assert [each["status"] for each in pauses.records()] == ["resumed", "timed_out"]


POLICY = """
[pause.policy]
module = "{module}"

[[pause.policy.approve]]
task = "Switch on *"
reason = "always"

[[pause.policy.approve]]
task = "Never"
from = "00:00"
until = "00:00"
"""


def approver() -> Path:
    path = folder_of_guests().parent / "dist" / "approver.wasm"
    assert path.exists(), f"{path} is not there; build it with: cargo xtask guests"
    return path


def test_policy(project: Project) -> None:
    """It approves what it knows, at once; the rest is left to people."""
    collecting.configure(project)
    text = (project.folder / "host.toml").read_text()
    project.configure(text + POLICY.format(module=approver()))
    project.write(
        "test_x.py",
        "from pytest_host import checkpoint\n\n"
        "def test_a():\n    assert checkpoint(task='Switch on board 7').reason == 'always'\n\n"
        "def test_b():\n    assert checkpoint(task='Never').reason == 'by hand'\n\n"
        "def test_f():\n    assert 0\n",
    )
    pauses = Pauses(project)
    running = pauses.start("--sinks", "collector")
    by_hand = pauses.number(1)
    assert by_hand["task"] == "Never"
    ask = ("--result", "true", "--reason", "by hand")
    assert pauses.host("resume", str(by_hand["pause_id"]), *ask).code == 0
    failure = pauses.number(2)
    assert pauses.host("resume", str(failure["pause_id"])).code == 0
    outcome = running.finish()
    assert "1 failed, 2 passed" in outcome.stdout, outcome
    closed = collecting.of_kind(collecting.events(project), "pause-closed")
    assert [body[2]["by"] for body in closed] == ["approver", "cli", "cli"]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("module = 'no.wasm'", "pause.policy: {folder}/no.wasm is not there"),
        ("aprove = []", "pause.policy names no component: module = "),
        ("module = '{approver}'\naprove = []", "pause.policy: unknown field `aprove`"),
        ("module = '{collector}'", "so it is no pause policy (world pause-policy-guest)"),
    ],
)
def test_bad_policy(project: Project, table: str, problem: str) -> None:
    """Told before any test runs."""
    files = {"approver": approver(), "collector": folder_of_guests() / "collector.wasm"}
    project.write("test_x.py", FAIL)
    # Compiled before, or this may be told after the tests: a host is not waited for any longer.
    collecting.configure(project)
    text = (project.folder / "host.toml").read_text()
    project.configure(f"{text}[pause.policy]\nmodule = '{files['approver']}'\n")
    assert project.run("pytest", "--sinks", "collector").code == 1
    project.wait_for_cores()
    project.configure("[pause.policy]\n" + table.format(**files))
    outcome = Pauses(project, timeout=0).start().finish()
    assert outcome.code == 4, outcome
    assert problem.format(folder=project.folder) in outcome.stderr
