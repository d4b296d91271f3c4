"""`host sink check`, `test` and `bench`: what an author sees before anybody else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.authoring import LANGUAGES, Built
from support.processes import Outcome
from support.project import Project

RECORDINGS = ["outcomes", "xdist", "reruns", "unicode", "large-output", "interrupted", "broken"]


def failed(outcome: Outcome) -> dict[str, str]:
    """Of the first recording, the checks that failed."""
    first = json.loads(outcome.stdout)[0]
    return {check["name"]: check["detail"] for check in first["checks"] if not check["passed"]}


def test_three_languages_do_the_same(project: Project, built: Built) -> None:
    """The same sink passes the same tests with equal output."""
    snapshot = project.folder / "report.snapshot"
    for language in LANGUAGES:
        outcome = project.run(
            *("host", "sink", "test", str(built(language).component), "--json"),
            *("--set=url=http://127.0.0.1:1/results", f"--snapshot={snapshot}"),
        )
        assert outcome.code == 0, (language, outcome)
        tested = json.loads(outcome.stdout)
        assert [one["recording"] for one in tested] == RECORDINGS
        assert all(one["passed"] and one["sent"] == 1 and one["files"] == 1 for one in tested)
    text = snapshot.read_text()
    assert "--- POST http://127.0.0.1:1/results" in text
    assert '"xpassed": 1' in text


@pytest.mark.parametrize(
    ("sink", "settings"),
    [
        ("publish", ["url=http://127.0.0.1:1/x"]),
        ("pubdir", ["dir=out"]),
        ("rt", ["url=http://127.0.0.1:1/"]),
        ("relay", []),
        ("relay", ["ws-url=ws://127.0.0.1:1/"]),
    ],
)
def test_what_comes_with_the_host_passes(project: Project, sink: str, settings: list[str]) -> None:
    sets = [f"--set={setting}" for setting in settings]
    outcome = project.run("host", "sink", "test", sink, *sets)
    assert outcome.code == 0, outcome
    assert f"{len(RECORDINGS)} recordings, all checks passed" in outcome.stdout


@pytest.mark.parametrize(
    ("guest", "check", "detail"),
    [
        ("appends", "killed after each batch", "out/log.txt is another"),
        ("rejecter --set=match=fails", "takes every event", "was rejected"),
        ("traps-in-handle", "takes every event", "it trapped"),
        ("traps-in-open", "takes every event", "open: it trapped"),
        ("traps-in-close", "takes every event", "close: it trapped"),
        ("logs-a-million", "within limits", "limit.log is reached"),
        ("bombs-memory", "takes every event", "limit.memory"),
    ],
)
def test_what_breaks_the_contract_is_found(
    project: Project, guests: Path, guest: str, check: str, detail: str
) -> None:
    name, *settings = guest.split()
    component = str(guests / f"{name}.wasm")
    outcome = project.run(
        "host", "sink", "test", component, *settings, "--recording=outcomes", "--json"
    )
    assert outcome.code == 1, outcome
    assert detail in failed(outcome)[check]


def test_a_run_of_ones_own(project: Project, guests: Path) -> None:
    project.write("test_it.py", "def test_it(): print('mine')\n")
    assert project.run("host", "run", "--sinks=pubdir", "--set=pubdir.dir=out").code == 0
    own = project.run("host", "sink", "test", "pubdir", "--set=dir=x", "--run=last", "--json")
    assert own.code == 0, own
    (tested,) = json.loads(own.stdout)
    assert tested["passed"]
    assert "test_it" in tested["effects"]
    assert not (project.folder / "x").exists(), "nothing is written where it would be in a run"
    recorded = project.run("host", "sink", "record", "last", "mine.jsonl.gz")
    assert recorded.code == 0, recorded
    again = project.run(
        "host", "sink", "test", "pubdir", "--set=dir=x", "--recording=./mine.jsonl.gz", "--json"
    )
    assert json.loads(again.stdout)[0]["events"] == tested["events"]
    assert str(project.folder) not in json.loads(again.stdout)[0]["effects"]


def test_a_snapshot_that_differs_is_shown(project: Project) -> None:
    test = ("host", "sink", "test", "pubdir", "--set=dir=x", "--recording=broken")
    written = project.run(*test, "--snapshot=s")
    assert written.code == 0, written
    assert "s written" in written.stderr
    snapshot = project.folder / "s"
    whole = snapshot.read_text()
    snapshot.write_text(whole.replace("test_good", "test_better"))
    differs = project.run(*test, "--snapshot=s")
    assert differs.code == 1, differs
    assert "+" in differs.stderr
    assert "--update takes it over" in differs.stderr
    assert project.run(*test, "--snapshot=s", "--update").code == 0
    assert snapshot.read_text() == whole


def test_recordings_are_listed_and_others_refused(project: Project) -> None:
    listed = project.run("host", "sink", "test", "pubdir", "--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == RECORDINGS
    unknown = project.run("host", "sink", "test", "pubdir", "--set=dir=x", "--recording=nosuch")
    assert unknown.code == 2
    assert 'no recording is named "nosuch"; there are outcomes' in unknown.stderr


def test_a_component_is_checked(project: Project, built: Built) -> None:
    component = built("rust").component
    (project.folder / "report.wasm").write_bytes(component.read_bytes())
    shown = project.run("host", "sink", "check", "report.wasm", "--set=dir=out")
    assert shown.code == 0, shown
    assert "report.wasm: a sink of contract 0.1.0" in shown.stdout
    table = shown.stdout.partition("\n\n")[2]
    assert table.startswith("[sink.report]\n")
    assert table.endswith('dir = "out"\nallow.write = ["out"]\n')
    # What it says can be put there as it is.
    project.configure(table)
    project.write("test_it.py", "def test_it(): pass\n")
    outcome = project.run("host", "run", "--sinks=report")
    assert outcome.code == 0, outcome
    assert (project.folder / "out" / "summary.json").is_file()


def test_what_is_not_complete_and_what_is_none(project: Project, guests: Path) -> None:
    incomplete = project.run("host", "sink", "check", "publish", "--json")
    assert incomplete.code == 1, incomplete
    assert "url" in json.loads(incomplete.stdout)["problem"]
    for name, says in [("core", "is a core WebAssembly module"), ("no-world", "so it is no sink")]:
        outcome = project.run("host", "sink", "check", str(guests / f"{name}.wasm"))
        assert outcome.code == 2, outcome
        assert says in outcome.stderr
    missing = project.run("host", "sink", "check", "./nosuch.wasm")
    assert missing.code == 2
    assert "is not there" in missing.stderr


def test_a_sink_is_measured(project: Project) -> None:
    outcome = project.run(
        *("host", "sink", "bench", "pubdir", "--set=dir=x", "--events=512", "--rounds=2", "--json")
    )
    assert outcome.code == 0, outcome
    report = json.loads(outcome.stdout)
    assert report["size"] > 100_000
    assert report["compile"] > 0
    for measured in (report["measured"], report["empty"]):
        assert measured["events_per_second"] > 0
        assert measured["memory"] > 0
        assert 0 < measured["batch_median"] <= measured["batch_p99"]
    shown = project.run(
        "host", "sink", "bench", "pubdir", "--set=dir=x", "--events=256", "--rounds=1"
    )
    assert "events a second" in shown.stdout
