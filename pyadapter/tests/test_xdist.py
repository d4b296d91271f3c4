from __future__ import annotations

import pytest
from conftest import Run
from core import RUN, Core

from pytest_host.controller import ControllerReporter

pytest.importorskip("xdist")


def ended(core: Core, process: str) -> dict[str, str]:
    items = [test for frame in core.frames(process, "items") for test in frame["tests"]]
    return {items[frame["i"]]["nodeid"]: frame["verdict"] for frame in core.frames(process, "end")}


def test_workers_report_their_own(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        import pytest, warnings

        @pytest.mark.parametrize("n", range(8))
        def test_a(n):
            warnings.warn("careful")
            assert n != 3
        """
    )
    result = report("-n2")
    result.assert_outcomes(passed=7, failed=1, warnings=8)
    session, *workers = sorted(core.hellos, key=lambda hello: hello.get("worker", ""))
    assert session["role"] == "session"
    for number, hello in enumerate(workers):
        pid = hello["pid"]
        assert hello == {
            "type": "hello",
            "protocol": 1,
            "token": "s3cret",
            "role": "worker",
            "process": f"gw{number}-{pid}",
            "pid": pid,
            "worker": f"gw{number}",
            "run": RUN,
        }
    assert len(workers) == 2
    kinds = {frame["k"] for frame in core.frames("main")}
    assert kinds == {"session", "finish", "bye"}
    assert core.frames("main", "session")[0]["session"]["dist"] == "load"
    first, second = ended(core, "gw0"), ended(core, "gw1")
    assert not set(first) & set(second)
    both = first | second
    assert len(both) == 8
    assert [nodeid for nodeid, verdict in both.items() if verdict == "failed"] == [
        "test_workers_report_their_own.py::test_a[3]"
    ]
    assert len({frame["c"] for frame in core.frames("gw", "collected")}) == 1
    assert len(core.frames("gw", "warning")) == 8
    for process in ("gw0", "gw1", "main"):
        assert core.frames(process)[-1] == {"k": "bye"}
    assert result.stdout.lines[-1] == "pytest-host: publish 3 delivered"


def test_crash(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        import os

        def test_a(): pass
        def test_crash(): os._exit(3)
        def test_b(): pass
        """
    )
    report("-n1").assert_outcomes(passed=2, failed=1)
    (crash,) = core.frames("main", "crash")
    assert crash.pop("t")
    assert crash == {
        "k": "crash",
        "nodeid": "test_crash.py::test_crash",
        "worker": "gw0",
        "message": "worker 'gw0' crashed while running 'test_crash.py::test_crash'",
    }
    (lost,) = core.frames("main", "worker-lost")
    assert (lost["worker"], lost["reason"]) == ("gw0", "Not properly terminated")
    assert [frame["k"] for frame in core.frames("gw0")][-2:] == ["end", "start"]
    assert ended(core, "gw1") == {"test_crash.py::test_b": "passed"}
    assert len(core.hellos) == 3


def test_loadgroup(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        """
        import os, pytest, warnings

        @pytest.mark.xdist_group("alpha")
        def test_alpha():
            warnings.warn("careful")

        @pytest.mark.xdist_group("one")
        @pytest.mark.xdist_group(name="two")
        @pytest.mark.parametrize("v", ["p@q"])
        def test_both(v): pass

        @pytest.mark.parametrize("v", ["s@t"])
        def test_none(v): pass

        @pytest.mark.xdist_group("omega")
        def test_crash(): os._exit(3)
        """
    )
    report("-n1", "--dist=loadgroup", "--max-worker-restart=0", "-k", "not nothing")
    (items,) = core.frames("gw0", "items")
    assert {test["nodeid"].partition("::")[2]: test["group"] for test in items["tests"]} == {
        "test_alpha": "alpha",
        "test_both[p@q]": "one_two",
        "test_none[s@t]": None,
        "test_crash": "omega",
    }
    assert {test["name"] for test in items["tests"]} == {
        "test_alpha",
        "test_both[p@q]",
        "test_none[s@t]",
        "test_crash",
    }
    assert core.frames("main", "session")[0]["session"]["dist"] == "loadgroup"
    assert all(isinstance(frame["i"], int) for frame in core.frames("gw", "start", "end"))
    for warning in core.frames("gw", "warning"):
        assert warning["nodeid"] == "test_loadgroup.py::test_alpha"
    (crash,) = core.frames("main", "crash")
    assert crash["nodeid"] == "test_loadgroup.py::test_crash"


@pytest.mark.parametrize(
    ("nodeid", "plain"),
    [
        ("a@b/test_c.py::test_d", "a@b/test_c.py::test_d"),
        ("test_c.py::test_d[e@f]", "test_c.py::test_d[e@f]"),
        ("a@b/test_c.py::test_d[e@f]@g", "a@b/test_c.py::test_d[e@f]"),
    ],
)
def test_group_of_a_crashed_test(nodeid: str, plain: str) -> None:
    class Config:
        def getoption(self, name: str, default: object) -> object:
            return "loadgroup" if name == "dist" else default

    reporter = ControllerReporter.__new__(ControllerReporter)
    reporter._config = Config()  # type: ignore[assignment]
    assert reporter._plain(nodeid) == plain


def test_each(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    report("-n2", "--dist=each")
    assert ended(core, "gw0") == ended(core, "gw1") == {"test_each.py::test_a": "passed"}


def test_maxfail(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_a(n): assert 0"
    )
    report("-n2", "-x")
    (finish,) = core.frames("main", "finish")
    assert finish["reason"] == "maxfail"


def test_subtests_in_a_worker(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    if not hasattr(pytest, "Subtests"):
        pytest.skip("this pytest has no subtests")
    pytester.makepyfile("def test_a(subtests):\n    with subtests.test():\n        assert 0")
    report("-n1")
    assert list(ended(core, "gw0").values()) == ["failed"]


def test_collection_errors(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makepyfile("import no_such_module")
    report("-n1")
    (failed,) = core.frames("gw", "collect-failed")
    assert failed["failure"]["kind"] == "ModuleNotFoundError"


def test_worker_that_cannot_attach(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makeconftest(
        """
        def pytest_configure_node(node):
            node.workerinput["pytest_host"] = {
                "address": "/nowhere", "token": "x", "run": "x"
            }
        """
    )
    pytester.makepyfile("def test_a(): pass")
    result = report("-n1", "-q")
    result.assert_outcomes(passed=1)
    assert result.stdout.lines[-1] == (
        "pytest-host: publish 3 delivered; tests of gw0 are missing:"
        " the host at /nowhere does not answer (No such file or directory)"
    )
