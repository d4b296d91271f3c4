"""`host serve`: runs attach to it, and it tells of them over HTTP."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.polling import until
from support.project import Project
from support.serving import Serving
from support.waiting import HELPERS

SUITE = """
import pytest

def test_passes():
    pass

def test_fails():
    assert {"a": 1} == {"b": 2}

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass

@pytest.mark.parametrize("text", ["a b", "[x]", "'q'"])
def test_named(text):
    pass
"""


@pytest.fixture
def serving(project: Project) -> Serving:
    project.write("pytest.ini", "[pytest]\n")
    project.write("test_all.py", SUITE)
    return Serving(project)


def found(serving: Serving, query: str = "") -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = serving.get(f"/api/runs/last/tests{query}")["tests"]
    return tests


def test_a_run_attaches_and_is_looked_at(project: Project, serving: Serving) -> None:
    outcome = project.run("pytest", f"--sinks-host={serving.address}")
    assert outcome.code == 1, outcome
    (run,) = serving.get("/api/runs")["runs"]
    assert run["counts"]["passed"] == 4
    assert run["counts"]["failed"] == run["counts"]["skipped"] == 1
    assert run == {**serving.get("/api/runs/last"), "delivering": run["delivering"]}
    assert run["failures"][0]["nodeid"] == "test_all.py::test_fails"
    assert [test["outcome"] for test in found(serving)] == [
        "passed",
        "failed",
        "skipped",
        "passed",
        "passed",
        "passed",
    ]
    (failed,) = found(serving, "?outcome=failed")
    assert "Right contains 1 more item" in failed["failures"][0]["longrepr"]
    assert [test["nodeid"] for test in found(serving, "?text=A%20B")] == [
        "test_all.py::test_named[a b]"
    ]
    page = serving.get("/api/runs/last/tests?limit=4")
    assert (len(page["tests"]), page["total"], page["next"]) == (4, 6, 4)
    assert len(found(serving, "?limit=4&from=4")) == 2


def test_many_runs_at_once(project: Project) -> None:
    """With sinks of their own, and one whose host is not this one."""
    project.configure('[sink.pubdir]\ndir = "results"\n')
    project.write("test_all.py", SUITE)
    serving = Serving(project)
    attached = [
        project.start("pytest", f"--sinks-host={serving.address}", "--sinks", "pubdir", "-q")
        for _ in range(3)
    ]
    other = project.start("host", "run", "--sinks", "pubdir", "--", "-q")
    by_variable = project.start("pytest", "-q", PYTEST_HOST_ADDRESS=serving.address)
    for run in [*attached, other, by_variable]:
        outcome = run.finish()
        assert outcome.code == 1, outcome
    until(
        "all runs to be over",
        lambda: all(not run["delivering"] for run in serving.get("/api/runs")["runs"]),
    )
    runs = serving.get("/api/runs")["runs"]
    assert len(runs) == 5
    assert {run["counts"]["passed"] for run in runs} == {4}
    assert serving.get("/api/sinks") == []
    metrics = serving.ask("GET", "/metrics").text
    assert 'pytest_host_runs{state="finished"} 5' in metrics


def test_pages_of_runs(project: Project, serving: Serving) -> None:
    for _ in range(3):
        project.run("pytest", "-q", f"--sinks-host={serving.address}", "-k", "passes")
    first = serving.get("/api/runs?limit=2")
    assert len(first["runs"]) == 2
    second = serving.get(f"/api/runs?limit=2&before={first['next']}")
    assert second["next"] is None
    names = [run["run"] for run in first["runs"] + second["runs"]]
    assert names == sorted(names, reverse=True)
    assert serving.get("/api/runs?state=running")["runs"] == []
    assert serving.ask("GET", "/api/runs?state=asleep").status == 422
    assert serving.ask("GET", "/api/runs?limt=2").status == 422
    assert serving.ask("GET", "/api/runs/2020-01-01T00-00-00-0000").json == {
        "detail": 'No run is named "2020-01-01T00-00-00-0000"'
    }


def test_a_pause_is_answered(project: Project) -> None:
    project.write(
        "test_pause.py",
        "from pytest_host import checkpoint\n\n"
        "def test_it(): assert checkpoint(task='look').result\n",
    )
    project.write("test_fails.py", "def test_it():\n    here = 41\n    assert here == 42\n")
    serving = Serving(project)
    attach = ("pytest", f"--sinks-host={serving.address}")
    running = project.start(*attach, "test_pause.py", "test_fails.py", "--pause-on-failure")
    (pause,) = until("a pause", lambda: serving.get("/api/pauses"))
    assert (pause["kind"], pause["task"]) == ("checkpoint", "look")
    path = f"/api/pauses/{pause['id']}"
    extended = serving.post(f"{path}/extend", {"seconds": 60})
    assert extended.json["deadline"] == pytest.approx(pause["deadline"] + 60)
    assert serving.post(f"{path}/extend", {"seconds": -1}).status == 422
    assert serving.post(f"{path}/resume", {"result": True, "reason": "fine"}).json == {
        "accepted": True,
        "deadline": None,
    }
    (failed,) = until(
        "the next pause",
        lambda: [one for one in serving.get("/api/pauses") if one["id"] != pause["id"]],
    )
    inside = serving.get(f"/api/pauses/{failed['id']}")["inside"]
    assert ["here", "41"] in inside["stack"][-1]["locals"]
    again = serving.post(f"{path}/resume", {"result": False})
    assert again.status == 404, again
    assert "pytest_host_pauses 1" in serving.ask("GET", "/metrics").text
    done = serving.post(f"/api/pauses/{failed['id']}/abort", {"reason": "no", "session": False})
    assert done.status == 200, done
    outcome = running.finish()
    assert "1 failed, 1 passed" in outcome.stdout, outcome


def test_a_host_that_comes_back_goes_on_with_a_run(project: Project) -> None:
    """The same token, and nothing of the run is lost."""
    project.configure('[sink.pubdir]\ndir = "results"\n')
    project.write(
        "test_long.py",
        HELPERS
        + "def test_one():\n    announce('begun')\n    wait('go')\n"
        + "def test_two():\n    pass\n",
    )
    serving = Serving(project)
    running = project.start("pytest", f"--sinks-host={serving.address}", "--sinks=pubdir")
    project.wait_for("begun")
    serving.kill()
    again = Serving(project)
    assert again.token == serving.token
    (run,) = again.get("/api/runs")["runs"]
    assert run["state"] == "running"
    (project.folder / "go").touch()
    assert running.finish().code == 0
    over = until(
        "the run to be over",
        lambda: [run for run in again.get("/api/runs")["runs"] if run["state"] == "finished"],
    )
    assert over[0]["counts"]["passed"] == 2
    until("sinks to be done", lambda: again.get("/api/sinks") == [])
    assert len(list((project.folder / "results").rglob("result.json"))) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_when_it_is_told_to(project: Project, number: int) -> None:
    serving = Serving(project)
    outcome = serving.stop(number)
    assert outcome.code == 0, outcome
    assert not (project.folder / ".pytest_host" / "serve.json").exists()
    assert not Path(serving.address).exists()


def test_where_it_is(project: Project, serving: Serving) -> None:
    def told(what: str) -> str:
        outcome = project.run("host", "serve", "--where", what)
        assert outcome.code == 0, outcome
        return outcome.stdout.strip()

    assert told("url") == serving.url
    assert told("token") == serving.token
    assert told("address") == serving.address
    assert int(told("pid")) == serving.pid
    for name in ["serve.json", "serve.token"]:
        mode = (project.folder / ".pytest_host" / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    serving.stop()
    refused = project.run("host", "serve", "--where", "url")
    assert refused.code == 2
    assert "no `host serve` is at work in" in refused.stderr


def test_one_host_serves_a_folder(project: Project, serving: Serving) -> None:
    second = project.run("host", "serve", "--listen", "127.0.0.1:0")
    assert second.code == 2
    assert f"another `host serve` is at work here: {serving.url}" in second.stderr
    elsewhere = project.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "host.toml").touch()
    taken = project.run("host", "serve", "--listen", f"127.0.0.1:{serving.port}", folder=elsewhere)
    assert taken.code == 2
    assert f"cannot listen at 127.0.0.1:{serving.port}" in taken.stderr
    assert serving.get("/healthz")["status"] == "ok"


def test_a_run_does_not_need_the_host_to_stay(project: Project) -> None:
    project.write("test_all.py", SUITE)
    serving = Serving(project)
    serving.stop()
    outcome = project.run("pytest", f"--sinks-host={serving.address}")
    assert outcome.code == 1, outcome
    assert "not reported" in outcome.stdout + outcome.stderr


def test_the_document_has_every_call(serving: Serving) -> None:
    document = serving.ask("GET", "/api/openapi.json", token=False).json
    assert document["openapi"].startswith("3.1")
    calls = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert {("get", "/api/runs/{run}/tests"), ("post", "/api/pauses/{pause}/resume")} <= calls
    for method, path in sorted(calls):
        answer = serving.ask(method.upper(), path.replace("{", "").replace("}", ""), token=False)
        expected = 200 if path == "/healthz" else 401
        assert answer.status == expected, (method, path)


def test_it_keeps_nothing_open_of_runs_that_are_over(project: Project) -> None:
    """What is open costs memory for as long as the host stays. Connections come and go."""
    project.write("test_all.py", HELPERS + "def test_it(): announce('here'); wait('go')\n")
    serving = Serving(project)

    def opened() -> list[str]:
        folder = f"/proc/{serving.pid}/fd"
        found = []
        for number in os.listdir(folder):
            with suppress(FileNotFoundError):
                found.append(os.readlink(f"{folder}/{number}"))
        return found

    def of_runs() -> list[str]:
        return [path for path in opened() if "/runs/" in path]

    first = project.start("pytest", "-q", f"--sinks-host={serving.address}")
    project.wait_for("here")
    assert of_runs()
    # Looked at once, while it goes on.
    assert len(serving.get("/api/runs")["runs"]) == 1
    (project.folder / "go").touch()
    assert first.finish().code == 0
    until("the files of the run to be closed", lambda: not of_runs())
    before, more = len(opened()), 6
    for _ in range(more):
        project.run("pytest", "-q", f"--sinks-host={serving.address}")
    assert len(serving.get("/api/runs")["runs"]) == 1 + more
    until("their files to be closed", lambda: not of_runs())
    until("less than one a run to be open", lambda: len(opened()) < before + more)
