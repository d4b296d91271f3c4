"""Pauses with a host: what goes over the socket, and into the segment."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from core import Core, Message
from pausing import pauses


class Host:
    """Asks what it is told to, in order, once a test is paused."""

    def __init__(self, core: Core, *asks: Message) -> None:
        self._core = core
        self._asks = asks
        self.opened: list[Message] = []
        self.answers: list[Message] = []
        self.over = threading.Event()
        core.on_message = self._on_message

    def _on_message(self, message: Message) -> None:
        if message["type"] == "pause":
            self.opened.append(message["pause"])
            for number, ask in enumerate(self._asks):
                whole = {"type": "ask", "ask": number, "pause": message["pause"]["id"], **ask}
                self._core.send(whole)
        elif message["type"] == "answer":
            self.answers.append(message)
        elif message["type"] == "pause-end":
            self.over.set()


FAIL = """
def test_f(capsys):
    with capsys.disabled():
        pass
    print("some output")
    secret = 40 + 2
    assert secret == 0
"""


def ask(do: str, **keys: Any) -> Message:
    return {"do": do, **keys}


def test_failure(pytester: pytest.Pytester, core: Core, report: Run, tmp_path: Path) -> None:
    pytester.makepyfile(FAIL)
    host = Host(
        core,
        ask("fly"),
        ask("show"),
        ask("extend", seconds=1000),
        ask("extend", seconds=-1),
        ask("resume", by="cli", result=True),
        ask("eval", expression="secret"),
        ask("resume", by="cli", failure_reason="known"),
        ask("resume", by="cli", failure_reason="too late"),
    )
    report("--pause-on-failure", "--pause-dir", str(tmp_path / "p")).assert_outcomes(failed=1)
    (opened,) = host.opened
    assert opened["kind"] == "failure"
    assert opened["deadline"] == pytest.approx(opened["created"] + 300, abs=5)
    accepted = [answer["accepted"] for answer in host.answers]
    assert accepted[:7] == [False, True, True, False, False, False, True]
    assert host.answers[1]["value"]["stack"][-1]["function"] == "test_f"
    assert ["secret", "42"] in host.answers[1]["value"]["stack"][-1]["locals"]
    assert host.answers[2]["value"] == pytest.approx(opened["deadline"] + 1000, abs=5)
    assert "--pause-eval" in host.answers[5]["reason"]
    assert host.over.is_set()
    (begin,) = core.frames("main", "pause")
    (end,) = core.frames("main", "pause-end")
    assert begin["command"].startswith(f"host pause resume {opened['id']}")
    assert begin["pause"]["id"] == end["id"] == opened["id"]
    assert end["outcome"] == "resumed"
    assert end["decision"] == {
        "outcome": None,
        "reason": None,
        "failure_reason": "known",
        "by": "cli",
    }
    (record,) = pauses(tmp_path / "p")
    assert (record["status"], record["timeout"]) == ("resumed", 1300.0)


def test_no_files(pytester: pytest.Pytester, core: Core, report: Run, tmp_path: Path) -> None:
    pytester.makepyfile(FAIL)
    core.welcome = {"pause_files": False}
    host = Host(core, ask("resume", by="cli"))
    report("--pause-on-failure", "--pause-dir", str(tmp_path / "p")).assert_outcomes(failed=1)
    assert host.opened[0]["files"] is None
    assert not (tmp_path / "p").exists()


def test_checkpoint_looks_inside(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        from pytest_host import checkpoint

        def helper(inner):
            print("so far")
            return checkpoint(task="Approve")

        def test_a():
            outer = ["a"]
            assert helper(inner=1).result is True
            assert outer == ["a", "b"]
        """
    )
    host = Host(
        core,
        ask("show"),
        ask("eval", expression="[inner + 1 for _ in range(inner)][0]"),
        ask("eval", expression="outer.append('b')", frame=0),
        ask("eval", expression="1 / 0"),
        ask("eval", expression="outer", frame=7),
        ask("eval", expression="import os"),
        ask("attach"),
        ask("resume", by="cli", failure_reason="no"),
        ask("resume", by="cli", result=True),
    )
    report("--pause-eval").assert_outcomes(passed=1)
    show, *evaluated, no_frame, syntax, attach, wrong, right = host.answers
    assert [frame["function"] for frame in show["value"]["stack"]] == ["test_a", "helper"]
    assert ["stdout so far", "so far\n"] in show["value"]["captured"]
    assert [answer["value"] for answer in evaluated] == [
        {"repr": "2"},
        {"repr": "None"},
        {"raised": "ZeroDivisionError: division by zero"},
    ]
    assert no_frame["reason"] == "no frame 7: they are 0 to 1"
    assert "SyntaxError" in syntax["value"]["raised"]
    assert "debugpy" in attach.get("reason", "") or "debugpy" in attach["value"]["command"]
    assert (wrong["accepted"], right["accepted"]) == (False, True)


@pytest.mark.parametrize("kind", ["checkpoint", "failure"])
@pytest.mark.parametrize("session", [False, True])
def test_abort(
    pytester: pytest.Pytester, core: Core, report: Run, kind: str, session: bool
) -> None:
    pytester.makepyfile(
        f"""
        from pytest_host import checkpoint

        def test_a():
            {'checkpoint(task="x")' if kind == "checkpoint" else "assert 0"}

        def test_b(): pass
        """
    )
    Host(core, ask("abort", by="cli", reason="enough", session=session))
    result = report("--pause-on-failure", "-k", "test_a or test_b")
    if session:
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*!!! Interrupted: aborted: enough !!!*"])
    else:
        result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["aborted: enough"])
    outcomes = [frame["outcome"] for frame in core.frames("main", "pause-end")]
    assert outcomes[0] == "abandoned"


def test_host_that_goes_away(
    pytester: pytest.Pytester,
    core: Core,
    report: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test goes on at its deadline, where no other can be started."""
    monkeypatch.setenv("PYTEST_HOST_BINARY", "/no/such/host")
    pytester.makepyfile(FAIL)
    core.drop_after_welcome = True
    core.verdict = None
    args = ("--pause-on-failure", "--pause-timeout", "0.5", "--pause-dir", str(tmp_path / "p"))
    report(*args).assert_outcomes(failed=1)
    assert [record["status"] for record in pauses(tmp_path / "p")] == ["timed_out"]
    assert [frame["outcome"] for frame in core.frames("main", "pause-end")] == ["timed-out"]
