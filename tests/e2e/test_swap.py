"""Sinks that are changed while a run goes on: by their files, and by hand."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from itertools import cycle, pairwise
from pathlib import Path

import pytest

from support.journals import runs
from support.polling import until
from support.project import Project
from support.swapping import (
    MINE,
    MORE,
    check_whole,
    component,
    count_swaps,
    events,
    lines,
    nodeids,
    openings,
    prepare,
    replace,
    rewrite,
    start,
    wait_for_log,
    wait_for_refusals,
    wait_for_swaps,
)

#: Seconds that a run may take longer than it would: a guard against waiting.
MARGIN = 8


@pytest.fixture
def mine(project: Project, guests: Path) -> Project:
    """With the sink `mine`, in its first version."""
    prepare(project, guests)
    return project


def test_fifty_swaps(mine: Project, guests: Path) -> None:
    """And ten modules that are broken, during 5,000 tests: nothing lost, nothing doubled."""
    file, other = mine.folder / "mine.wasm", mine.folder / "other.wasm"
    versions = [component(guests, version) for version in ("one", "two")]
    broken = [b"not wasm", versions[1][:50000], component(guests, "refuses"), b""]
    steps = start(mine, "host", "run", tests=5000, step=83, pause=0.004)
    swaps = refusals = current = 0
    for step in range(61):
        steps.arrive(step)
        steps.go(step)
        if step == 60:
            break
        by_hand = step % 6 in (3, 4)
        content = versions[1 - current]
        if step % 6 == 5:
            content = broken[(step // 6) % len(broken)]
        if by_hand:
            replace(other, content)
            outcome = mine.run("host", "sink", "swap", "mine", "other.wasm")
            assert outcome.code == 0, outcome
        else:
            replace(file, content)
        if step % 6 == 5:
            refusals += 1
            wait_for_refusals(mine, refusals)
        else:
            swaps, current = swaps + 1, 1 - current
            wait_for_swaps(mine, swaps)
    outcome = steps.finish()
    assert (swaps, refusals) == (50, 10)
    assert outcome.code == 0, outcome
    check_whole(mine)
    assert openings(mine) == ["fresh", *["swapped"] * 50]
    found = events(mine)
    assert len({event["version"] for event in found}) == 2
    ends = Counter(event["nodeid"] for event in found if event["kind"] == "test-finished")
    assert ends == Counter(nodeids(5000))
    # The last step was a refusal, and nobody has put it right.
    assert f"host: mine  {len(found)} events delivered, swapped 50 times\n" in outcome.stderr
    assert len(re.findall("not taken over: ", outcome.stderr)) == 1, outcome
    told = lines(mine)
    first = [b for a, b in pairwise(told) if a.get("opening") == "Opening::Swapped" and "seq" in b]
    amid = [event for event in first if event["nodeid"] not in nodeids(5000)[::83]]
    assert len(amid) > 10, "many took over between the events of a step, not between two steps"


@pytest.mark.parametrize(
    "command", [("host", "run"), ("pytest", "--sinks=publish")], ids=["host", "pytest"]
)
def test_another_endpoint(project: Project, command: tuple[str, ...]) -> None:
    """Results go to where the file says, from when it says so."""
    first, second = project.receiver(), project.receiver()
    text = 'sinks = ["publish"]\n[sink.publish]\nurl = "{}"\n'
    project.configure(text.format(first.url))
    steps = start(project, *command, tests=20, step=10)
    steps.arrive(0)
    steps.go(0)
    steps.arrive(1)
    until("the first ten", lambda: len(first.requests()) == 10)
    rewrite(project, text.format(second.url))
    wait_for_swaps(project, 1)
    steps.go(1)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    until("the others", lambda: len(second.requests()) == 10)
    told = [sorted(result["nodeid"] for result in each.results()) for each in (first, second)]
    assert told == [sorted(nodeids(20)[:10]), sorted(nodeids(20)[10:])]


def test_an_endpoint_that_was_wrong(project: Project) -> None:
    """What it has refused goes out at once when it is put right, and is left with nobody."""
    receiver = project.receiver("--status", "500")
    text = 'sinks = ["publish"]\n[sink.publish]\nurl = "{}"\n'
    project.configure(text.format(receiver.url))
    steps = start(project, "host", "run", tests=10, step=5)
    steps.arrive(0)
    steps.go(0)
    steps.arrive(1)
    # Each wait is twice as long as the one before.
    until("it to back off", lambda: len(receiver.requests()) >= 15)
    right = project.receiver()
    rewrite(project, text.format(right.url))
    until("delivery", lambda: len(right.requests()) == 5)
    steps.go(1)
    outcome = steps.finish()
    assert Counter(result["nodeid"] for result in right.results()) == Counter(nodeids(10))
    assert re.search(r"^host: publish  \d+ events delivered, swapped once$", outcome.stderr, re.M)


def test_what_is_left_goes_to_the_new_endpoint(project: Project) -> None:
    """A drain later knows what took over."""
    first, second = project.receiver(), project.receiver()
    second.end()
    text = 'sinks = ["publish"]\n[sink.publish]\nurl = "{}"\n'
    project.configure(text.format(first.url))
    steps = start(project, "host", "run", "--drain-timeout=0s", tests=20, step=10)
    steps.arrive(0)
    steps.go(0)
    steps.arrive(1)
    until("the first ten", lambda: len(first.requests()) == 10)
    rewrite(project, text.format(second.url))
    wait_for_swaps(project, 1)
    steps.go(1)
    assert " left" in steps.finish().stderr
    again = project.receiver(port=second.port)
    outcome = project.run("host", "drain")
    assert outcome.code == 0, outcome
    assert Counter(result["nodeid"] for result in again.results()) == Counter(nodeids(20)[10:])
    assert len(first.requests()) == 10


def test_added_and_removed_and_added_back(mine: Project) -> None:
    steps = start(mine, "host", "run", tests=50, step=10)
    steps.arrive(0)
    steps.go(0)
    steps.arrive(1)
    rewrite(mine, MORE)
    # All of the run, from its first event.
    ten = nodeids(50)[9]
    until("the tenth test", lambda: any(e["nodeid"] == ten for e in events(mine, "more")))
    assert events(mine, "more")[0]["seq"] == 1
    steps.go(1)
    steps.arrive(2)
    rewrite(mine, MINE)
    wait_for_log(mine, "removed sink=more")
    before = events(mine, "more")
    assert lines(mine, "more")[-1]["closed"]
    steps.go(2)
    steps.arrive(3)
    thirty = nodeids(50)[29]
    until("the thirtieth test", lambda: any(e["nodeid"] == thirty for e in events(mine)))
    assert events(mine, "more") == before
    rewrite(mine, MORE)
    until("what it has missed", lambda: any(e["nodeid"] == thirty for e in events(mine, "more")))
    steps.go(3)
    steps.arrive(4)
    steps.go(4)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    for folder in ("out", "more"):
        check_whole(mine, folder)
    assert openings(mine, "more") == ["fresh", "restarted"]
    assert re.search(r"^host: more  \d+ events delivered$", outcome.stderr, re.MULTILINE)


def test_nothing_waits_for_what_was_removed(mine: Project) -> None:
    """Neither the run nor `host drain`; what it had put off is set aside."""
    rewrite(mine, MORE + 'retry = "test_n[3]"\n')
    steps = start(mine, "host", "run", tests=20, step=10)
    steps.arrive(0)
    steps.go(0)
    steps.arrive(1)
    ten = nodeids(20)[9]
    until("the tenth test", lambda: any(e["nodeid"] == ten for e in events(mine, "more")))
    rewrite(mine, MINE)
    wait_for_log(mine, "removed sink=more")
    steps.go(1)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    assert outcome.seconds < 2 * MARGIN
    line = re.search(
        r"^host: more  \d+ events delivered, (\d) set aside, removed \((.*)\)$",
        outcome.stderr,
        re.MULTILINE,
    )
    assert line, outcome
    assert line[2] == "its sink was removed while it waited: not yet"
    assert mine.run("host", "drain").stdout == "nothing is left to deliver\n"
    letters = json.loads(mine.run("host", "sink", "dead-letters", "--json").stdout)
    assert {letter["nodeid"] for letter in letters} == {nodeids(20)[3]}
    assert len(letters) == int(line[1])
    # They can be had after all, and nothing else comes with them.
    before = events(mine, "more")
    again = mine.run("host", "sink", "dead-letters", "--redeliver", "--timeout=1s")
    assert again.code == 1, "it is put off again"
    assert events(mine, "more") == before


def test_sinks_of_the_command_line_stay(mine: Project) -> None:
    """Where --sinks says which they are, the list of the file does not matter."""
    steps = start(mine, "host", "run", "--sinks=mine", tests=6, step=2)
    steps.arrive(0)
    rewrite(mine, MINE.replace('["mine"]', '["pubdir"]') + 'note = "new"\n')
    wait_for_swaps(mine, 1)
    steps.go(0)
    for step in (1, 2):
        steps.arrive(step)
        steps.go(step)
    assert steps.finish().code == 0
    check_whole(mine)
    assert not (mine.folder / "results").exists()


def test_by_hand(mine: Project, guests: Path) -> None:
    for version in ("two", "refuses"):
        (mine.folder / f"{version}.wasm").write_bytes(component(guests, version))
    swap = ("host", "sink", "swap")
    none = mine.run(*swap, "mine", "two.wasm")
    assert (none.code, none.stdout) == (2, "")
    assert none.stderr.startswith("host: no run is under way for ")
    steps = start(mine, "host", "run", tests=12, step=2)
    steps.arrive(0)
    (run,) = runs(mine)
    # By the core, not only to the journal: wait until it has begun.
    until("the sink to be opened", lambda: openings(mine))
    outcome = mine.run(*swap, "mine", "two.wasm")
    assert (outcome.code, outcome.stdout) == (0, f"run {run}: mine is swapped\n")
    steps.go(0)
    steps.arrive(1)
    refused = mine.run(*swap, "mine", "refuses.wasm", "--run", run, "--json")
    assert refused.code == 1, refused
    reason = "sink mine: cannot be opened: it would rather not"
    assert json.loads(refused.stdout) == [
        {"run": run, "sink": "mine", "swapped": False, "reason": reason}
    ]
    missing = mine.run(*swap, "mine", "missing.wasm")
    assert missing.code == 1
    assert "refused, mine goes on as it was: sink mine: " in missing.stdout
    other = mine.run(*swap, "mini", "two.wasm")
    assert (other.code, other.stdout) == (2, "")
    assert 'no run that is under way has a sink "mini"; did you mean "mine"?' in other.stderr
    steps.go(1)
    steps.arrive(2)
    # It holds until the sink's own table or module changes.
    rewrite(mine, f'{MINE}[sink.publish]\nurl = "http://127.0.0.1:7/"\n')
    steps.go(2)
    steps.arrive(3)
    assert count_swaps(mine) == 1
    text = f'{MINE}note = "file"\n'
    rewrite(mine, text)
    wait_for_swaps(mine, 2)
    steps.go(3)
    for step in (4, 5):
        steps.arrive(step)
        steps.go(step)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    check_whole(mine)
    said = {(event["version"], event["note"]) for event in events(mine)}
    assert (
        {("two", None), ("one", "file")} <= said <= {("one", None), ("two", None), ("one", "file")}
    )
    assert (mine.folder / "host.toml").read_text() == text
    over = mine.run(*swap, "mine", "two.wasm", "--run=last")
    assert over.code == 2
    assert over.stderr == f"host: run {run} is not under way\n"


def test_the_run_takes_its_own_time(mine: Project, guests: Path) -> None:
    """However often a sink is swapped meanwhile."""
    suite = "import pytest, time\n@pytest.mark.parametrize('n', range(1000))\n"
    mine.write("test_plain.py", f"{suite}def test_n(n): time.sleep(0.003)\n")
    plain = mine.run("host", "run", "--", "test_plain.py")
    contents = cycle([component(guests, version) for version in ("two", "one")])
    running = mine.start("host", "run", "--", "test_plain.py")
    until("the second run", lambda: len(runs(mine)) == 2)
    while running.is_running():
        before = count_swaps(mine)
        replace(mine.folder / "mine.wasm", next(contents))
        while running.is_running() and count_swaps(mine) == before:
            time.sleep(0.02)
    outcome = running.finish()
    assert outcome.code == plain.code == 0, outcome
    assert outcome.seconds < plain.seconds + MARGIN
    assert re.search(r"events delivered, swapped \d+ times$", outcome.stderr, re.MULTILINE)
