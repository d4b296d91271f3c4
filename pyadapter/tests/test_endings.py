"""What is sent about the session itself: endings, warnings, errors."""

from __future__ import annotations

import pytest
from conftest import Run
from core import PHASES, Core, verdicts


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_maxfail(pytester: pytest.Pytester, core: Core, report: Run, option: str) -> None:
    pytester.makepyfile("def test_a(): assert 0\ndef test_b(): pass")
    report(option, inprocess=True)
    assert verdicts(core) == {"test_a": "failed"}
    (finish,) = core.frames("main", "finish")
    assert (finish["exitstatus"], finish["reason"]) == (1, "maxfail")
    assert core.frames("main", "interrupted") == []


@pytest.mark.parametrize(
    ("body", "exitstatus", "reason", "interruption"),
    [
        ("raise KeyboardInterrupt", 2, "interrupted", "KeyboardInterrupt"),
        ("import pytest; pytest.exit('enough', 9)", 9, "exit: enough", "exit: enough"),
        ("request.session.shouldstop = 'had it'", 2, "had it", "had it"),
    ],
)
def test_interrupted(
    pytester: pytest.Pytester,
    core: Core,
    report: Run,
    body: str,
    exitstatus: int,
    reason: str,
    interruption: str,
) -> None:
    pytester.makepyfile(f"def test_a(request): {body}\ndef test_b(): pass")
    report()
    (finish,) = core.frames("main", "finish")
    assert (finish["exitstatus"], finish["reason"]) == (exitstatus, reason)
    (interrupted,) = core.frames("main", "interrupted")
    assert interrupted["reason"] == interruption
    stopped_after = "shouldstop" in body
    assert verdicts(core) == {"test_a": "passed" if stopped_after else "interrupted"}
    (end,) = core.frames("main", "end")
    assert list(end["passed"]) == (list(PHASES) if stopped_after else ["setup"])


def test_internal_error(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    pytester.makeconftest("def pytest_runtest_logfinish(nodeid): 1 / 0")
    pytester.makepyfile("def test_a(): pass")
    assert report().ret == pytest.ExitCode.INTERNAL_ERROR
    (finish,) = core.frames("main", "finish")
    assert (finish["exitstatus"], finish["reason"]) == (3, "internal error")
    assert verdicts(core) == {"test_a": "passed"}


def test_warnings(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    path = pytester.makepyfile(
        """
        import warnings
        warnings.warn("while collecting")

        def test_a():
            warnings.warn("while running", DeprecationWarning)
        """
    )
    report()
    told = core.frames("main", "warning")
    for frame in told:
        assert frame.pop("t")
    assert told == [
        {
            "k": "warning",
            "category": "UserWarning",
            "message": "while collecting",
            "path": str(path),
            "line": 2,
            "stage": "collect",
            "nodeid": None,
            "code": 'warnings.warn("while collecting")',
        },
        {
            "k": "warning",
            "category": "DeprecationWarning",
            "message": "while running",
            "path": str(path),
            "line": 5,
            "stage": "runtest",
            "nodeid": "test_warnings.py::test_a",
            "code": 'warnings.warn("while running", DeprecationWarning)',
        },
    ]


def test_unannounced_item(pytester: pytest.Pytester, core: Core, report: Run) -> None:
    """Plugins run items of their own making."""
    pytester.makeconftest(
        """
        def pytest_runtestloop(session):
            item = session.items[0]
            other = type(item).from_parent(item.parent, name="other", callobj=item.obj)
            item.config.hook.pytest_runtest_protocol(item=other, nextitem=None)
            return True
        """
    )
    pytester.makepyfile("def test_a(): pass")
    report(inprocess=True)
    start, end = core.frames("main", "start", "end")
    assert start["i"] == end["i"] == "test_unannounced_item.py::other"


def test_our_own_error(
    pytester: pytest.Pytester, core: Core, report: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the reporting, not the run, and is told once."""

    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("pytest_host.reports.convert", fail)
    pytester.makepyfile("def test_a(): assert 0\ndef test_b(): assert 0\ndef test_c(): pass")
    result = report(inprocess=True)
    result.assert_outcomes(failed=2, passed=1)
    told = [line for line in result.stdout.lines if line.startswith("pytest-host:")]
    assert told == [
        "pytest-host: publish 3 delivered; reporting ended early, an error of pytest-host's:"
        " ZeroDivisionError('ours')"
    ]
