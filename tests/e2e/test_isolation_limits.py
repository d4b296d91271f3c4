"""Guests that use up whatever they get: contained, and the run and other sinks as without them."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import variables
from support.polling import DEADLINE, until
from support.processes import Outcome
from support.project import Project, read_results

SUITE = """
import pytest

@pytest.mark.parametrize("n", range(20))
def test_n(n):
    print("printed by a test")
    assert n % 5
"""

NAMES = [f"test_n[{n}]" for n in range(20)]

#: Each for those alone that reach it: whoever does not may be held up by a busy machine.
COMPUTING = 'limit.computing = "100 ms"\n'
CALL = 'limit.call = "500 ms"\n'
LOG = 'limit.log = "64 KiB"\n'


@dataclass(frozen=True)
class Hostile:
    """A component, and what its line of the summary says in the end."""

    guest: str
    says: str
    table: str = ""
    #: Seconds to wait for it, where it would never end.
    drain: int = 30


#: Everything delivered: what it does is no failure, or only of its `close`.
ALL = r"\d+ events delivered$"
COMPUTED = r"\(it computed longer than limit\.computing, 100ms\)$"
CALLED = r"\(its call took longer than limit\.call, 500ms\)$"
TRAPPED = r"\(it trapped: .*unreachable.*\)$"
MEMORY = r"it asked for more memory than limit\.memory, 64\.0 MiB"
FULL = r"set aside.* \(limit\.state is reached: \d+ of {} bytes used, {} more asked for\)$"
STUCK = r"0 events delivered, \d+ left \(it does not come back from a file call, .* 300ms\)$"
WRITES = 'dir = "out"\nallow.write = ["out"]\n'
READS = 'dir = "out"\nallow.read = ["out"]\n'

CONTAINED = [
    Hostile("loops-in-open", rf" left {COMPUTED}", COMPUTING),
    Hostile("loops-in-handle", rf"\d+ set aside.*{COMPUTED}", COMPUTING, drain=3),
    Hostile("loops-in-close", ALL, COMPUTING),
    Hostile("traps-in-open", rf" left {TRAPPED}"),
    Hostile("traps-in-handle", rf"\d+ set aside.* {TRAPPED}"),
    Hostile("traps-in-close", ALL),
    Hostile("calls-forever", CALLED, CALL, drain=3),
    Hostile("chatter", CALLED, CALL + LOG, drain=3),
    Hostile("bombs-memory", rf"set aside.* \({MEMORY}\)$"),
    Hostile("recurses", r"set aside.* \(it trapped: .*call stack exhausted\)$"),
    Hostile("keeps-many-keys", FULL.format(1 << 20, 68), 'limit.state = "1 MiB"\n'),
    Hostile("keeps-a-gigabyte", FULL.format(16 << 20, (8 << 20) + 65), drain=3),
    Hostile("answers-too-much", r"set aside.* \(it trapped: .*fuel.*\)$"),
    Hostile("refuses-others", ALL),
    Hostile("rejects-at-length", r"\d+ set aside.* \(x{500}…\)$"),
    Hostile("retries-oddly", r" left", drain=2),
    Hostile("logs-a-million", ALL, LOG),
    Hostile("hoarder", r"set aside.* \(it trapped: .+\)$", WRITES),
    Hostile("stuck", STUCK, 'limit.call = "300 ms"\n' + READS),
]


def configured(project: Project, guests: Path, guest: str, table: str) -> Project:
    project.write("test_n.py", SUITE)
    out = project.folder / "out"
    out.mkdir()
    os.mkfifo(out / "pipe")
    project.configure(
        f'[sink.pubdir]\ndir = "results"\n[sink.{guest}]\nmodule = "{guests / guest}.wasm"\n{table}'
    )
    return project


def check_others(project: Project, outcome: Outcome) -> None:
    """The run is plain pytest's, and pubdir has everything."""
    assert outcome.code == 1, outcome
    assert "4 failed, 16 passed" in outcome.stdout
    assert re.search(r"^host: pubdir +\d+ events delivered$", outcome.stderr, re.MULTILINE), outcome
    written = Counter(str(result["name"]) for result in read_results(project.folder / "results"))
    assert written == Counter(NAMES)


@pytest.mark.parametrize("case", CONTAINED, ids=lambda case: case.guest)
def test_it_is_contained(project: Project, guests: Path, case: Hostile) -> None:
    configured(project, guests, case.guest, case.table)
    outcome = project.run(
        *("host", "run", "--sinks", f"{case.guest},pubdir", f"--drain-timeout={case.drain}s"),
        *("--", "-q"),
    )
    check_others(project, outcome)
    of_sink = re.findall(rf"^host: {case.guest} .*$", outcome.stderr, re.MULTILINE)
    assert len(of_sink) == 1, outcome
    assert re.search(case.says, of_sink[0]), of_sink
    log = (project.folder / ".pytest_host" / "core.log").read_text()
    assert len(log) < 256 << 10, "whatever it does, nobody has to read it all"
    # What it prints is in the log, up to limit.log, and nowhere else.
    assert "printed by a guest" not in outcome.stdout + outcome.stderr
    project.wait_for_cores()
    assert not {path.name for path in (project.folder / "out").iterdir()} - {"pipe", "hoarded"}


@pytest.mark.parametrize(
    ("guest", "says"),
    [
        ("loops-in-configure", r"it computed longer than limit\.computing, 100ms"),
        ("many-memories", MEMORY),
        ("many-tables", r"it asked for more table elements than a sink may have"),
    ],
)
def test_one_that_cannot_even_be_asked_is_bad_input(
    project: Project, guests: Path, guest: str, says: str
) -> None:
    configured(project, guests, guest, COMPUTING)
    outcome = project.run("host", "run", "--sinks", f"{guest},pubdir", "--", "-q")
    assert outcome.code == 2, outcome
    told = rf"host: sink {guest}: configure did not return: {says}\n"
    assert re.fullmatch(told, outcome.stderr), outcome
    assert not outcome.stdout


def test_what_one_logs_is_counted_over_all_its_instances(project: Project, guests: Path) -> None:
    """Failing is no way to more."""
    configured(project, guests, "logs-and-traps", LOG)
    outcome = project.run("host", "run", "--sinks", "logs-and-traps,pubdir", "--", "-q")
    check_others(project, outcome)
    log = (project.folder / ".pytest_host" / "core.log").read_text()
    noise = [line for line in log.splitlines() if "a line of noise" in line]
    assert 1 < len(noise) < 1024
    assert log.count("limit.log is reached") == 1


#: Runs of each kind. Their median is what is shown.
RUNS = int(variables.RUNS or 1)
MANY = "import pytest\n@pytest.mark.parametrize('n', range({}))\ndef test_n(n): pass\n"


@pytest.mark.parametrize("guest", ["loops-in-handle", "calls-forever", "logs-a-million", "stuck"])
def test_the_run_loses_no_time(
    project: Project,
    guests: Path,
    record_property: Callable[[str, object], None],
    guest: str,
) -> None:
    configured(project, guests, guest, READS if guest == "stuck" else "")

    def seconds(sinks: str, tests: int = 1000) -> float:
        """From pytest's start to its end; the core has its standard error and goes on."""
        project.write("test_n.py", MANY.format(tests))
        started = time.monotonic()
        running = project.start(
            *("pytest", "-q", "--sinks", sinks, "--sinks-finish-timeout", "0"),
            *("-p", "no:cacheprovider"),
        )
        until("pytest to end", lambda: not running.is_running(), 4 * DEADLINE)
        took = time.monotonic() - started
        # What it goes on doing is not the next run's to pay.
        project.end_cores()
        outcome = running.finish()
        assert f"{tests} passed" in outcome.stdout, outcome
        return took

    # Compiled, and kept, before anything is measured.
    seconds(f"{guest},pubdir", tests=1)
    pairs = [(seconds("pubdir"), seconds(f"{guest},pubdir")) for _ in range(RUNS)]
    alone = statistics.median(pair[0] for pair in pairs)
    beside = statistics.median(pair[1] for pair in pairs)
    ratio = f"{beside / alone:.2f} times as long ({alone:.2f} s alone)"
    record_property("figure", f"a run of 1,000 tests beside {guest}: {ratio}")
    assert beside < 3 * alone + 3, "a margin against being held up, not a measure"
