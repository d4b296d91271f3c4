"""What is sent for each kind of outcome."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Run
from core import PHASES, Core, verdicts


def reports(core: Core) -> list[dict[str, Any]]:
    return [frame["report"] for frame in core.frames("main", "phase")]


def only_report(core: Core) -> dict[str, Any]:
    (report,) = reports(core)
    return report


def test_passed(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    report(inprocess=True)
    start, end = core.frames("main", "start", "phase", "end")
    t = start.pop("t")
    assert start == {"k": "start", "i": 0, "a": 1}
    assert end["t"] >= t
    assert (end["i"], end["a"], end["verdict"]) == (0, 1, "passed")
    assert list(end["passed"]) == list(PHASES)
    begun = t
    for phase in PHASES:
        start_, stop, duration = end["passed"][phase]
        assert begun - 1e-5 <= start_ <= stop
        assert duration == pytest.approx(stop - start_, abs=1e-3)
        begun = stop


def test_failed(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    path = pytester.makepyfile(
        """
        import logging, sys

        def helper(value):
            assert value == 2, "differs"

        def test_a():
            print("out")
            print("err", file=sys.stderr)
            logging.warning("careful")
            helper(1)
        """
    )
    report(inprocess=True)
    assert verdicts(core) == {"test_a": "failed"}
    # In order: what passed without a word is told with the next phase that has one.
    phase, end = core.frames("main", "phase", "end")
    assert (list(phase["passed"]), phase["report"]["phase"]) == (["setup"], "call")
    assert list(end["passed"]) == ["teardown"]
    told = only_report(core)
    failure = told.pop("failure")
    assert failure["kind"] == "AssertionError"
    assert failure["message"] == "differs\nassert 1 == 2"
    assert len(failure["traceback"]) == 2
    first, second = failure["traceback"]
    assert first.startswith(f'  File "{path}", line 10, in test_a\n    helper(1)\n')
    assert second.startswith(f'  File "{path}", line 4, in helper\n')
    assert "E       AssertionError: differs" in failure["longrepr"]
    sections = {section.pop("title"): section for section in told.pop("sections")}
    assert sections.pop("Captured log call")["content"].startswith("WARNING  root:")
    assert sections == {
        "Captured stdout call": {"capture": "out", "content": "out\n", "original_size": None},
        "Captured stderr call": {"capture": "err", "content": "err\n", "original_size": None},
    }
    assert 0 < told.pop("duration") < told.pop("stop") - told.pop("start") + 1e-3
    assert told == {
        "phase": "call",
        "outcome": "failed",
        "xfail_reason": None,
        "properties": [],
        "subtest": None,
    }


@pytest.mark.parametrize(
    ("body", "verdict", "expected"),
    [
        (
            "@pytest.mark.skip(reason='marked')\ndef test_a(): pass",
            "skipped",
            ("setup", "skipped", None, "Skipped", "marked", 0),
        ),
        (
            "def test_a(): pytest.skip('in body')",
            "skipped",
            ("call", "skipped", None, "Skipped", "in body", 1),
        ),
        (
            "@pytest.mark.xfail(reason='known')\ndef test_a(): raise KeyError('x')",
            "xfailed",
            ("call", "skipped", "known", "KeyError", "'x'", 1),
        ),
        (
            "def test_a(): pytest.xfail('known')",
            "xfailed",
            ("call", "skipped", "known", "XFailed", "known", 1),
        ),
        (
            "@pytest.mark.xfail(reason='known', run=False)\ndef test_a(): pass",
            "xfailed",
            ("setup", "skipped", "[NOTRUN] known", "XFailed", "[NOTRUN] known", 0),
        ),
        (
            "@pytest.mark.xfail(reason='fixed')\ndef test_a(): pass",
            "xpassed",
            ("call", "passed", "fixed", None, None, None),
        ),
        (
            "@pytest.mark.xfail(reason='fixed', strict=True)\ndef test_a(): pass",
            "failed",
            ("call", "failed", None, "Failed", "[XPASS(strict)] fixed", 0),
        ),
        (
            "@pytest.fixture\ndef f(): raise OSError('no')\ndef test_a(f): pass",
            "error",
            ("setup", "failed", None, "OSError", "no", 1),
        ),
        (
            "@pytest.fixture\ndef f():\n yield\n raise OSError('no')\ndef test_a(f): pass",
            "error",
            ("teardown", "failed", None, "OSError", "no", 1),
        ),
        (
            "class Odd(Exception):\n def __str__(self): raise ValueError\ndef test_a(): raise Odd",
            "failed",
            ("call", "failed", None, "Odd", "<Odd: str() raised ValueError>", 1),
        ),
        (
            "import unittest\nclass T(unittest.TestCase):\n"
            " def test_a(self): self.assertEqual(1, 2)",
            "failed",
            ("call", "failed", None, "AssertionError", "1 != 2", None),
        ),
        (
            "import unittest\nclass T(unittest.TestCase):\n def test_a(self): self.skipTest('why')",
            "skipped",
            ("call", "skipped", None, "Skipped", "why", None),
        ),
        (
            "def test_a(): raise ValueError(b'\\xff'.decode('utf-8', 'surrogateescape'))",
            "failed",
            ("call", "failed", None, "ValueError", "\\udcff", 1),
        ),
    ],
)
def test_outcomes(
    pytester: pytest.Pytester,
    core: Core,
    report: Run,
    body: str,
    verdict: str,
    expected: tuple[Any, ...],
) -> None:
    pytester.makepyfile("import pytest\n" + body)
    report(inprocess=True)
    assert verdicts(core) == {"test_a": verdict}
    told = only_report(core)
    failure = told["failure"]
    phase, outcome, reason, kind, message, frames = expected
    assert (told["phase"], told["outcome"], told["xfail_reason"]) == (phase, outcome, reason)
    if kind is None:
        assert failure is None
        return
    assert (failure["kind"], failure["message"]) == (kind, message)
    assert failure["longrepr"]
    if frames is not None:
        assert len(failure["traceback"]) == frames


def test_call_and_teardown_fail(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def f():
            yield
            raise OSError

        def test_a(f):
            raise KeyError
        """
    )
    report(inprocess=True)
    assert verdicts(core) == {"test_a": "failed"}
    assert [told["failure"]["kind"] for told in reports(core)] == ["KeyError", "OSError"]


def test_each_phase_has_its_own_text(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def f():
            print("setting up")
            yield
            print("tearing down")

        def test_a(f):
            print("calling")

        @pytest.fixture
        def quiet():
            print("setting up")

        def test_b(quiet): pass
        """
    )
    report(inprocess=True)
    told = [
        (told["phase"], [each["content"] for each in told["sections"]]) for told in reports(core)
    ]
    assert told == [
        ("setup", ["setting up\n"]),
        ("call", ["calling\n"]),
        ("teardown", ["tearing down\n"]),
        ("setup", ["setting up\n"]),
    ]
    first, second = core.frames("main", "end")
    assert first["passed"] == {}
    assert list(second["passed"]) == ["call", "teardown"]


def test_sections_of_plugins(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            outcome = yield
            if call.when == "call":
                item.add_report_section("call", "trace", "by item")
                outcome.get_result().sections.append(("Screenshot", "by report"))
        """
    )
    pytester.makepyfile("def test_a(): print('out')")
    report(inprocess=True)
    assert [(each["capture"], each["content"]) for each in only_report(core)["sections"]] == [
        ("out", "out\n"),
        ({"other": "Screenshot"}, "by report"),
    ]


def test_long_and_odd_text(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    core.welcome = {"text_bytes": 1000}
    pytester.makepyfile(
        """
        import os, sys

        def test_a():
            sys.stdout.buffer.write("é".encode() * 501)
            sys.stderr.buffer.write(b"\\xff\\0")
            raise ValueError("m" * 2000)
        """
    )
    report(inprocess=True)
    told = only_report(core)
    out, err = told["sections"]
    assert (out["content"], out["original_size"]) == ("é" * 500, 1002)
    assert (err["content"], err["original_size"]) == ("\ufffd\0", None)
    assert told["failure"]["message"] == "m" * 1000 + "\n[cut: 2000 bytes in all]"


def test_properties(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def early(record_property):
            record_property("in setup", [1, {"a": None}])

        def test_a(early, record_property):
            record_property("nan", float("nan"))
            record_property("object", {1, })
            record_property(3, b"\\xff".decode("utf-8", "surrogateescape"))
            record_property("none", None)
        """
    )
    report(inprocess=True)
    setup, call = reports(core)
    assert setup["properties"] == [["in setup", '[1,{"a":null}]']]
    assert [(name, json.loads(value)) for name, value in call["properties"]] == [
        ("nan", "nan"),
        ("object", "{1}"),
        ("3", "\\udcff"),
        ("none", None),
    ]
    assert verdicts(core) == {"test_a": "passed"}


def test_subtests(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    if not hasattr(pytest, "Subtests"):
        pytest.skip("this pytest has no subtests")
    pytester.makepyfile(
        """
        def test_a(subtests):
            for i in range(2):
                with subtests.test(msg="m", i=i):
                    print("number", i)
                    assert i != 1
        """
    )
    report(inprocess=True)
    passed, failed, whole = reports(core)
    assert (passed["subtest"], passed["outcome"]) == ("[m] (i=0)", "passed")
    assert (failed["subtest"], failed["outcome"]) == ("[m] (i=1)", "failed")
    assert failed["failure"]["message"] == "assert 1 != 1"
    assert [each["content"] for each in failed["sections"]] == ["number 1\n"]
    assert (whole["subtest"], whole["outcome"]) == (None, "failed")
    assert whole["failure"]["message"] == "contains 1 failed subtest"
    assert verdicts(core) == {"test_a": "failed"}


#: What pytest-rerunfailures did before version 16: one start, all reports after
#: the attempt, and no teardown of an attempt that failed.
OLDER_RERUNS = """
    import pytest
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for last in (False, False, True):
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                if report.failed and not last:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
                if report.outcome == "rerun":
                    break
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""


@pytest.mark.parametrize("plugin", ["installed", "older"])
def test_reruns(pytester: pytest.Pytester, core: Core, report: Run, plugin: str) -> None:
    args = ["--reruns", "2"]
    if plugin == "installed":
        pytest.importorskip("pytest_rerunfailures")
    else:
        pytester.makeconftest(OLDER_RERUNS)
        args = ["-p", "no:rerunfailures"]
    pytester.makepyfile(
        """
        import pytest

        runs = []

        @pytest.fixture
        def f():
            yield
            if len(runs) == 3:
                print("tearing down")

        def test_a(f):
            runs.append(1)
            print("run", len(runs))
            assert len(runs) == 3
        """
    )
    report(*args, inprocess=True)
    frames = core.frames("main", "start", "phase", "end")
    assert [(frame["k"], frame["a"], frame.get("verdict")) for frame in frames] == [
        ("start", 1, None),
        ("phase", 1, None),
        ("end", 1, "rerun"),
        ("start", 2, None),
        ("phase", 2, None),
        ("end", 2, "rerun"),
        ("start", 3, None),
        ("phase", 3, None),
        ("phase", 3, None),
        ("end", 3, "passed"),
    ]
    assert [
        (told["phase"], told["outcome"], [each["content"] for each in told["sections"]])
        for told in reports(core)
    ] == [
        ("call", "rerun", ["run 1\n"]),
        ("call", "rerun", ["run 2\n"]),
        ("call", "passed", ["run 3\n"]),
        ("teardown", "passed", ["tearing down\n"]),
    ]
    assert reports(core)[0]["failure"]["kind"] == "AssertionError"


def test_crash_of_a_forked_test(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """pytest-forked has one report for it, of no phase."""
    pytester.makeconftest(
        """
        import pytest

        def pytest_runtest_protocol(item):
            hook = item.ihook
            hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            hook.pytest_runtest_logreport(
                report=pytest.TestReport(
                    item.nodeid, item.location, {}, "failed", "CRASHED with signal 11", "???"
                )
            )
            return True
        """
    )
    pytester.makepyfile("def test_a(): pass")
    report(inprocess=True)
    assert verdicts(core) == {"test_a": "crashed"}
    told = only_report(core)
    assert told["phase"] == "call"
    assert told["failure"]["message"] == "CRASHED with signal 11"


def test_id_collected_twice(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    path = pytester.makepyfile("def test_a(): pass")
    report("--keep-duplicates", str(path), str(path), inprocess=True)
    (collected,) = core.frames("main", "collected")
    assert collected["count"] == 1
    ends = core.frames("main", "end")
    assert [(end["i"], end["a"], end["verdict"]) for end in ends] == [
        (0, 1, "passed"),
        (0, 2, "passed"),
    ]
