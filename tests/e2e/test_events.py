"""Every event of the contract, from real pytest, with all that it says."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from support import collecting
from support.collecting import Event
from support.processes import Running
from support.project import MakeProject, Project
from support.waiting import HELPERS

TEXT_BYTES = 256 << 10
UNREAD_BYTES = 64 << 20

CONFTEST = """
import pytest

def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long")
    config.issue_config_time_warning(UserWarning("at configure"), stacklevel=2)

def pytest_itemcollected(item):
    if item.name == "test_marked":
        item.extra_keyword_matches.add("extra")
"""

COLLECTED = '''import warnings
import pytest

warnings.warn("at import", DeprecationWarning)

class TestThing:
    """Not a test's."""
    @pytest.mark.parametrize("n", ["a::b"])
    def test_params(self, n):
        """One line.

and another"""

@pytest.mark.slow
@pytest.mark.usefixtures("tmp_path")
def test_marked(): pass

def test_warns(): warnings.warn("in a test")
def test_deselected(): pass
'''


@pytest.fixture(scope="module")
def made(make_project: MakeProject, python: str) -> Project:
    """Run from a folder below its root."""
    project = make_project(python)
    collecting.configure(project)
    project.write("pytest.ini", "[pytest]\naddopts = -p no:cacheprovider\n")
    project.write("sub/conftest.py", CONFTEST)
    project.write("sub/test_a.py", COLLECTED)
    project.write("sub/test_broken.py", "def load():\n    import nosuch\nload()\n")
    project.write(
        "sub/test_skipped.py", "import pytest\npytest.skip('not here', allow_module_level=True)\n"
    )
    return project


@pytest.fixture(scope="module")
def started(made: Project) -> tuple[Running, float]:
    args = ("--sinks", "collector", "--continue-on-collection-errors", "-k", "not deselected")
    return made.start("pytest", *args, folder=made.folder / "sub"), time.time()


@pytest.fixture(scope="module")
def events(made: Project, started: tuple[Running, float]) -> list[Event]:
    outcome = started[0].finish()
    assert outcome.code == 1, outcome
    found = collecting.events(made)
    collecting.check_whole(found)
    collecting.check_collection(found)
    return found


def test_session_started(
    made: Project, started: tuple[Running, float], events: list[Event]
) -> None:
    running, before = started
    session = events[0].body
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-[0-9a-f]+", session.pop("id"))
    assert before - 1 < session.pop("started") < time.time()
    version = session.pop("pytest_version")
    assert tuple(map(int, version.split(".")[:2])) == made.installation.pytest
    about = "import json, platform, sys; print(json.dumps([platform.python_version(), sys.prefix,"
    told = made.run("python", "-c", f"{about} sys.base_prefix]))")
    assert [session.pop("python_version"), *session.pop("python_prefixes")] == json.loads(
        told.stdout
    )
    folder = made.folder.resolve()
    assert session == {
        "rootdir": str(folder),
        "invocation_dir": str(folder / "sub"),
        "args": [
            *("--sinks", "collector", "--continue-on-collection-errors"),
            *("-k", "not deselected"),
        ],
        "hostname": platform.node(),
        "pid": running.pid,
        "dist": None,
        "labels": [["target", "sub"], ["utc-offset", str(time.localtime().tm_gmtoff)]],
    }
    assert events[0].worker is None


def test_collected(events: list[Event]) -> None:
    assert collecting.of_kind(events, "collected") == [
        [
            {
                "nodeid": "sub/test_a.py::TestThing::test_params[a::b]",
                "path": "sub/test_a.py",
                "line": 7,
                "name": "test_params[a::b]",
                "domain": "TestThing.test_params[a::b]",
                "doc": "One line.\n\nand another",
                "keywords": ["parametrize"],
                "group": None,
            },
            {
                "nodeid": "sub/test_a.py::test_marked",
                "path": "sub/test_a.py",
                "line": 13,
                "name": "test_marked",
                "domain": "test_marked",
                "doc": None,
                "keywords": ["extra", "slow", "usefixtures"],
                "group": None,
            },
            {
                "nodeid": "sub/test_a.py::test_warns",
                "path": "sub/test_a.py",
                "line": 17,
                "name": "test_warns",
                "domain": "test_warns",
                "doc": None,
                "keywords": [],
                "group": None,
            },
        ]
    ]
    assert collecting.of_kind(events, "collection-finished") == [3]


def test_more_tests_than_an_event_holds(project: Project) -> None:
    collecting.configure(project)
    project.write(
        "test_n.py",
        "import pytest\n@pytest.mark.parametrize('n', range(2001))\ndef test_n(n): pass\n",
    )
    assert project.run("pytest", "--sinks", "collector", "--collect-only", "-q").code == 0
    events = collecting.events(project)
    collecting.check_whole(events)
    chunks = collecting.of_kind(events, "collected")
    assert [len(chunk) for chunk in chunks] == [1000, 1000, 1]
    names = [test["name"] for test in collecting.announced(events)]
    assert names == [f"test_n[{n}]" for n in range(2001)]
    assert collecting.of_kind(events, "collection-finished") == [2001]


def test_groups(project: Project) -> None:
    """With --dist loadgroup; node ids have no part of it."""
    collecting.configure(project)
    project.write(
        "test_g.py",
        "import pytest\n@pytest.mark.xdist_group('one')\ndef test_a(): pass\ndef test_b(): pass\n",
    )
    outcome = project.run("pytest", "--sinks", "collector", "-n1", "--dist=loadgroup")
    assert outcome.code == 0, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    groups = {"test_g.py::test_a": "one", "test_g.py::test_b": None}
    for tests in (collecting.announced(events), collecting.of_kind(events, "phase-finished")):
        assert {test["nodeid"]: test["group"] for test in tests} == groups
    assert events[0].body["dist"] == "loadgroup"
    assert {event.worker for event in events if event.kind.startswith("test-")} == {"gw0"}


def test_collect_failed(made: Project, events: list[Event]) -> None:
    ((nodeid, failure),) = collecting.of_kind(events, "collect-failed")
    assert nodeid == "sub/test_broken.py"
    assert failure["kind"] == "ModuleNotFoundError"
    assert failure["message"] == "No module named 'nosuch'"
    file = made.folder.resolve() / "sub" / "test_broken.py"
    frames = [re.sub(r"\n( +[~^]+\n)?$", "\n", entry) for entry in failure["traceback"]]
    assert [frame for frame in frames if "importlib" not in frame] == [
        f'  File "{file}", line 3, in <module>\n    load()\n',
        f'  File "{file}", line 2, in load\n    import nosuch\n',
    ]
    assert "ImportError while importing test module" in failure["longrepr"]


def test_collect_skipped(events: list[Event]) -> None:
    assert collecting.of_kind(events, "collect-skipped") == [["sub/test_skipped.py", "not here"]]


def test_deselected(events: list[Event]) -> None:
    assert collecting.of_kind(events, "deselected") == [["sub/test_a.py::test_deselected"]]


def test_warnings(made: Project, events: list[Event]) -> None:
    """Those of each stage; only in a test there is one to name."""
    folder = made.folder.resolve() / "sub"
    found = collecting.of_kind(events, "warning")
    by_stage = {warning.pop("stage"): warning for warning in found}
    assert len(found) == len(by_stage) == 3
    assert by_stage == {
        "config": {
            "category": "UserWarning",
            "message": "at configure",
            "path": str(folder / "conftest.py"),
            "line": 6,
            "nodeid": None,
            "code": 'config.issue_config_time_warning(UserWarning("at configure"), stacklevel=2)',
        },
        "collect": {
            "category": "DeprecationWarning",
            "message": "at import",
            "path": str(folder / "test_a.py"),
            "line": 4,
            "nodeid": None,
            "code": 'warnings.warn("at import", DeprecationWarning)',
        },
        "runtest": {
            "category": "UserWarning",
            "message": "in a test",
            "path": str(folder / "test_a.py"),
            "line": 18,
            "nodeid": "sub/test_a.py::test_warns",
            "code": 'def test_warns(): warnings.warn("in a test")',
        },
    }


def test_the_end_of_a_session(events: list[Event]) -> None:
    assert events[-1].body == {"exitstatus": 1, "reason": None}


VERDICTS = """
import pytest

TRIED = []
@pytest.fixture
def broken(): raise RuntimeError

@pytest.mark.flaky(reruns=1)
def test_rerun(): TRIED.append(0); assert len(TRIED) > 1
def test_failed(): assert 0
def test_error(broken): pass
def test_skipped(): pytest.skip()
def test_xfailed(): pytest.xfail()
@pytest.mark.xfail
def test_xpassed(): pass
def test_interrupted(): raise KeyboardInterrupt
"""


def test_every_verdict(make_project: MakeProject, python: str) -> None:
    """But `crashed`, which takes a process that dies: see test_crashes.py."""
    project = make_project(python)
    collecting.configure(project)
    project.write("test_v.py", VERDICTS)
    outcome = project.run("pytest", "--sinks", "collector")
    assert outcome.code == 2, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    found = [
        (event.body["nodeid"].partition("_v.py::test_")[2], event.body["attempt"], event.body)
        for event in events
        if event.kind == "test-finished"
    ]
    assert [(name, attempt, body["verdict"]) for name, attempt, body in found] == [
        ("rerun", 1, "rerun"),
        ("rerun", 2, "passed"),
        *((name, 1, name) for name in ("failed", "error", "skipped", "xfailed", "xpassed")),
        ("interrupted", 1, "interrupted"),
    ]
    assert all(0 <= body["duration"] < 60 for _, _, body in found)
    starts = collecting.of_kind(events, "test-started")
    assert starts == [[body["nodeid"], body["attempt"]] for _, _, body in found]


def test_worker_lost(project: Project) -> None:
    collecting.configure(project)
    project.write("test_w.py", "import os\ndef test_a(): os._exit(3)\n")
    assert project.run("pytest", "--sinks", "collector", "-n1").code == 1
    events = collecting.events(project)
    collecting.check_whole(events)
    (lost,) = (event for event in events if event.kind == "worker-lost")
    assert lost.body == ["gw0", "Not properly terminated"]
    (crash,) = collecting.of_kind(events, "phase-finished")
    message = "worker 'gw0' crashed while running 'test_w.py::test_a'"
    assert crash["failure"] == {
        "kind": "WorkerCrash",
        "message": message,
        "traceback": [],
        "longrepr": message,
    }


GAP = f"""
{HELPERS}
TEXT = "x" * ({TEXT_BYTES} - 1)

def test_stops_the_core(): announce("midway"); wait("go")
@pytest.mark.parametrize("n", range({UNREAD_BYTES // TEXT_BYTES + 40}))
def test_loud(n): print(TEXT)
def test_lets_it_go_on(): announce("full"); wait("read")
def test_last(): print("last")
"""


def test_gap(project: Project) -> None:
    """A core that stands still, while pytest says more than is kept for it."""
    collecting.configure(project)
    project.write("test_g.py", GAP)
    running = project.start("pytest", "--sinks", "collector")
    project.wait_for("midway")
    core = project.core()
    os.kill(core, signal.SIGSTOP)
    (project.folder / "go").touch()
    project.wait_for("full")
    os.kill(core, signal.SIGCONT)
    (project.folder / "read").touch()
    outcome = running.finish()
    assert outcome.code == 0, outcome
    events = collecting.events(project)
    (gap,) = collecting.of_kind(events, "gap")
    assert gap["reason"] == f"the host is {UNREAD_BYTES} bytes behind"
    left_out = f"{gap['count']} events of this process could not be kept"
    assert left_out in outcome.stdout, outcome
    check_gap(events, gap)


def check_gap(events: list[Event], gap: Any) -> None:
    """What is there is in order, and with what is missing it is all that was said."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    at = next(n for n, event in enumerate(events) if event.kind == "gap")
    before = sum(map(is_frame, events[:at]))
    after = sum(map(is_frame, events[at + 1 :]))
    assert gap["first"] == before
    # Of the session, of the collection; start, call and end of each test, of which two pass
    # without a word; what pytest ended with, and that nothing follows.
    said = 1 + 2 + 3 * len(collecting.announced(events)) - 2 + 2
    assert before + gap["count"] + after + 2 == said
    assert events[-1].body == {"exitstatus": 0, "reason": None}
    for _, reason in collecting.of_kind(events, "not-run"):
        assert reason == "unknown: events were lost"


def is_frame(event: Event) -> bool:
    """Phases that passed without a word come with the frame that follows them.

    The core ends by itself what has no end, and tells what was never started.
    """
    if event.kind == "phase-finished":
        return bool(event.body["sections"])
    if event.kind == "test-finished":
        return bool(event.body["verdict"] == "passed")
    return event.kind not in ("session-finished", "not-run")


#: The test that shows each case of the contract's `event`, here or in the file that is named.
SHOWN = {
    "session-started": "test_session_started",
    "collected": "test_collected",
    "collect-failed": "test_collect_failed",
    "collect-skipped": "test_collect_skipped",
    "deselected": "test_deselected",
    "collection-finished": "test_collected",
    "test-started": "test_every_verdict",
    "phase-finished": "test_phases.py::test_sections_are_of_their_own_phase",
    "test-finished": "test_every_verdict",
    "not-run": "test_endings.py::test_not_run",
    "warning": "test_warnings",
    "worker-lost": "test_worker_lost",
    "pause-opened": "test_pauses.py::test_sinks_are_told",
    "pause-closed": "test_pauses.py::test_sinks_are_told",
    "extension": "test_pauses.py::test_sinks_are_told",
    "orchestration-reported": "test_orchestration.py::test_sinks_are_told",
    "interrupted": "test_endings.py::test_interrupted_by_a_signal",
    "gap": "test_gap",
    "session-finished": "test_endings.py::test_session_finished",
}

#: Nothing tells these yet.
TO_COME = {"job-changed"}


def test_no_case_is_forgotten() -> None:
    cases = collecting.cases_of_contract()
    assert len(cases) >= 20
    assert set(SHOWN) | TO_COME == set(cases)
    assert not set(SHOWN) & TO_COME
    for name in SHOWN.values():
        file, _, test = name.rpartition("::")
        text = Path(__file__).with_name(file or Path(__file__).name).read_text()
        assert f"\ndef {test}(" in text, name
