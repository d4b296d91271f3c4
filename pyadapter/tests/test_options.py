from __future__ import annotations

from typing import Any

import pytest
from conftest import Run
from core import Core

PASS = "def test_a(): pass"


def request_of(core: Core) -> dict[str, Any]:
    (hello,) = core.hellos
    request: dict[str, Any] = hello["request"]
    return request


@pytest.mark.parametrize(
    ("args", "request_"),
    [
        ([], {}),
        (["--sinks", "publish, pubdir"], {"sinks": ["publish", "pubdir"]}),
        (["--sinks="], {"sinks": []}),
        (
            ["--publish", "http://localhost:1/x"],
            {"extra_sinks": ["publish"], "settings": {"publish": {"url": "http://localhost:1/x"}}},
        ),
        (
            ["--publish=http://localhost:1/x", "--pubdir", "results"],
            {
                "extra_sinks": ["publish", "pubdir"],
                "settings": {
                    "publish": {"url": "http://localhost:1/x"},
                    "pubdir": {"dir": "results"},
                },
            },
        ),
        (
            ["--pubdir", "results", "--pubdir-filter", "all"],
            {
                "extra_sinks": ["pubdir"],
                "settings": {"pubdir": {"dir": "results", "filter": "all"}},
            },
        ),
        (["--pubdir-filter=fail"], {"settings": {"pubdir": {"filter": "fail"}}}),
        (
            ["--rt", "--rtu", "http://localhost:1/l", "--rte=DEV", "--rt-job-report"],
            {
                "extra_sinks": ["rt"],
                "settings": {
                    "rt": {"url": "http://localhost:1/l", "env": "DEV", "job_report": True}
                },
            },
        ),
        (
            ["--rt-custom-id", "CI42", "--rt-custom-data", '{"a": 1}', "--sinks", "rt"],
            {
                "sinks": ["rt"],
                "settings": {"rt": {"custom_id": "CI42", "custom_data": '{"a": 1}'}},
            },
        ),
        (["--rt"], {"extra_sinks": ["rt"], "defaults": []}),
        (
            ["--sinks", "rt", "--pubdir=results", "--sinks-set", "rt.url=x", "--sinks-set=rt.n=1"],
            {
                "sinks": ["rt"],
                "extra_sinks": ["pubdir"],
                "settings": {"pubdir": {"dir": "results"}},
                "set": ["rt.url=x", "rt.n=1"],
            },
        ),
    ],
)
def test_request_to_a_core_that_runs(
    pytester: pytest.Pytester, core: Core, report: Run, args: list[str], request_: dict[str, Any]
) -> None:
    pytester.makepyfile(PASS)
    report(*args, inprocess=True).assert_outcomes(passed=1)
    assert request_of(core) == request_


def test_sinks_host_wins_over_environment(
    pytester: pytest.Pytester, core: Core, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(PASS)
    monkeypatch.setenv("PYTEST_HOST_ADDRESS", "/nowhere")
    run("--sinks-host", str(core.address), inprocess=True).assert_outcomes(passed=1)
    assert len(core.hellos) == 1


@pytest.mark.parametrize("source", ["ini", "environment"])
def test_addopts(
    pytester: pytest.Pytester, core: Core, report: Run, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    pytester.makepyfile(PASS)
    if source == "ini":
        pytester.makeini("[pytest]\naddopts = --pubdir results")
    else:
        monkeypatch.setenv("PYTEST_ADDOPTS", "--pubdir results")
    report("--pubdir-filter", "bad", inprocess=True).assert_outcomes(passed=1)
    assert request_of(core)["settings"] == {"pubdir": {"dir": "results", "filter": "bad"}}


def test_arguments_in_a_file(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    if pytest.version_tuple < (8, 2):
        pytest.skip("this pytest does not read arguments from files")
    pytester.makepyfile(PASS)
    pytester.makefile(".args", given="--publish\nhttp://localhost:1/x")
    report("@given.args", inprocess=True).assert_outcomes(passed=1)
    assert request_of(core)["extra_sinks"] == ["publish"]


@pytest.mark.parametrize(
    "args",
    [["--pubdir-filter", "some", "--pubdir", "x"], ["--sinks-finish-timeout=-1"], ["--publish"]],
)
def test_bad_values(pytester: pytest.Pytester, run: Run, args: list[str]) -> None:
    pytester.makepyfile(PASS)
    assert run(*args, inprocess=True).ret == pytest.ExitCode.USAGE_ERROR


def test_unknown_options_stay_unknown(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(PASS)
    result = run("--pub", "x", inprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --pub*"])


@pytest.mark.parametrize("help_option", ["-h", "--help"])
def test_help_has_all(pytester: pytest.Pytester, run: Run, help_option: str) -> None:
    result = run(help_option, inprocess=True)
    result.stdout.fnmatch_lines(
        [
            "pytest-host:",
            "*--sinks=NAMES*",
            "*--sinks-set=SINK.KEY=VALUE*",
            "*--sinks-host=ADDRESS*",
            "*--sinks-finish-timeout=SECONDS*",
            "*--publish=URL*",
            "*--pubdir=PATH*",
            "*--pubdir-filter=*",
            "*--rt *",
            "*--rtu=URL*",
            "*--rte=ENV*",
            "*--rt-custom-id=ID*",
            "*--rt-job-report*",
            "*--rt-custom-data=JSON*",
            "*--rt-return-job*",
        ]
    )


def test_values_are_not_test_paths(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """With them mistaken for paths, the conftest below is not an initial one."""
    results = pytester.mkdir("results")
    (results / "test_not_this.py").write_text(PASS)
    tests = pytester.mkdir("checks")
    (tests / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--mine', action='store_true')\n"
    )
    (tests / "test_a.py").write_text(PASS)
    pytester.makeini("[pytest]\ntestpaths = checks")
    result = report("--pubdir", "results", "--mine", inprocess=True)
    result.assert_outcomes(passed=1)
    assert request_of(core)["settings"] == {"pubdir": {"dir": "results"}}


def test_nothing_is_registered_when_nothing_is_asked(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        def test_a(request):
            names = [str(name) for name, _ in request.config.pluginmanager.list_name_plugin()]
            assert [name for name in names if name.startswith("pytest_host_")] == []
        """
    )
    for args in ([], ["--pubdir-filter", "all"], ["--sinks-set", "publish.url=x"]):
        result = run(*args, inprocess=True)
        result.assert_outcomes(passed=1)
        result.stdout.no_fnmatch_line("pytest-host*")


def test_environment_is_taken_out(
    pytester: pytest.Pytester, core: Core, report: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a pytest that a test starts is not part of this run."""
    monkeypatch.setenv("PYTEST_HOST_SINKS", "publish")
    pytester.makepyfile(
        """
        import os, subprocess, sys

        def test_a():
            assert [name for name in os.environ if name.startswith("PYTEST_HOST")] == []
            subprocess.run([sys.executable, "-m", "pytest", "-k", "no"])
        """
    )
    report().assert_outcomes(passed=1)
    assert len(core.hellos) == 1
