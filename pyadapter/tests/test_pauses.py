"""Pauses without a host: files alone."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from conftest import Run
from pausing import Answering, Record, command_file, events, pauses, pending, write_command

CHECKPOINT = """
    from pytest_host import checkpoint

    def test_a():
        print("decision", checkpoint(task="Approve"))
"""
FAIL = "def test_f():\n    assert [1] == [2]\n"


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_HOST_BINARY", str(tmp_path / "no-such-host"))
    return tmp_path / "pauses"


def resume(top: Path, text: str) -> Answering:
    return Answering(top, lambda record: write_command(top, record, text))


def test_checkpoint_is_answered_by_a_file(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    pytester.makepyfile(CHECKPOINT)
    answering = resume(top, '{"result": true, "reason": "\\u2603", "more": 1}')
    result = run("-s", "--pause-dir", str(top))
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            f"pytest-live-pause: run_id={answering.seen[0]['run_id']}",
            "pytest-host: test_*::test_a is paused until ??:??:?? (Approve)",
            "pytest-host: answer it with: host pause resume ???* --pause-dir * --result true",
            "decision ResumeDecision(outcome='resumed', failure_reason=None, result=True,"
            " reason='☃')",
        ]
    )
    (record,) = pauses(top)
    assert (record["status"], record["result"], record["reason"]) == ("resumed", True, "☃")
    kinds = [event["event"] for event in events(top)]
    assert kinds == ["run_started", "pause_created", "pause_finished"]
    assert list(top.glob("runs/*/commands/*")) == []


def test_failure_is_paused_before_teardown(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    pytester.makepyfile(
        """
        import pathlib, pytest

        @pytest.fixture
        def thing():
            yield
            pathlib.Path("torn-down").touch()

        def test_f(thing):
            assert [1] == [2]
        """
    )
    torn_down = pytester.path / "torn-down"
    seen = []

    def answer(record: Record) -> None:
        seen.append(torn_down.exists())
        write_command(top, record, '{"failure_reason": "manually confirmed"}')

    Answering(top, answer)
    result = run("--pause-on-failure", "--pause-dir", str(top))
    result.assert_outcomes(failed=1)
    assert seen == [False]
    result.stdout.fnmatch_lines(["*- live pause -*", "External failure reason: manually confirmed"])
    (record,) = pauses(top)
    assert record["kind"] == "failure"
    assert "assert [1] == [2]" in record["original_failure"]


def test_deadline(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    pytester.makepyfile(FAIL)
    result = run("--pause-on-failure", "--pause-timeout", "0.1", "--pause-dir", str(top))
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*live pause -*")
    assert [record["status"] for record in pauses(top)] == ["timed_out"]


def test_malformed_command(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    """An `.error` beside it, and the pause goes on."""
    pytester.makepyfile(FAIL)
    errors = []

    def answer(record: Record) -> None:
        for text in ("{", "[1]", ""):
            write_command(top, record, text)
            file = command_file(top, record)
            error = file.with_name(f"{file.name}.error")
            while not error.exists() or error.read_text() in errors:
                assert pending(top)
            errors.append(error.read_text())
        write_command(top, record, "{}")

    Answering(top, answer)
    result = run("--pause-on-failure", "--pause-dir", str(top))
    result.assert_outcomes(failed=1)
    assert [text.partition(":")[0] for text in errors] == [
        "not JSON",
        'not an object, such as {"failure_reason"',
        "not JSON",
    ]
    assert [record["status"] for record in pauses(top)] == ["resumed"]
    assert list(top.glob("runs/*/commands/*")) == []


def test_receipt(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    """Whoever names an answer learns that it was the one."""
    pytester.makepyfile(FAIL)
    answer = "0123456789abcdef" * 2
    resume(top, json.dumps({"answer": answer}))
    run("--pause-on-failure", "--pause-dir", str(top)).assert_outcomes(failed=1)
    (receipt,) = top.glob("runs/*/commands/*")
    assert receipt.name == f"{answer}.accepted"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((), ["test_call"]),
        (("--pause-on", "setup,teardown"), ["test_setup", "test_teardown"]),
        (("--pause-on=setup,call,teardown",), ["test_call", "test_setup", "test_teardown"]),
    ],
)
def test_phases(
    pytester: pytest.Pytester, run: Run, top: Path, args: tuple[str, ...], expected: list[str]
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def bad_setup():
            raise RuntimeError

        @pytest.fixture
        def bad_teardown():
            yield
            raise RuntimeError

        def test_call(): assert 0
        def test_setup(bad_setup): pass
        def test_teardown(bad_teardown): pass

        @pytest.mark.xfail
        def test_expected(): assert 0
        """
    )
    run("--pause-on-failure", "--pause-timeout", "0.05", "--pause-dir", str(top), *args)
    assert [record["nodeid"].partition("::")[2] for record in pauses(top)] == expected


@pytest.mark.parametrize(("word", "value"), [("true", True), ("false", False), ("none", None)])
def test_mock(
    pytester: pytest.Pytester, run: Run, top: Path, word: str, value: bool | None
) -> None:
    pytester.makepyfile(CHECKPOINT)
    result = run("-s", "--pause-dir", str(top), f"--pause-checkpoint-mock={word}")
    result.stdout.fnmatch_lines(
        [
            "*decision ResumeDecision(outcome='resumed', failure_reason=None, "
            f"result={value}, reason='Mock')"
        ]
    )
    assert not top.exists()


def test_checkpoint_needs_a_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import threading
        import pytest
        from pytest_host import checkpoint

        try:
            checkpoint(task="x", timeout=0)
        except RuntimeError as error:
            outside = str(error)

        def test_outside():
            assert outside == "checkpoint can only be used while a pytest test is running"

        def test_empty():
            with pytest.raises(ValueError, match="^checkpoint task must not be empty$"):
                checkpoint(task=" ")

        def test_thread():
            raised = []

            def target():
                try:
                    checkpoint(task="x", timeout=0)
                except RuntimeError as error:
                    raised.append(str(error))

            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
            assert raised == [outside]
        """
    )
    run().assert_outcomes(passed=3)


def test_nothing_is_asked_for(
    pytester: pytest.Pytester, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint alone makes the default folder when it is reached, and not before."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    top = tmp_path / "pytest-live-pause"
    pytester.makepyfile(
        f"""
        import os
        from pytest_host import checkpoint

        def test_a(live_pause, pause_run_id, monkeypatch):
            assert live_pause.run_id == pause_run_id
            assert not os.path.exists({str(top)!r})
            assert live_pause.checkpoint(task="x", timeout=0.05).outcome == "timed_out"
            monkeypatch.delenv("PYTEST_CURRENT_TEST")
            assert checkpoint(task="x", timeout=0).outcome == "timed_out"
        """
    )
    result = run()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("pytest-live-pause*")
    assert len(pauses(top)) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in (top, *top.rglob("*"))} == {0o700, 0o600}


@pytest.mark.parametrize("option", ["--help", "--collect-only", "--fixtures", "--markers"])
def test_runs_of_no_tests_write_nothing(
    pytester: pytest.Pytester, run: Run, top: Path, option: str
) -> None:
    pytester.makepyfile(FAIL)
    run("--pause-on-failure", "--pause-dir", str(top), option)
    assert not top.exists()


def test_run_without_pauses_leaves_nothing(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    pytester.makepyfile(
        f"""
        import pathlib

        def test_a():
            (run,) = pathlib.Path({str(top)!r}).glob("runs/*/run.json")
            assert run.exists()
        """
    )
    run("--pause-on-failure", "--pause-dir", str(top)).assert_outcomes(passed=1)
    assert list((top / "runs").iterdir()) == []


def test_ci(
    pytester: pytest.Pytester, run: Run, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(FAIL)
    args = ("--pause-on-failure", "--pause-timeout", "0", "--pause-dir", str(top))
    result = run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: pytest-host: --pause-on-failure would wait * CI is set*"])
    run(*args, "--pause-in-ci").assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--pause-timeout", "soon"), "*not a number of seconds: 'soon'"),
        (("--pause-timeout", "inf"), "*not a number of seconds: 'inf'"),
        (("--pause-on", "call,tear"), "*no phase: 'tear'*"),
        (("--pause-checkpoint-mock", "bogus"), "*invalid choice: 'bogus'*"),
        (("--pause-dir", __file__), f"*--pause-dir: {__file__}: *"),
    ],
)
def test_bad_input(
    pytester: pytest.Pytester, run: Run, args: tuple[str, ...], problem: str
) -> None:
    pytester.makepyfile("def test_a(): pass")
    result = run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([problem])


def test_folder_of_somebody_else(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    top.mkdir()
    top.chmod(0o777)
    pytester.makepyfile("def test_a(): pass")
    result = run("--pause-dir", str(top))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--pause-dir: {top}: everybody can write to it"])
    top.chmod(0o755)
    (top / "runs").symlink_to(pytester.path)
    result = run("--pause-dir", str(top))
    result.stderr.fnmatch_lines([f"*--pause-dir: {top}/runs: not a folder"])


def test_interruption(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    pytester.makepyfile(FAIL)
    Answering(top, lambda record: os.kill(record["pid"], signal.SIGINT))
    result = run("--pause-on-failure", "--pause-dir", str(top))
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [record["status"] for record in pauses(top)] == ["abandoned"]
    assert events(top)[-1]["outcome"] == "abandoned"


def test_old_runs_are_pruned(pytester: pytest.Pytester, run: Run, top: Path) -> None:
    """Neither those that still run, nor those with pauses that are to be looked at."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    pytester.makepyfile(FAIL)

    def make(name: str, pid: int, host: str, status: str | None, age: float) -> Path:
        folder = top / "runs" / name
        (folder / "pauses").mkdir(parents=True)
        keys = {"pid": pid, "hostname": host}
        (folder / "run.json").write_text(json.dumps(keys))
        if status is not None:
            (folder / "pauses" / "p.json").write_text(json.dumps({**keys, "status": status}))
        for path in (folder / "pauses", folder):
            then = path.stat().st_mtime - age
            os.utime(path, (then, then))
        return folder

    here, week = os.uname().nodename, 7 * 24 * 3600.0
    stay = [
        make("lives", os.getpid(), here, None, 2 * week),
        make("elsewhere", dead.pid, "other", "pending", 2 * week),
        make("fresh", dead.pid, here, "resumed", 0),
    ]
    go = [
        make("empty", dead.pid, here, None, 0),
        make("old", dead.pid, here, "resumed", 2 * week),
        make("stale", dead.pid, here, "pending", 2 * week),
    ]
    (top / "runs" / "not-a-run").mkdir()
    run("--pause-on-failure", "--pause-timeout", "0", "--pause-dir", str(top))
    assert all(folder.exists() for folder in [*stay, top / "runs" / "not-a-run"])
    assert not any(folder.exists() for folder in go)
