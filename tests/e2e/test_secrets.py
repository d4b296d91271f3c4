"""No secret gets out: neither what tests tell, nor what sinks are configured with."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from support import collecting, planting
from support.journals import journal_of, left, runs
from support.pausing import Pauses
from support.planting import ARGS, PLACES, WITH_XDIST, WITHOUT_XDIST, leaks, secret
from support.polling import until
from support.processes import Outcome
from support.project import Project, read_results
from support.receiving import Receiver
from support.waiting import HELPERS

NO_BUILTIN = "redact-builtin = false\n"


def configure(project: Project, top: str, guests: Path) -> list[Receiver]:
    """All kinds of sinks, and texts that are cut early."""
    receivers = [project.receiver(), project.receiver()]
    collector = collecting.table(project.folder / "collected", guests).partition("\n")[2]
    project.configure(
        f'{top}limit.text = "1 KiB"\nsinks = ["publish", "rt", "pubdir", "collector"]\n'
        f'[sink.publish]\nurl = "{receivers[0].url}"\n[sink.rt]\nurl = "{receivers[1].url}"\n'
        f'[sink.pubdir]\ndir = "results"\n{collector}'
    )
    return receivers


def compile_guests(project: Project) -> None:
    """Or the compiler's own log has a gigabyte where all is logged."""
    assert "loads, and accepts" in project.run("host", "doctor", RESULTS="x").stdout


def everything(project: Project) -> list[Path]:
    """What the host, and whoever it tells, has of a run."""
    received = list(project.folder.glob("received-*.jsonl"))
    return [project.folder / name for name in (".pytest_host", "results", "collected")] + received


def shown(project: Project) -> list[str]:
    """What the commands that look at runs say."""
    outcomes = [
        project.run("host", *command.split())
        for command in (
            "runs show",
            "runs show --json",
            "runs ls --json",
            "watch --once",
            "watch --once --json",
            "sink dead-letters --json",
            "drain",
        )
    ]
    return [text for outcome in outcomes for text in (outcome.stdout, outcome.stderr)]


@pytest.mark.parametrize("xdist", [(), ("-n2", "--dist=loadgroup")], ids=["plain", "xdist"])
@pytest.mark.parametrize("top", ["", NO_BUILTIN], ids=["redacted", "control"])
def test_what_tests_tell(project: Project, guests: Path, top: str, xdist: tuple[str, ...]) -> None:
    planting.plant(project)
    configure(project, top, guests)
    compile_guests(project)
    outcome = project.run("host", "run", "--", *ARGS, *xdist, PYTEST_HOST_LOG="trace")
    assert outcome.code == 1, outcome
    assert "left" not in outcome.stderr, outcome
    events = collecting.events(project)
    collecting.check_whole(events)
    archive = project.folder / "run.tar.gz"
    assert project.run("host", "runs", "export", "last", "-o", str(archive)).code == 0
    said = [outcome.stderr, *shown(project)]
    places = WITH_XDIST if xdist else WITHOUT_XDIST
    if top:
        found = leaks(places, *everything(project))
        assert set(found) == places, "a place that would not be noticed"
        for where in found.values():
            assert any("journal.db" in name for name in where), where
        return
    assert leaks(PLACES, *everything(project), said=said) == {}
    names = [test["name"] for test in collecting.announced(events)]
    params = [name for name in names if name.startswith("test_param[[redacted]-")]
    assert len(set(params)) == 2
    (named,) = [name for name in names if name.startswith("test_[redacted]-")]
    assert f"test_plants.py::{named}" in {
        r["nodeid"] for r in read_results(project.folder / "results")
    }


@pytest.mark.parametrize("top", ["", NO_BUILTIN], ids=["redacted", "control"])
def test_what_takes_a_worker_down_or_ends_the_run(project: Project, guests: Path, top: str) -> None:
    configure(project, top, guests)
    crash, end = secret("crash"), secret("exit")
    project.write(
        "test_a.py",
        f"import os, pytest\ndef test_{crash}(): os._exit(3)\ndef test_b(): pass\n",
    )
    outcome = project.run("host", "run", "--", "-n1")
    assert outcome.code == 1, outcome
    collecting.check_whole(collecting.events(project))
    (project.folder / "collected" / "events.jsonl").unlink()
    project.write("test_a.py", f"import pytest\ndef test_a(): pytest.exit('{end}')\n")
    outcome = project.run("host", "run")
    assert outcome.code == 2, outcome
    collecting.check_whole(collecting.events(project))
    found = leaks(["crash", "exit"], *everything(project), said=[outcome.stderr, *shown(project)])
    assert set(found) == ({"crash", "exit"} if top else set())


@pytest.mark.parametrize("top", ["", NO_BUILTIN], ids=["redacted", "control"])
def test_segments_that_nobody_has_read(project: Project, guests: Path, top: str) -> None:
    configure(project, top, guests)
    text = f'{HELPERS}\ndef test_a():\n    announce("started")\n    wait("go")\n'
    project.write("test_a.py", f'{text}    print("{secret("segment")}")\n    assert 0\n')
    running = project.start("host", "run")
    project.wait_for("started")
    os.kill(project.core(), signal.SIGKILL)
    project.wait_for_cores()
    (project.folder / "go").touch()
    outcome = running.finish()
    assert outcome.code == 1, outcome
    found = leaks(["segment"], *everything(project), said=[outcome.stderr])
    assert set(found) == ({"segment"} if top else set())
    assert not top or any(name.endswith(".seg") for name in found["segment"])


def test_patterns_of_ones_own(project: Project, guests: Path) -> None:
    configure(project, "redact = ['(?i)own-(\\d)\\1', 'tok_\\w+']\n", guests)
    project.write(
        "test_a.py",
        "import pytest\n@pytest.mark.parametrize('x', ['tok_a', 'tok_b'])\n"
        f"def test_a(x, record_property):\n    print('OWN-11 own-12 {secret('x')}')\n"
        "    record_property('n', ['own-22', 1])\n    record_property('tok_c', 0)\n",
    )
    assert project.run("host", "run", "--", "-n2").code == 0
    events = collecting.events(project)
    collecting.check_whole(events)
    assert leaks(["x"], *everything(project)) == {}
    phases = [each for each in collecting.of_kind(events, "phase-finished") if each["sections"]]
    assert len(phases) == 2
    for phase in phases:
        (section,) = phase["sections"]
        assert section["content"] == "[redacted] own-12 [redacted]\n"
        assert phase["properties"] == [["n", '["[redacted]",1]'], ["[redacted]", "0"]]
    assert "tok_" not in (project.folder / "collected" / "events.jsonl").read_text()


BAD = 'host.toml:2: redact: "a[" is no regular expression: unterminated character set at position 1'


def test_a_bad_pattern_is_bad_input(project: Project) -> None:
    project.write("test_a.py", "def test_a(): open('ran', 'w')\n")
    project.configure('sinks = ["pubdir"]\nredact = ["b", "a["]\n[sink.pubdir]\ndir = "results"\n')
    outcome = project.run("host", "run")
    assert (outcome.code, outcome.stderr, outcome.stdout) == (2, f"host: {BAD}\n", "")
    # An interpreter that nobody knows before it runs: the adapter says the same.
    runner = f"{project.installation.python} -m pytest"
    outcome = project.run("host", "run", "--runner", runner)
    assert (outcome.code, outcome.stderr.splitlines()[-1]) == (2, f"host: {BAD}"), outcome
    for xdist in ((), ("-n2",)):
        outcome = project.run("pytest", "--sinks=pubdir", *xdist)
        assert outcome.code == 4, outcome
        assert f"ERROR: pytest-host: {BAD}" in outcome.stderr.splitlines()
    project.wait_for_cores()
    assert not (project.folder / "ran").exists()
    assert runs(project) == []
    doctor = project.run("host", "doctor")
    assert doctor.code == 1
    assert BAD in doctor.stdout


PLAIN, VARIABLE, FILE = (secret(f"setting{kind}") for kind in ("plain", "variable", "file"))
SETTINGS = ("settingplain", "settingvariable", "settingfile", "settingflag")


def protect(project: Project, url: str) -> None:
    """An endpoint that asks for all kinds of secrets."""
    project.write("test_a.py", "def test_a(): pass\n")
    project.write("secrets/key", f"{FILE}\n")
    project.configure(
        f'sinks = ["publish"]\n[sink.publish]\nurl = "{url}"\nheaders.Authorization = "Bearer '
        f'${{RESULTS}}"\nheaders.Cookie = "{PLAIN}"\nheaders.X-Other = "file:secrets/key"\n'
    )


def check_headers(receiver: Receiver) -> None:
    (request,) = receiver.requests()
    assert request.headers["authorization"] == f"Bearer {VARIABLE}"
    assert request.headers["cookie"] == PLAIN
    assert request.headers["x-other"] == FILE
    assert request.headers["x-api-key"] == secret("settingflag")


FLAG = f"--set=publish.headers.X-Api-Key={secret('settingflag')}"


def test_settings_reach_the_sink_alone(project: Project) -> None:
    receiver = project.receiver()
    protect(project, receiver.url)

    compile_guests(project)

    def host(*command: str) -> Outcome:
        return project.run("host", *command, PYTEST_HOST_LOG="trace", RESULTS=VARIABLE)

    outcomes = [host("run", FLAG)]
    assert outcomes[0].code == 0, outcomes
    check_headers(receiver)
    for command in ("sink ls", "doctor", "runs show", "runs ls", "watch --once", "drain"):
        outcomes.append(host(*command.split()))
        outcomes.append(host(*command.split(), "--json"))
    project.wait_for_cores()
    said = [text for outcome in outcomes for text in (outcome.stdout, outcome.stderr)]
    assert leaks(SETTINGS, project.folder / ".pytest_host", said=said) == {}
    journal = journal_of(project, runs(project)[-1])
    kept = [path.read_bytes() for path in journal.parent.glob("journal.db*")]
    assert any(b"${RESULTS}" in each for each in kept), (
        "the control: settings are there, as references"
    )
    # Not even among pytest's arguments.
    flag = FLAG.replace("--set", "--sinks-set")
    assert project.run("pytest", "--sinks=publish", flag, RESULTS=VARIABLE).code == 0
    project.wait_for_cores()
    assert leaks(SETTINGS, project.folder / ".pytest_host") == {}


def test_an_error_does_not_show_what_is_wrong_with_a_secret(project: Project) -> None:
    receiver = project.receiver()
    protect(project, receiver.url)
    for setting in ("timeout", "headers", "url"):
        flag = f"--set=publish.{setting}=${{RESULTS}}"
        for command in (["run"], ["doctor", "--json"]):
            outcome = project.run("host", *command, flag, RESULTS=VARIABLE)
            assert outcome.code == (2 if command == ["run"] else 1), outcome
            assert leaks(SETTINGS, said=[outcome.stdout, outcome.stderr]) == {}
            assert f"--set publish.{setting}: " in outcome.stdout + outcome.stderr, outcome
    shows = project.run("host", "run", "--set=publish.timeout=shown", RESULTS=VARIABLE)
    assert '"shown"' in shows.stderr, "the control: others are shown"


def test_what_is_left_goes_out_with_secrets_that_were_not_kept(project: Project) -> None:
    down = project.receiver()
    down.end()
    protect(project, down.url)
    outcome = project.run("host", "run", FLAG, "--drain-timeout=0s", RESULTS=VARIABLE)
    assert outcome.code == 0, outcome
    advice = "goes out with: host drain --set publish.headers.X-Api-Key=…"
    assert outcome.stderr.splitlines()[-1].endswith(advice)
    project.wait_for_cores()
    (run,) = runs(project)
    before = left(journal_of(project, run))
    receiver = project.receiver(port=down.port)

    def drain(*flags: str) -> Outcome:
        return project.run("host", "drain", *flags, RESULTS=VARIABLE)

    lacks = project.run("host", "drain", FLAG)
    assert lacks.code == 1
    missing = (
        "host.toml:4: publish.headers.Authorization: the environment variable RESULTS is not set"
    )
    assert missing in lacks.stdout, lacks
    lacks = drain()
    assert lacks.code == 1
    assert "give it again with --set publish.headers.X-Api-Key=…" in lacks.stdout, lacks
    assert left(journal_of(project, run)) == before, "the events stay"
    assert receiver.requests() == []
    slip = drain("--set=publsh.token=x")
    assert (slip.code, slip.stderr) == (
        2,
        'host: no run has a sink "publsh"; did you mean "publish"?\n',
    )
    drained = drain(FLAG)
    assert drained.code == 0, drained
    check_headers(receiver)
    said = [text for each in (lacks, drained) for text in (each.stdout, each.stderr)]
    assert leaks(SETTINGS, project.folder / ".pytest_host", said=said) == {}


def test_the_next_run_has_the_secrets_for_those_before_it(project: Project) -> None:
    down = project.receiver()
    down.end()
    protect(project, down.url)
    project.run("host", "run", FLAG, "--drain-timeout=0s", RESULTS=VARIABLE)
    project.wait_for_cores()
    (first,) = runs(project)
    receiver = project.receiver(port=down.port)
    project.write("test_a.py", f'{HELPERS}\ndef test_b():\n    wait("go")\n')
    running = project.start("host", "run", FLAG, RESULTS=VARIABLE)
    until("delivery", lambda: not any(left(journal_of(project, first)).values()))
    check_headers(receiver)
    (project.folder / "go").touch()
    assert running.finish().code == 0
    project.wait_for_cores()
    assert leaks(SETTINGS, project.folder / ".pytest_host") == {}


def test_references_that_lead_nowhere_are_bad_input(project: Project) -> None:
    project.write("test_a.py", "def test_a(): open('ran', 'w')\n")
    project.configure('[sink.publish]\nurl = "${NOPE}/x"\n[sink.pubdir]\ndir = "file:nope"\n')
    says = "host.toml:2: publish.url: the environment variable NOPE is not set"
    outcome = project.run("host", "run", "--sinks=publish")
    assert (outcome.code, outcome.stderr) == (2, f"host: {says}\n")
    outcome = project.run("pytest", "--sinks=publish")
    assert outcome.code == 4
    assert f"pytest-host: {says}" in outcome.stderr
    outcome = project.run("host", "run", "--sinks=pubdir")
    file = project.folder / "nope"
    says = (
        f"host.toml:4: pubdir.dir: {file}: cannot be read: No such file or directory (os error 2)"
    )
    assert (outcome.code, outcome.stderr) == (2, f"host: {says}\n")
    assert not (project.folder / "ran").exists()
    listed = json.loads(project.run("host", "sink", "ls", "--json").stdout)
    assert {sink["name"]: sink["settings"] for sink in listed}["publish"] == ["url"]


def checkpoint_suite() -> str:
    task, local, output = secret("task"), secret("pauselocal"), secret("pauseoutput")
    return f"""
from pytest_host import checkpoint

def test_a():
    local = "{local}"
    print("{output}")
    assert checkpoint(task="{task}").reason == "{secret("answer")}"

def test_b():
    raise ValueError("{secret("failure")}")
"""


@pytest.mark.parametrize("top", ["", NO_BUILTIN], ids=["redacted", "control"])
def test_a_pause(project: Project, guests: Path, top: str) -> None:
    """What is announced, shown and answered; the test itself gets the answer as it was given."""
    configure(project, top, guests)
    project.write("test_a.py", checkpoint_suite())
    pauses = Pauses(project)
    running = pauses.start("--sinks=collector,pubdir", "-s", environ={"PYTEST_HOST_LOG": "trace"})
    said: list[str] = []
    for command in (["--result=true", f"--reason={secret('answer')}"], []):
        id = str(pauses.hosted(pauses.one())["pause_id"])
        outcomes = [pauses.host("show", id), pauses.host("show", id, "--json")]
        outcomes += [pauses.host("ls", "--json"), pauses.host("resume", id, *command)]
        assert [outcome.code for outcome in outcomes] == [0, 0, 0, 0], outcomes
        said += [text for outcome in outcomes for text in (outcome.stdout, outcome.stderr)]
    outcome = running.finish()
    assert outcome.code == 1, outcome
    assert "1 failed, 1 passed" in outcome.stdout
    collecting.check_whole(collecting.events(project))
    places = {"task", "pauselocal", "pauseoutput", "answer", "failure"}
    found = leaks(places, *everything(project), pauses.top, said=said)
    assert set(found) == (places if top else set())
