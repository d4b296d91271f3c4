from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from core import Core

PASS = "def test_a(): pass"


def test_session_frames(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(PASS)
    before = time.time()
    report("-x")
    (hello,) = core.hellos
    pid = hello["pid"]
    assert hello == {
        "type": "hello",
        "protocol": 1,
        "token": "s3cret",
        "role": "session",
        "process": f"main-{pid}",
        "pid": pid,
        "directory": str(pytester.path),
        "request": {},
    }
    first, *_, finish, bye = core.frames()
    assert before < first["t"] < time.time()
    session = first["session"]
    assert session.pop("started") == first["t"]
    assert session.pop("args")[-1] == "-x"
    assert session.pop("hostname")
    assert session == {
        "rootdir": str(pytester.path),
        "invocation_dir": str(pytester.path),
        "pytest_version": pytest.__version__,
        "python_version": ".".join(map(str, sys.version_info[:3])),
        "python_prefixes": [sys.prefix, sys.base_prefix],
        "pid": pid,
        "dist": None,
        "labels": [["target", "."], ["utc-offset", str(time.localtime().tm_gmtoff)]],
    }
    assert finish.pop("t") >= first["t"]
    assert finish == {"k": "finish", "exitstatus": 0, "reason": None}
    assert bye == {"k": "bye"}


@pytest.mark.parametrize(
    ("sinks", "line"),
    [
        (
            [{"name": "publish", "delivered": 163}, {"name": "pubdir", "delivered": 1}],
            "pytest-host: publish 163 delivered, pubdir 1 delivered",
        ),
        (
            [{"name": "publish", "delivered": 1, "left": 25, "error": "connection refused"}],
            "pytest-host: publish: 25 events left (connection refused);"
            " they go out with: host drain",
        ),
        (
            [{"name": "a", "delivered": 3}, {"name": "b", "set_aside": 1, "error": "trap"}],
            "pytest-host: a 3 delivered, b: 1 event set aside (trap)",
        ),
        ([], "pytest-host: nothing to deliver to"),
    ],
)
@pytest.mark.parametrize("quiet", [False, True])
def test_final_line(
    pytester: pytest.Pytester,
    core: Core,
    report: Run,
    sinks: list[dict[str, Any]],
    line: str,
    quiet: bool,
) -> None:
    core.sinks = sinks
    pytester.makepyfile(PASS)
    result = report("--sinks-finish-timeout", "7", *["-q"] * quiet, inprocess=True)
    assert core.finishes == [{"type": "finish", "timeout": 7.0}]
    if quiet and not any(sink.get("error") for sink in sinks):
        result.stdout.no_fnmatch_line("pytest-host*")
    else:
        assert result.stdout.lines[-1] == line


def test_changes_that_were_refused(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.refused = ["host.toml:3: not valid TOML"]
    pytester.makepyfile(PASS)
    result = report("-q", inprocess=True)
    assert result.ret == 0
    assert result.stdout.lines[-1] == (
        "pytest-host: publish 3 delivered; not taken over: host.toml:3: not valid TOML"
    )


def test_somebody_else_waits(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.welcome = {"finish": False}
    pytester.makepyfile(PASS)
    report(inprocess=True).stdout.no_fnmatch_line("pytest-host*")
    assert core.finishes == []


def test_sinks_do_not_finish(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.sinks = None
    pytester.makepyfile(PASS)
    result = report("-q", "--sinks-finish-timeout=0.1", inprocess=True)
    assert result.ret == 0
    assert result.stdout.lines[-1] == (
        "pytest-host: the sinks did not finish within 0.1 s; what is left goes out with: host drain"
    )


@pytest.mark.parametrize("args", [[], ["-n1"]])
def test_refused_at_once(
    pytester: pytest.Pytester, core: Core, report: Run, args: list[str]
) -> None:
    core.refusal = "unknown sink `publsh`; did you mean `publish`?"
    pytester.makepyfile(PASS)
    result = report(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: pytest-host: unknown sink `publsh`; did you mean*"])
    result.stdout.no_fnmatch_line("*passed*")


@pytest.mark.parametrize("args", [[], ["-n1"], ["--collect-only"]])
def test_refused_before_the_first_test(
    pytester: pytest.Pytester, core: Core, report: Run, args: list[str]
) -> None:
    core.verdict = {"type": "refused", "message": "publish.url: not a URL"}
    pytester.makepyfile(PASS)
    result = report(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: pytest-host: publish.url: not a URL"])
    result.stdout.no_fnmatch_line("*passed*")
    assert core.frames("main", "finish")[0]["reason"] == "usage"


def test_refused_too_late(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.verdict = None
    core.late_refusal = "the guest is too big"
    pytester.makepyfile(PASS)
    result = report("-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["1 passed*"])
    assert result.stdout.lines[-1] == "pytest-host: this run is not reported: the guest is too big"


@pytest.mark.parametrize("option", ["--fixtures", "--markers", "--setup-plan", "--version", "-h"])
def test_not_a_run(pytester: pytest.Pytester, core: Core, report: Run, option: str) -> None:
    pytester.makepyfile(PASS)
    assert report(option).ret == 0
    assert core.hellos == []


class TestUnreported:
    """The run goes on, and says so at its start and its end."""

    def check(self, result: pytest.RunResult, reason: str) -> None:
        result.assert_outcomes(passed=1)
        assert result.ret == 0
        line = f"pytest-host: this run is not reported: {reason}"
        told = [each for each in result.stdout.lines if each.startswith("pytest-host:")]
        assert told == [line, line]
        assert result.stdout.lines[-1] == line

    def test_no_binary(
        self, pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytester.makepyfile(PASS)
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr("pytest_host.launch._script_folders", lambda: iter(["/nowhere"]))
        result = run("--sinks", "publish", inprocess=True)
        self.check(result, "the `host` program is not installed")

    def test_no_such_core(
        self, pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytester.makepyfile(PASS)
        monkeypatch.setenv("PYTEST_HOST_ADDRESS", "/nowhere")
        result = run(inprocess=True)
        self.check(result, "there is no host at /nowhere (No such file or directory)")

    def test_other_program_of_the_same_name(
        self, pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytester.makepyfile(PASS)
        monkeypatch.setenv("PYTEST_HOST_BINARY", "/bin/echo")
        result = run("--sinks", "publish", inprocess=True)
        self.check(result, "/bin/echo is not pytest-host's `host`")

    def test_silent_core(
        self,
        pytester: pytest.Pytester,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        silent = tmp_path / "silent"
        silent.write_text("#!/bin/sh\nexec sleep 15\n")
        silent.chmod(0o755)
        monkeypatch.setenv("PYTEST_HOST_BINARY", str(silent))
        pytester.makepyfile(PASS)
        started = time.monotonic()
        result = run("--sinks", "publish", inprocess=True)
        assert 2 < time.monotonic() - started < 12
        self.check(result, "the host did not start in time")

    def test_quiet(
        self, pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytester.makepyfile(PASS)
        monkeypatch.setenv("PYTEST_HOST_BINARY", "/nowhere")
        result = run("-q", "--sinks", "publish", inprocess=True)
        assert result.stdout.lines[-1].startswith("pytest-host: this run is not reported: ")


class TestLaunch:
    def test_starts_a_core(
        self, pytester: pytest.Pytester, run: Run, binary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytester.makepyfile(
            """
            import os
            import warnings

            def test_a():
                assert not any(name.startswith("PYTEST_HOST") for name in os.environ)
            """
        )
        monkeypatch.setenv("PYTEST_HOST_SINKS", "a,b")
        result = run("--pubdir", "results", "-W", "error")
        result.assert_outcomes(passed=1)
        assert result.stdout.lines[-1] == "pytest-host: publish 3 delivered"
        assert result.stderr.str() == ""
        asked, environ = json.loads((binary.parent / "asked.json").read_text())
        assert asked == {"directory": str(pytester.path)}
        assert environ["PYTEST_HOST_SINKS"] == "a,b"
        for _ in range(100):
            if (hellos := binary.parent / "hellos.json").exists():
                break
            time.sleep(0.05)
        (hello,) = json.loads(hellos.read_text())
        assert hello["request"] == {
            "sinks": [],
            "extra_sinks": ["pubdir"],
            "settings": {"pubdir": {"dir": "results"}},
        }

    def test_refused(
        self, pytester: pytest.Pytester, run: Run, binary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CORE_REFUSES", "host.toml:3: unknown key")
        pytester.makepyfile(PASS)
        result = run("--sinks", "publish")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: pytest-host: host.toml:3: unknown key"])


def test_sessions_in_one_process_do_not_meet(
    pytester: pytest.Pytester, core: Core, report: Run, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(PASS)
    report(inprocess=True).assert_outcomes(passed=1)
    assert "PYTEST_HOST_ADDRESS" not in os.environ
    run(inprocess=True).assert_outcomes(passed=1)
    assert len(core.hellos) == 1
    assert len(core.frames("main", "bye")) == 1
