"""Many subscribers to one run, one of whom never reads: the run does not notice."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from support import crowd
from support.announcing import announcer
from support.live_host import LiveHost
from support.polling import until
from support.project import Project

#: Figures in docs/live.md are of 200 and 10,000.
SUBSCRIBERS = int(os.environ.get("E2E_SUBSCRIBERS", "50"))
TESTS = int(os.environ.get("E2E_CROWD_TESTS", "1000"))
#: For host, pytest and all subscribers, who have one machine between them.
DEADLINE = 900

#: Writes down how long the tests took.
CONFTEST = """
import time
from collections.abc import Callable
from pathlib import Path

def pytest_sessionstart(session):
    session.began = time.monotonic()

def pytest_sessionfinish(session):
    Path(__file__).with_name("took").write_text(str(time.monotonic() - session.began))
"""
SUITE = f"import pytest\n@pytest.mark.parametrize('n', range({TESTS}))\ndef test_x(n): pass\n"


def test_a_crowd(project: Project, record_property: Callable[[str, object], None]) -> None:
    project.write("conftest.py", CONFTEST)
    project.write("test_it.py", SUITE)
    project.configure(announcer(topic="news", padding=200))
    server = LiveHost(project)
    alone = run(server)
    before = server.resident()
    ready = project.folder / "ready"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    listening = project.start(
        *(sys.executable, crowd.__file__, server.url, server.secret, "news"),
        *(str(SUBSCRIBERS), f"[{TESTS - 1}]", str(ready)),
        PYTHONPATH=path,
    )
    until("all to have subscribed", lambda: ready.exists() or not listening.is_running(), DEADLINE)
    beside = run(server)
    got = listening.finish(DEADLINE)
    assert got.code == 0, got
    most = server.resident()
    assert json.loads(got.stdout) == {"least": TESTS, "most": TESTS}, "all have all of it"
    figure = (
        f"{SUBSCRIBERS} subscribers and one that never reads, {TESTS} tests: "
        f"{beside / alone:.2f} times as long as alone ({alone:.1f} s); "
        f"the host has {before >> 20} MiB, then {most >> 20} MiB"
    )
    record_property("figure", figure)
    # What a connection has to write, and the ring that they share.
    assert most - before < (64 << 20) + SUBSCRIBERS * (256 << 10), figure


def run(server: LiveHost) -> float:
    outcome = server.pytest("-q").finish(DEADLINE)
    assert outcome.code == 0, outcome
    return float(Path(server.project.folder, "took").read_text())
