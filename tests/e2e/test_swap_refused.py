"""Changes that are refused while a run goes on, and changes that mend what was wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.journals import journal_of, last, runs
from support.project import Project
from support.swapping import (
    MINE,
    check_whole,
    component,
    count_swaps,
    events,
    lines,
    log,
    openings,
    prepare,
    replace,
    rewrite,
    start,
    wait_for_log,
    wait_for_swaps,
    write_in_place,
)


@pytest.fixture
def mine(project: Project, guests: Path) -> Project:
    """With the sink `mine`, in its first version."""
    prepare(project, guests)
    return project


def test_modules_that_are_no_good(mine: Project, guests: Path) -> None:
    """Each is refused with the reason, and the one before goes on."""
    file = mine.folder / "mine.wasm"
    good = component(guests, "one")
    bad: list[tuple[bytes | None, str]] = [
        (b"hello", "mine.wasm is not WebAssembly"),
        (good[:50000], "mine.wasm is not a valid component"),
        ((guests / "core.wasm").read_bytes(), "is a core WebAssembly module, not a component"),
        ((guests / "no-world.wasm").read_bytes(), "so it is no sink"),
        ((guests / "unknown-import.wasm").read_bytes(), "which this host does not know"),
        (component(guests, "needs"), "needs what it is not granted; add to [sink.mine]"),
        (component(guests, "refuses"), "cannot be opened: it would rather not"),
        (component(guests, "traps"), "cannot be opened: it trapped"),
        ((guests / "trap.wasm").read_bytes(), "unknown setting"),
        (None, "mine.wasm is not there"),
    ]
    steps = start(mine, "host", "run", tests=2 * len(bad) + 2, step=2)
    for step, (content, reason) in enumerate(bad):
        steps.arrive(step)
        if content is None:
            file.unlink()
        else:
            replace(file, content)
        wait_for_log(mine, reason)
        steps.go(step)
    steps.arrive(len(bad))
    replace(file, good)
    steps.go(len(bad))
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    check_whole(mine)
    assert openings(mine) == ["fresh"]
    assert re.search(r"^host: mine  \d+ events delivered$", outcome.stderr, re.MULTILINE)
    assert log(mine).count("a change is refused: ") == len(bad)


def test_configurations_that_are_no_good(mine: Project) -> None:
    bad = [
        (MINE + "note = \n", "host.toml:6: not valid TOML"),
        (MINE + "nota = 1\n", "unknown setting"),
        (MINE + 'limit.memori = "1 MiB"\n', "unknown key"),
        (MINE + f'sha256 = "{"0" * 64}"\n', "but sha256 = 0000"),
        (MINE.replace("allow", "# allow"), "needs what it is not granted"),
        (MINE.replace('["mine"]', '["mine", "mone"]'), 'no sink is named "mone"'),
        (MINE.replace('["mine"]', "[]"), "no sinks are named"),
        ("", "no sinks are named"),
        (MINE.replace('"out"', '".pytest_host"'), "cannot be granted"),
        (None, "host.toml: cannot be read"),
        (MINE + "[sink.mine]\n", "host.toml:6: not valid TOML"),
    ]
    steps = start(mine, "host", "run", tests=2 * len(bad), step=2)
    for step, (text, reason) in enumerate(bad):
        steps.arrive(step)
        before = log(mine).count(reason)
        if text is None:
            (mine.folder / "host.toml").unlink()
        else:
            # Both ways of writing a file.
            (rewrite if step % 2 else write_in_place)(mine, text)
        wait_for_log(mine, reason, before + 1)
        steps.go(step)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    check_whole(mine)
    assert openings(mine) == ["fresh"]
    assert "\nhost: not taken over: host.toml:6: not valid TOML: " in outcome.stderr
    # Nor was the table before that ever put right.
    assert outcome.stderr.count("host: not taken over: ") == 2, outcome


def test_changes_that_change_nothing(mine: Project, guests: Path) -> None:
    """The same content, the same table on other lines, another sink's table, a flag that wins."""
    steps = start(mine, "host", "run", "--set=mine.note=flag", tests=12, step=2)
    steps.arrive(0)
    replace(mine.folder / "mine.wasm", component(guests, "one"))
    rewrite(mine, f"# moved\n\n{MINE}")
    steps.go(0)
    steps.arrive(1)
    rewrite(mine, f'{MINE}note = "file"\n[sink.publish]\nurl = "http://127.0.0.1:7/"\n')
    steps.go(1)
    # What comes after them is noticed after them.
    steps.arrive(2)
    rewrite(mine, f"{MINE}nota = 1\n")
    wait_for_log(mine, "unknown setting")
    steps.go(2)
    for step in (3, 4, 5):
        steps.arrive(step)
        steps.go(step)
    assert steps.finish().code == 0
    check_whole(mine)
    assert count_swaps(mine) == 0
    assert {event["note"] for event in events(mine)} == {"flag"}


def test_one_that_was_given_up_gets_another_chance(mine: Project) -> None:
    rewrite(mine, f'{MINE}trap = "test_n[3]"\non-failure = "disable"\n')
    steps = start(mine, "host", "run", tests=20, step=10)
    steps.arrive(0)
    steps.go(0)
    wait_for_log(mine, "given up: ")
    steps.arrive(1)
    rewrite(mine, MINE)
    wait_for_swaps(mine, 1)
    steps.go(1)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    check_whole(mine)
    assert lines(mine)[0]["opening"] == "Opening::Fresh"
    # Of what a trap has ended, nothing was kept.
    assert openings(mine, trapped=True)[-1] == "swapped"
    assert re.search(r"^host: mine  \d+ events delivered, swapped once$", outcome.stderr, re.M)
    assert mine.run("host", "drain").stdout == "nothing is left to deliver\n"


@pytest.mark.parametrize("version", ["refuses", "traps"])
def test_one_that_never_opened(mine: Project, guests: Path, version: str) -> None:
    """And was waited for, or given up: a mended one gets all of the run."""
    file = mine.folder / "mine.wasm"
    file.write_bytes(component(guests, version))
    steps = start(mine, "host", "run", tests=20, step=10)
    steps.arrive(0)
    wait_for_log(mine, "cannot be opened: " if version == "refuses" else "given up: ")
    replace(file, component(guests, "mended"))
    wait_for_swaps(mine, 1)
    steps.go(0)
    steps.arrive(1)
    steps.go(1)
    assert steps.finish().code == 0
    check_whole(mine)
    assert openings(mine) == ["swapped"]


def test_one_that_traps_again_and_again(mine: Project) -> None:
    """Between two instances is a good time, too."""
    rewrite(mine, f'{MINE}trap = "test_n"\n')
    steps = start(mine, "host", "run", tests=40, step=10)
    steps.arrive(0)
    steps.go(0)
    wait_for_log(mine, "starting anew: it trapped")
    rewrite(mine, MINE)
    wait_for_swaps(mine, 1)
    for step in (1, 2, 3):
        steps.arrive(step)
        steps.go(step)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    (run,) = runs(mine)
    letters = json.loads(mine.run("host", "sink", "dead-letters", "--json").stdout)
    dealt_with = [each["seq"] for each in (*events(mine), *letters)]
    assert sorted(dealt_with) == list(range(1, last(journal_of(mine, run)) + 1))


def test_under_pytest_a_refusal_is_told(mine: Project) -> None:
    steps = start(mine, "pytest", "--sinks=mine", tests=4, step=2)
    steps.arrive(0)
    rewrite(mine, f"{MINE}nota = 1\n")
    wait_for_log(mine, "unknown setting")
    steps.go(0)
    steps.arrive(1)
    steps.go(1)
    outcome = steps.finish()
    assert outcome.code == 0, outcome
    assert re.search(
        r"pytest-host: mine \d+ delivered; not taken over: host.toml:6: mine.nota: unknown setting",
        outcome.stdout,
    )
