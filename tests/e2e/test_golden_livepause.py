"""The captures of pytest-live-pause: equal to ours, but for docs/compatibility.md."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.golden_livepause import FOLDER, THEIR_CODE, Call, Mask, calls, tree, tree_of
from support.pausing import CHECKPOINT, FAIL, NO_HOST, Pauses, Record
from support.polling import until
from support.processes import Outcome
from support.project import MakeProject, Project

THEIR_RUN = "3c2dbdcb1990447d9eb6b5082961a909"


def call_of(outcome: Outcome) -> Call:
    return {"rc": outcome.code, "stdout": outcome.stdout, "stderr": outcome.stderr}


def replaced(text: str, known: dict[str, str]) -> str:
    for theirs, ours in known.items():
        text = text.replace(theirs, ours)
    return text


@dataclass
class Story:
    """cli-1.json, replayed: the captured calls beside ours."""

    theirs: list[Call]
    ours: list[Call]
    masks: tuple[Mask, Mask]
    while_paused: dict[str, str | None]
    after: dict[str, str | None]
    pytest: Outcome
    records: list[Record] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(make_project: MakeProject) -> Story:
    project = make_project()
    project.copy("pause")
    pauses = Pauses(project)
    theirs = calls("cli-1")
    their_mask, our_mask = Mask("/tmp/lp/a"), Mask(str(pauses.top))
    their_mask.know(THEIR_RUN, "RUN")
    ids: list[str] = []
    for page in tree("after"):
        if "/pauses/" in page:
            ids.append(Path(page).stem)
    created = {
        each: json.loads(text or "")["created_at"]
        for each, text in ((Path(p).stem, t) for p, t in tree("after").items())
        if each in ids
    }
    ids.sort(key=lambda each: float(created[each]))
    for number, each in enumerate(ids):
        their_mask.know(each, f"PAUSE-{number}")

    ours: list[Call] = []
    running, run = None, ""
    while_paused: dict[str, str | None] = {}
    for position, call in enumerate(theirs):
        if position == 9:
            running = pauses.start("pause", "-v")
            run = str(pauses.number(0)["run_id"])
            our_mask.know(run, "RUN")
            while_paused = tree_of(pauses.top)
        if position in (16, 18, 22, 23):
            pauses.number({16: 1, 18: 2, 22: 3, 23: 4}[position])
        if position == 26:
            assert running is not None
            outcome = running.finish()
        known = {"/tmp/lp/a": str(pauses.top), THEIR_RUN: run}
        named = "".join(call["argv"])
        known |= {
            each: str(pauses.number(number)["pause_id"])
            for number, each in enumerate(ids)
            if each in named
        }
        argv = [replaced(word, known) for word in call["argv"]]
        for number, record in enumerate(pauses.records()):
            our_mask.know(str(record["pause_id"]), f"PAUSE-{number}")
        ours.append(call_of(project.run("host", "pause", *argv)))
        if position == 23:
            until("the last pause to be over", lambda: pauses.records()[4]["status"] == "resumed")
    return Story(
        theirs,
        ours,
        (their_mask, our_mask),
        while_paused,
        tree_of(pauses.top),
        outcome,
        pauses.records(),
    )


#: Calls whose text is that of the parser of arguments.
USAGE = (1, 2, 3, 4, 5, 6, 12)


@pytest.mark.parametrize("position", [at for at in range(28) if at not in USAGE])
def test_calls(story: Story, position: int) -> None:
    their_mask, our_mask = story.masks
    theirs = their_mask.outcome(story.theirs[position])
    assert our_mask.outcome(story.ours[position]) == theirs, story.theirs[position]["argv"]


@pytest.mark.difference("livepause-11")
def test_usage(story: Story) -> None:
    """The same exit codes, in other words."""
    for position in USAGE:
        assert story.ours[position]["rc"] == story.theirs[position]["rc"], position
    assert "--failure-reason" in story.ours[6]["stdout"]
    assert "[possible values: true, false, none]" in story.ours[12]["stderr"]


def test_tree_while_paused(story: Story) -> None:
    their_mask, our_mask = story.masks
    assert our_mask.tree(story.while_paused) == their_mask.tree(tree("while-paused"))


@pytest.mark.difference("livepause-12")
def test_tree_afterwards(story: Story) -> None:
    """Our code and not theirs, where a traceback leads there."""
    their_mask, our_mask = story.masks
    theirs, ours = their_mask.tree(tree("after")), our_mask.tree(story.after)
    last = "runs/RUN/pauses/PAUSE-4.json"
    shown = [dict(pages.pop(last)) for pages in (theirs, ours)]
    texts = [page.pop("original_failure") for page in shown]
    assert shown[0] == shown[1]
    assert THEIR_CODE.sub("", texts[0]).startswith(texts[1].partition("task = ")[0])
    assert "ValueError: checkpoint task must not be empty" in texts[1]
    assert ours == theirs


def test_report(story: Story) -> None:
    """Results, and what was added to them."""
    captured = (FOLDER / "main.stdout.txt").read_text()
    result = re.compile(r"^(pause/\S+) ([A-Z]+) ", re.MULTILINE)
    ours = story.pytest.stdout
    words = re.findall(r" (PASSED|FAILED|ERROR|XFAIL) +\[", ours)
    assert words == [word for _, word in result.findall(captured)]
    section = re.search(r"^-+ live pause -+\n.*\n", captured, re.MULTILINE)
    assert section
    assert section[0] in ours
    assert re.search(r"^pytest-live-pause: run_id=[0-9a-f]{32}$", ours, re.MULTILINE)


@pytest.mark.difference("livepause-16")
def test_the_terminal_says_what_to_do(story: Story) -> None:
    for record in story.records:
        assert f"pytest-host: answer it with: host pause resume {record['pause_id']}" in (
            story.pytest.stdout
        )


# --- cli-2.json ----------------------------------------------------------------------------------


def captured(position: int) -> Call:
    return calls("cli-2")[position]


def same(pauses: Pauses, theirs: str, position: int, outcome: Outcome) -> None:
    """Equal to a captured call, whatever the ids."""

    def mask(call: Call, top: str) -> tuple[int, str, str]:
        texts = (call["stdout"], call["stderr"])
        masked = (re.sub(r"\b[0-9a-f]{32}\b", "ID", text.replace(top, "TOP")) for text in texts)
        out, err = (re.sub(r"pid=\d+", "pid=N", text) for text in masked)
        return call["rc"], out, err

    assert mask(call_of(outcome), str(pauses.top)) == mask(captured(position), theirs)


@pytest.mark.parametrize(("position", "word"), list(enumerate(["true", "false", "none"])))
def test_mock(project: Project, position: int, word: str) -> None:
    project.write("test_x.py", CHECKPOINT.replace('"decision"', '"MOCK"'))
    outcome = project.run("pytest", "-s", f"--pause-checkpoint-mock={word}")
    (line,) = re.findall("MOCK ResumeDecision.*", captured(position)["stdout"])
    assert outcome.code == captured(position)["rc"]
    assert line in outcome.stdout


def test_bad_mock(project: Project) -> None:
    outcome = project.run("pytest", "--pause-checkpoint-mock=bogus")
    assert outcome.code == captured(3)["rc"]
    (line,) = re.findall("argument --pause.*", captured(3)["stdout"])
    assert line.partition(" (")[0] in outcome.stderr


def test_deadlines(project: Project) -> None:
    pauses = Pauses(project, timeout=0.2)
    project.write(
        "test_x.py",
        "from pytest_host import checkpoint\n\n"
        "def test_t0(): checkpoint(task='t', timeout=0.1)\n\ndef test_f(): assert 0\n",
    )
    pauses.start("-s").finish()
    same(pauses, "/tmp/lp2/to", 4, pauses.host("ls", "-a"))
    path = pauses.file(pauses.records()[1])
    same(pauses, "/tmp/lp2/to", 5, pauses.host("resume", str(path)))


@pytest.mark.parametrize("hosted", [True, False])
def test_killed(project: Project, hosted: bool) -> None:
    project.write("test_x.py", FAIL)
    pauses = Pauses(project, environ={} if hosted else NO_HOST)
    running = pauses.start()
    record = pauses.one()
    os.kill(running.pid, signal.SIGKILL)
    running.finish()
    project.wait_for_cores()
    same(pauses, "/tmp/lp2/kill", 6, pauses.host("ls"))
    same(pauses, "/tmp/lp2/kill", 7, pauses.host("ls", "-a"))
    same(pauses, "/tmp/lp2/kill", 8, pauses.host("resume", str(record["pause_id"])))
    watch = pauses.host("watch", "--run-id", str(record["run_id"]))
    same(pauses, "/tmp/lp2/kill", 9, watch)


def test_watching_a_run_that_does_not_pause(project: Project) -> None:
    project.write("test_x.py", "import time\ndef test_a(): time.sleep(100)\n")
    pauses = Pauses(project)
    running = pauses.start()
    (run,) = until("the run to begin", lambda: list(pauses.top.glob("runs/*/run.json")))
    name = run.parent.name
    same(pauses, "/tmp/lp2/wd", 10, pauses.host("watch", "--run-id", name, "--timeout", "0.6"))
    where = ("--pause-dir", str(pauses.top))
    watch = project.start("host", "pause", "watch", "--run-id", name, *where)
    os.kill(running.pid, signal.SIGKILL)
    running.finish()
    theirs = {**captured(11), "argv": []}
    outcome = watch.finish()
    assert (outcome.code, outcome.stdout) == (theirs["rc"], theirs["stdout"])
    assert outcome.stderr == f"run is no longer active: {name}\n"


@pytest.mark.difference("livepause-2")
def test_interrupted(project: Project) -> None:
    """`abandoned`, for good, and not stale for as long as no process has its number."""
    project.write("test_x.py", FAIL)
    pauses = Pauses(project)
    running = pauses.start()
    pauses.one()
    os.kill(running.pid, signal.SIGINT)
    assert running.finish().code == 2
    ours = pauses.host("ls", "-a")
    assert ours.stdout.startswith("abandoned\t")
    stale = {**captured(12), "stdout": captured(12)["stdout"].replace("stale", "abandoned")}
    pattern = re.compile(r"\b[0-9a-f]{32}\b|pid=\d+")
    assert pattern.sub("", ours.stdout).replace(str(pauses.top), "") == pattern.sub(
        "", stale["stdout"]
    ).replace("/tmp/lp2/int", "").replace("test_x.py", "test_x.py")
    assert pauses.events()[-1]["outcome"] == "abandoned"


@pytest.mark.difference("livepause-3")
def test_malformed_command(project: Project) -> None:
    project.write("test_x.py", FAIL)
    pauses = Pauses(project)
    running = pauses.start()
    record = pauses.one()
    pauses.command(record, "{oops")
    file = pauses.command_file(record)
    error = file.with_name(f"{file.name}.error")
    until("an .error file", error.exists)
    assert "not JSON" in error.read_text()
    assert pauses.host("resume", str(record["pause_id"])).code == 0
    assert running.finish().code == 1
    assert not file.exists()
    assert not error.exists()


@pytest.mark.difference("livepause-4")
def test_corrupt_file(project: Project) -> None:
    project.write("test_x.py", FAIL)
    pauses = Pauses(project)
    running = pauses.start()
    record = pauses.one()
    corrupt = pauses.file(record).with_name("0" * 32 + ".json")
    corrupt.write_text("")
    listed = pauses.host("ls")
    assert listed.code == 0
    assert listed.stdout.startswith(f"pending\t{record['pause_id']}\t")
    assert listed.stderr.startswith(f"host: {corrupt}: not a pause file: ")
    assert pauses.host("resume", "abc").stderr.endswith("pause target not found: abc\n")
    assert pauses.host("resume", str(record["pause_id"])).code == 0
    assert running.finish().code == 1


@pytest.mark.difference("livepause-5")
def test_what_is_no_pause_file(project: Project) -> None:
    top = project.folder
    project.write("y/r.json", '{"status": "pending", "pause_id": "r"}')
    project.write("pytest.ini", "[pytest]\n")
    for target in (top, top / "y/r.json", top / "pytest.ini"):
        outcome = project.run("host", "pause", "resume", str(target))
        assert (outcome.code, outcome.stderr) == (1, f"not a pause file: {target}\n")
    assert not (top / "commands").exists()


@pytest.mark.difference("livepause-6")
def test_another_host(project: Project) -> None:
    """Its process may well live: a command is written, and waits to be taken."""
    project.write("test_x.py", FAIL)
    pauses = Pauses(project, environ=NO_HOST)
    running = pauses.start()
    record = pauses.one()
    elsewhere = {**record, "hostname": "elsewhere", "pid": 2**22 + 1}
    pauses.file(record).write_text(json.dumps(elsewhere))
    assert pauses.host("ls").stdout.startswith("pending\t")
    assert pauses.host("resume", str(record["pause_id"])).code == 0
    assert running.finish().code == 1


def test_command_that_exists_already(project: Project) -> None:
    project.write("test_x.py", FAIL)
    pauses = Pauses(project, environ=NO_HOST)
    running = pauses.start()
    record = pauses.one()
    os.kill(running.pid, signal.SIGSTOP)
    pauses.command(record, "{}")
    same(pauses, "/tmp/lp2/par", 21, pauses.host("resume", str(pauses.file(record))))
    os.kill(running.pid, signal.SIGCONT)
    assert running.finish().code == 1


@pytest.mark.difference("livepause-1")
def test_two_workers(project: Project) -> None:
    """Both pauses are of the run that was printed; resumed in the other order."""
    project.copy("pause")
    pauses = Pauses(project)
    running = pauses.start("pause", "-n2", "-k", "test_cp_module or test_fails")
    records = pauses.pending(2)
    pattern = re.compile(r"\b[0-9a-f]{32}\b|pid=\d+|gw\d")
    theirs = captured(22)["stdout"].replace("/tmp/lp2/xd", str(pauses.top))
    ours = pauses.host("ls").stdout
    both = (sorted(pattern.sub("…", text).splitlines()) for text in (theirs, ours))
    assert next(both) == next(both)
    for record in reversed(records):
        assert pauses.host("resume", str(record["pause_id"])).code == 0
    until("both to be over", lambda: all(r["finished_at"] for r in pauses.records()[:2]))
    for record in pauses.pending():  # the checkpoint had no result, so that its test fails
        assert pauses.host("resume", str(record["pause_id"])).code == 0
    outcome = running.finish()
    (printed,) = re.findall(r"run_id=([0-9a-f]{32})", outcome.stdout)
    assert {record["run_id"] for record in pauses.records()} == {printed}
    assert len({record["worker_id"] for record in records}) == 2
    for record in records:
        assert f"host pause resume {record['pause_id']}" in outcome.stderr


@pytest.mark.difference("livepause-7")
def test_unusable_folder(project: Project) -> None:
    project.write("test_x.py", FAIL)
    project.write("file", "")
    outcome = project.run("pytest", "--pause-on-failure", "--pause-dir", "file")
    assert outcome.code == 4
    assert re.search(
        r"^ERROR: pytest-host: --pause-dir: \S+/?file.*$", outcome.stderr, re.MULTILINE
    )
    assert "INTERNALERROR" not in outcome.stdout


@pytest.mark.difference("livepause-9")
@pytest.mark.parametrize("option", ["--help", "--collect-only", "--pause-checkpoint-mock=true"])
def test_no_folder_without_need(project: Project, option: str) -> None:
    project.write("test_x.py", CHECKPOINT)
    project.run("pytest", "--pause-dir", "pauses", option)
    assert not (project.folder / "pauses").exists()
    assert project.run("pytest", "--pause-dir", "pauses", "-k", "none").code == 5
    assert list((project.folder / "pauses").glob("runs/*")) == []


@pytest.mark.difference("livepause-10")
def test_folders_are_the_users_alone(project: Project) -> None:
    project.write("test_x.py", FAIL)
    pauses = Pauses(project, timeout=0.05)
    pauses.start().finish()
    paths = [pauses.top, *pauses.top.rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert modes == {0o700, 0o600}


@pytest.mark.difference("livepause-17")
def test_watch_without_a_run(project: Project) -> None:
    project.write("test_x.py", FAIL)
    pauses = Pauses(project)
    where = ("--pause-dir", str(pauses.top))
    watch = project.start("host", "pause", "watch", "--json", *where)
    running = pauses.start()
    watched = json.loads(watch.finish().stdout)
    assert watched["kind"] == "failure"
    assert pauses.host("resume", watched["pause_id"]).code == 0
    running.finish()
