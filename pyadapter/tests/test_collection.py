from __future__ import annotations

import sys
from typing import Any

import pytest
from conftest import Run
from core import Core

#: Of `test_a` below; Python 3.13 takes the indentation out.
DOCSTRING = (
    "\nFirst line.\n\nMore.\n"
    if sys.version_info >= (3, 13)
    else "\n        First line.\n\n        More.\n        "
)


def announced(core: Core) -> list[dict[str, Any]]:
    return [test for frame in core.frames("main", "items") for test in frame["tests"]]


def test_items(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    folder = pytester.mkdir("sub dir")
    (folder / "test_it.py").write_text(
        '''import pytest

class TestThing:
    @pytest.mark.slow
    @pytest.mark.parametrize("v", ["a::b/c[d]"])
    def test_a(self, v):
        """
        First line.

        More.
        """

def test_b(): pass
'''
    )
    (folder / "test_doc.txt").write_text(">>> 1\n1\n")
    report("--collect-only", "--doctest-glob=*.txt", "-W", "ignore", inprocess=True)
    assert announced(core) == [
        {
            "nodeid": "sub dir/test_doc.txt::test_doc.txt",
            "path": "sub dir/test_doc.txt",
            "line": None if pytest.version_tuple < (7,) else announced(core)[0]["line"],
            "name": "test_doc.txt",
            "domain": "[doctest] test_doc.txt",
            "doc": None,
            "keywords": [],
            "group": None,
        },
        {
            "nodeid": "sub dir/test_it.py::TestThing::test_a[a::b/c[d]]",
            "path": "sub dir/test_it.py",
            "line": 3,
            "name": "test_a[a::b/c[d]]",
            "domain": "TestThing.test_a[a::b/c[d]]",
            "doc": DOCSTRING,
            "keywords": ["parametrize", "slow"],
            "group": None,
        },
        {
            "nodeid": "sub dir/test_it.py::test_b",
            "path": "sub dir/test_it.py",
            "line": 12,
            "name": "test_b",
            "domain": "test_b",
            "doc": None,
            "keywords": [],
            "group": None,
        },
    ]
    (collected,) = core.frames("main", "collected")
    assert collected["count"] == 3
    assert {frame["c"] for frame in core.frames("main", "items")} == {collected["c"]}
    assert core.frames("main", "start") == []
    (finish,) = core.frames("main", "finish")
    assert (finish["exitstatus"], finish["reason"]) == (0, None)


HOSTILE = [
    "plain",
    "a/b",
    "sp ace",
    "ünï☃",
    "x[y]z",
    "a::b",
    "at@sign",
    "",
    "quo'te\"s",
    "tab\tnl\n",
    "../../../escape",
    "L" * 300,
    "\\udc80",
]


def test_hostile_parameters(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.parametrize('v', {HOSTILE!r})\ndef test_odd(v): pass"
    )
    report(inprocess=True).assert_outcomes(passed=len(HOSTILE))
    assert len(announced(core)) == len(HOSTILE)
    assert [frame["i"] for frame in core.frames("main", "end")] == list(range(len(HOSTILE)))
    for test in announced(core):
        assert test["nodeid"] == f"test_hostile_parameters.py::{test['name']}"


def test_many_items(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.parametrize('n', range(2001))\ndef test_a(n): pass"
    )
    report("--collect-only", "-q", inprocess=True)
    frames = core.frames("main", "items")
    assert [(frame["first"], len(frame["tests"])) for frame in frames] == [
        (0, 1000),
        (1000, 1000),
        (2000, 1),
    ]


def test_failed_and_skipped(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        test_import="import no_such_module",
        test_syntax="def (",
        test_skip="import pytest\npytest.skip('not today', allow_module_level=True)",
        test_fine="def test_a(): pass",
    )
    report(inprocess=True)
    broken, syntax = core.frames("main", "collect-failed")
    assert broken["nodeid"] == "test_import.py"
    failure = broken["failure"]
    assert failure["kind"] == "ModuleNotFoundError"
    assert failure["message"] == "No module named 'no_such_module'"
    assert "test_import.py" in failure["traceback"][-1]
    assert "ImportError while importing test module" in failure["longrepr"]
    assert syntax["failure"]["kind"] == "SyntaxError"
    (skipped,) = core.frames("main", "collect-skipped")
    assert (skipped["nodeid"], skipped["reason"]) == ("test_skip.py", "not today")
    (interrupted,) = core.frames("main", "interrupted")
    (finish,) = core.frames("main", "finish")
    assert finish["exitstatus"] == 2
    assert finish["reason"] == interrupted["reason"] == "2 errors during collection"


def test_deselected(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile("def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass")
    report("-k", "test_b", inprocess=True)
    (deselected,) = core.frames("main", "deselected")
    assert deselected["nodeids"] == ["test_deselected.py::test_a", "test_deselected.py::test_c"]
    assert [test["name"] for test in announced(core)] == ["test_b"]


def test_class_is_not_instantiated_for_its_docs(
    pytester: pytest.Pytester, core: Core, run: Run, report: Run
) -> None:
    pytester.makepyfile(
        """
        class Counting(type):
            made = 0
            def __call__(cls):
                Counting.made += 1
                return super().__call__()

        class TestA(metaclass=Counting):
            def test_a(self):
                print("made", Counting.made)
        """
    )
    unreported, reported = run("-s"), report("-s")
    (before,) = (line for line in unreported.stdout.lines if "made" in line)
    (after,) = (line for line in reported.stdout.lines if "made" in line)
    assert before == after
    assert announced(core)[0]["domain"] == "TestA.test_a"


def test_no_tests(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    report(inprocess=True)
    (collected,) = core.frames("main", "collected")
    assert collected["count"] == 0
    (finish,) = core.frames("main", "finish")
    assert finish["exitstatus"] == pytest.ExitCode.NO_TESTS_COLLECTED
