"""Options of other plugins: ours where they are used, theirs where somebody else has them."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from conftest import INSTALLED, PLUGIN, Run
from core import Core

PASS = "def test_a(): pass"


def request_of(core: Core) -> dict[str, Any]:
    (hello,) = core.hellos
    request: dict[str, Any] = hello["request"]
    return request


OWNER = """
    def pytest_addoption(parser):
        parser.{where}addoption("--publish", {attributes})

    def pytest_configure(config):
        print("publish is", config.getoption("--publish"))
"""


def owner(where: str = "", attributes: str = 'help="theirs"') -> str:
    return OWNER.format(where=where, attributes=attributes)


@pytest.mark.parametrize("where", ["", "getgroup('theirs').", "getgroup('pytest-host')."])
def test_conftest_owns_an_option(pytester: pytest.Pytester, run: Run, where: str) -> None:
    pytester.makepyfile(PASS)
    pytester.makeconftest(owner(where))
    result = run("-s", "--publish", "theirs", inprocess=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["publish is theirs"])
    result.stdout.no_fnmatch_line("pytest-host*")
    result = run("--help", inprocess=True)
    assert result.stdout.str().count("--publish") == 1
    result.stdout.fnmatch_lines(["*--pubdir=PATH*"])


@pytest.mark.parametrize("order", ["before", "after"])
def test_plugin_owns_an_option(pytester: pytest.Pytester, run: Run, order: str) -> None:
    pytester.makepyfile(PASS, theirs=owner())
    pytester.syspathinsert()
    if order == "before":
        result = pytester.runpytest_inprocess("-p", "theirs", *PLUGIN, "-s", "--publish", "theirs")
    else:
        result = run("-p", "theirs", "-s", "--publish", "theirs", inprocess=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["publish is theirs"])


def test_conftest_that_an_option_looks_like_a_value_of(pytester: pytest.Pytester, run: Run) -> None:
    """`--publish tests` is a flag and a path, if tests/conftest.py says so."""
    tests = pytester.mkdir("tests")
    (tests / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--publish', action='store_true')\n"
    )
    (tests / "test_a.py").write_text(PASS)
    run("--publish", "tests", inprocess=True).assert_outcomes(passed=1)


#: What the published plugins define, and a word that shows that it was theirs.
PUBLISHED = """
    OPTIONS = {
        "--publish": {}, "--pubdir": {}, "--pubdir-filter": {"choices": ["all", "bad", "fail"]},
        "--rt": {"action": "store_true"}, "--rte": {"dest": "env"}, "--rtu": {"dest": "url"},
        "--rt-custom-id": {}, "--rt-job-report": {"action": "store_true"},
        "--rt-custom-data": {}, "--rt-return-job": {"action": "store_true"},
    }

    def pytest_addoption(parser):
        group = parser.getgroup("published")
        for name, attributes in OPTIONS.items():
            group.addoption(name, help="theirs", **attributes)

    def pytest_configure(config):
        names = [dist.project_name for _, dist in config.pluginmanager.list_plugin_distinfo()]
        print("order", *[name for name in names if name in ("published", "pytest-host")])
        print("theirs", config.getoption("--rt"), config.getoption("--rtu"),
              config.getoption("--publish"), config.getoption("--rt-custom-id"))
"""


def install(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *, first: bool) -> None:
    """A distribution with the published plugins' options, before or after ours on the path."""
    pytester.makepyfile(**{"site/published_plugin": PUBLISHED})
    info = pytester.path / "site" / "published-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: published\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pytest11]\npublished = published_plugin\n")
    site = info.parent
    if not first:
        # Run at Python's start, when the folders of installed packages are on the path already.
        early = pytester.mkdir("early")
        (early / "sitecustomize.py").write_text(f"import sys\nsys.path.append({str(site)!r})\n")
        site = early
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_published_plugin_is_installed(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    install(pytester, monkeypatch, first=first)
    pytester.makepyfile(PASS)
    given = ("--rt", "--rtu", "http://x", "--publish=http://y", "--rt-custom-id", "CI42")
    result = run("-s", *given)
    result.assert_outcomes(passed=1)
    if INSTALLED:
        order = ["published", "pytest-host"] if first else ["pytest-host", "published"]
        result.stdout.fnmatch_lines([f"order {' '.join(order)}"])
    result.stdout.fnmatch_lines(["theirs True http://x http://y CI42"])
    result.stdout.no_fnmatch_line("pytest-host: *")
    result = run("--help")
    for option in ("--publish=", "--pubdir=", "--rtu=", "--rt-return-job "):
        assert result.stdout.str().count(f"  {option}") == 1
    result.stdout.fnmatch_lines(["*--sinks=NAMES*"])


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_both_are_installed_and_sinks_are_named(
    pytester: pytest.Pytester,
    core: Core,
    report: Run,
    monkeypatch: pytest.MonkeyPatch,
    first: bool,
) -> None:
    install(pytester, monkeypatch, first=first)
    pytester.makepyfile(PASS)
    result = report("--sinks", "rt", "--rt", "--rtu", "http://x")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["theirs True http://x None None"])
    assert request_of(core) == {"sinks": ["rt"]}


def test_conftest_owns_one_option_of_several(
    pytester: pytest.Pytester, core: Core, report: Run
) -> None:
    pytester.makepyfile(PASS)
    pytester.makeconftest(
        """
        def pytest_addoption(parser):
            parser.addoption("--rte", choices=["quick", "slow"])

        def pytest_configure(config):
            print("rte is", config.getoption("--rte"))
        """
    )
    result = report("-s", "--rt", "--rte", "slow", "--rtu", "http://x", inprocess=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["rte is slow"])
    assert request_of(core)["settings"] == {"rt": {"url": "http://x"}}


# --- what pytest-rt has besides ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conftest", "settings"),
    [
        ("endpoint = 'http://theirs'", {"url": "http://theirs"}),
        (
            "endpoint = 'http://theirs'\nshow_errors = False",
            {"url": "http://theirs", "show_errors": False},
        ),
        (
            "endpoint = 'http://theirs'\nshow_errors = 1",
            {"url": "http://theirs", "show_errors": True},
        ),
    ],
)
def test_rt_reads_the_root_conftest(
    pytester: pytest.Pytester, core: Core, report: Run, conftest: str, settings: dict[str, Any]
) -> None:
    pytester.makeconftest(conftest)
    inner = pytester.mkdir("inner")
    (inner / "conftest.py").write_text("endpoint = 'http://inner'\n")
    (inner / "test_a.py").write_text(PASS)
    report("--rt", "inner", inprocess=True).assert_outcomes(passed=1)
    defaults = [{"sink": "rt", "origin": "conftest.py", "settings": settings}]
    assert request_of(core)["defaults"] == defaults


@pytest.mark.parametrize(
    ("conftest", "args"),
    [
        ("endpoint = 'http://theirs'", ["--rt", "--rtu", "http://ours"]),
        ("endpoint = 'http://theirs'", ["--publish", "http://ours"]),
        ("import pytest\n@pytest.fixture\ndef endpoint(): pass", ["--rt"]),
    ],
    ids=["rtu", "another-sink", "fixture"],
)
def test_rt_leaves_the_conftest_alone(
    pytester: pytest.Pytester, core: Core, report: Run, conftest: str, args: list[str]
) -> None:
    pytester.makepyfile(PASS)
    pytester.makeconftest(conftest)
    report(*args, inprocess=True).assert_outcomes(passed=1)
    assert not request_of(core).get("defaults")


def test_job_file(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """There while tests run, in the folder that pytest was started in."""
    pytester.makepyfile(
        """
        import os, pathlib

        def test_a(tmp_path):
            assert pathlib.Path("testgr_last_job.txt").exists()
            os.chdir(tmp_path)
        """
    )
    report("--rt", "--rtu=http://x", "--rt-return-job").assert_outcomes(passed=1)
    job = (pytester.path / "testgr_last_job.txt").read_text()
    assert str(uuid.UUID(job)) == job
    assert request_of(core)["settings"]["rt"] == {"url": "http://x", "job_id": job}


def test_no_job_file_of_a_run_that_is_refused(
    pytester: pytest.Pytester, core: Core, report: Run
) -> None:
    core.verdict = {"type": "refused", "message": "rt.url: no"}
    pytester.makepyfile(PASS)
    result = report("--rt", "--rt-return-job", inprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / "testgr_last_job.txt").exists()


def test_a_job_file_that_cannot_be_written(
    pytester: pytest.Pytester, core: Core, report: Run
) -> None:
    pytester.makepyfile(PASS)
    Path("testgr_last_job.txt").mkdir()
    result = report("--rt", "--rtu=http://x", "--rt-return-job", inprocess=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*testgr_last_job.txt could not be written (Is a directory)*"])


def test_screens(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """`pytest.t_screen` belongs to the test that set it."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            outcome = yield
            if outcome.get_result().failed:
                pytest.t_screen = [f"shot of {item.name}"]
        """
    )
    pytester.makepyfile(
        """
        import pytest

        def test_set(): pytest.t_screen = "shot"
        def test_none(): pass
        def test_failed(): assert 0
        def test_after(): assert pytest.t_screen == ""
        @pytest.fixture
        def broken(): raise OSError
        def test_setup(broken): pass
        """
    )
    report("-p", "no:terminal")
    items = [test for frame in core.frames("main", "items") for test in frame["tests"]]
    found = {
        (items[frame["i"]]["name"], frame["report"]["phase"]): frame["report"]["properties"]
        for frame in core.frames("main", "phase")
    }
    assert found == {
        ("test_set", "call"): [["t_screen", '"shot"']],
        ("test_failed", "call"): [["t_screen", '["shot of test_failed"]']],
        ("test_setup", "setup"): [["t_screen", '["shot of test_setup"]']],
    }


def test_relay_is_asked_for_by_its_url(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(PASS)
    given = ("--ws-url", "ws://127.0.0.1:1/p", "--session-id=S1", "--strip-paths")
    report(*given).assert_outcomes(passed=1)
    request = request_of(core)
    assert request["extra_sinks"] == ["relay"]
    assert request["settings"] == {
        "relay": {"ws-url": "ws://127.0.0.1:1/p", "session-id": "S1", "strip-paths": True}
    }


def test_settings_of_relay_ask_for_nothing(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(PASS)
    result = run("--session-id", "S1", "--strip-paths", inprocess=True)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("pytest-host*")


def test_targets(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """What pytest was told to run, below its root where it is there."""
    pytester.makepyfile(test_a=PASS)
    pytester.mkdir("sub").joinpath("test_b.py").write_text(PASS)
    report("test_a.py::test_a", str(pytester.path / "sub"), "-k", "a")
    labels = core.frames()[0]["session"]["labels"]
    targets = [value for name, value in labels if name == "target"]
    assert targets == ["test_a.py", "sub"]
