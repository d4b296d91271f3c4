"""Counts every event of a rich suite against what pytest and the suite itself wrote down.

Each supported pytest, alone, with workers, with reruns, and with both.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import cases, collecting, junit
from support.collecting import Attempt, Event
from support.processes import Outcome
from support.project import MakeProject, Project

PHASES = ("setup", "call", "teardown")

MODES = {
    "alone": (),
    "xdist": ("-n2",),
    "reruns": ("--reruns=2",),
    "xdist-reruns": ("-n2", "--reruns=2"),
}


@dataclass(frozen=True)
class Run:
    """One run of the suite."""

    mode: str
    project: Project
    outcome: Outcome
    events: list[Event]
    attempts: list[Attempt]

    @property
    def workers(self) -> set[str | None]:
        return {"gw0", "gw1"} if "xdist" in self.mode else {None}


@pytest.mark.parametrize("mode", MODES)
def test_every_event(make_project: MakeProject, python: str, mode: str) -> None:
    """One test a run, so that each run is made once, whichever worker is to make it."""
    project = make_project(python)
    project.copy("matrix")
    collecting.configure(project)
    flags = ("--junitxml=j.xml", "-o", "junit_family=xunit1")
    outcome = project.run("pytest", "--sinks", "collector", *flags, *MODES[mode])
    assert outcome.code == 1, outcome
    events = collecting.events(project)
    run = Run(mode, project, outcome, events, collecting.attempts(events))
    check_stream(run)
    check_attempts(run)
    check_against_suite(run)
    check_against_junitxml(run)
    check_against_summary(run)
    check_verdicts(run)
    check_reruns(run)
    check_texts(run)
    check_ids(run)


def check_stream(run: Run) -> None:
    collecting.check_whole(run.events)
    collecting.check_collection(run.events)
    assert not collecting.of_kind(run.events, "not-run")
    assert not collecting.of_kind(run.events, "gap")
    told = re.search(r"collector (\d+) delivered", run.outcome.stdout)
    assert told
    assert int(told[1]) == len(run.events)


def check_attempts(run: Run) -> None:
    """Start, each phase once and in order, end; the call is missing where there was none."""
    for attempt in run.attempts:
        phases = [report["phase"] for report in attempt.phases if report["subtest"] is None]
        ran = attempt.outcomes["setup"] == "passed"
        expected = list(PHASES) if ran else ["setup", "teardown"]
        if run.project.installation.pytest < (8, 0) and attempt.verdict == "rerun":
            # Its pytest-rerunfailures reports nothing after the phase that is run again.
            last = next(each["phase"] for each in attempt.phases if each["outcome"] == "rerun")
            expected = expected[: expected.index(last) + 1]
        assert phases == expected, attempt
        assert {report["attempt"] for report in attempt.phases} == {attempt.number}
        times = [time for each in attempt.phases for time in (each["start"], each["stop"])]
        assert times == sorted(times), attempt
        for report in attempt.phases:
            assert report["duration"] == pytest.approx(report["stop"] - report["start"], abs=0.2)


def check_against_suite(run: Run) -> None:
    """Each setup of each process is an attempt of that worker, and nothing else is one."""
    lines = (run.project.folder / "attempts.txt").read_text().splitlines()
    made = [line.split(" ", 1) for line in lines]
    expected = Counter((worker or None, ast.literal_eval(nodeid)) for worker, nodeid in made)
    assert Counter((each.worker, each.nodeid) for each in run.attempts) == expected
    assert {each.worker for each in run.attempts} == run.workers


def check_against_junitxml(run: Run) -> None:
    """Test by test: what failed where, why it was skipped, properties."""
    expected = cases.read(run.project.folder / "j.xml")
    found = cases.of_attempts(run.attempts)
    assert set(found) == set(expected)
    for key, case in expected.items():
        assert found[key].kinds == case.kinds, key
        assert found[key].reasons == case.reasons, key
        if "reruns" not in run.mode:  # pytest's report then has those of all attempts so far
            names = [name for name, _ in case.properties]
            assert [name for name, _ in found[key].properties] == names, key


def check_against_summary(run: Run) -> None:
    """The last line of pytest's output, word by word."""
    last = next(line for line in reversed(run.outcome.stdout.splitlines()) if " in " in line)
    told = {word: int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", last.partition(" in ")[0])}
    counted: Counter[str] = Counter()
    for attempt in run.attempts:
        counted.update(_words(attempt))
    warnings = collecting.of_kind(run.events, "warning")
    counted["warnings" if len(warnings) > 1 else "warning"] = len(warnings)
    told["error"] = told.pop("errors", 0) or told.pop("error", 0)
    assert +counted == +Counter(told)


def _words(attempt: Attempt) -> list[str]:
    """What pytest's summary counts: every phase that came to something, and calls that passed."""
    words = []
    for report in attempt.phases:
        outcome, in_call = report["outcome"], report["phase"] == "call"
        if report["xfail_reason"] is not None:
            words.append({"skipped": "xfailed", "passed": "xpassed"}[outcome])
        elif outcome == "failed":
            words.append("failed" if in_call else "error")
        elif outcome != "passed" or in_call:
            words.append(outcome)
    return words


def check_verdicts(run: Run) -> None:
    """Of the last attempts, for tests whose name says what they do."""
    last = {attempt.nodeid: attempt.verdict for attempt in run.attempts}
    assert {nodeid for nodeid in last if "test_outcomes.py" in nodeid} == {
        f"matrix/test_outcomes.py::{name}" for name in VERDICTS
    }
    for name, verdict in VERDICTS.items():
        assert last[f"matrix/test_outcomes.py::{name}"] == verdict, name


#: Of `test_outcomes.py`.
VERDICTS = {
    "test_passed": "passed",
    "test_passed_with_text": "passed",
    "test_failed": "failed",
    "test_raised": "failed",
    "test_skipped": "skipped",
    "test_skip_mark": "skipped",
    "test_skipif": "skipped",
    "test_xfail": "xfailed",
    "test_xfail_not_run": "xfailed",
    "test_xfail_other_error": "failed",
    "test_xfail_in_body": "xfailed",
    "test_xpass": "xpassed",
    "test_xpass_strict": "failed",
    "test_setup_error": "error",
    "test_setup_skip": "skipped",
    "test_teardown_error": "error",
    "test_failed_and_teardown_error": "failed",
    "test_skipped_and_teardown_error": "error",
    "test_xfail_setup_error": "xfailed",
    "test_xfail_teardown_error": "xfailed",
    "test_warns": "passed",
    "test_system_exit": "failed",
    "test_strange_error": "failed",
}


def check_reruns(run: Run) -> None:
    """What fails until its n-th attempt has n of them with reruns, and one without."""
    found: dict[str, list[str]] = {}
    for attempt in run.attempts:
        if "test_flaky.py" in attempt.nodeid:
            found.setdefault(attempt.nodeid.partition("::")[2], []).append(attempt.verdict)
    reruns = "reruns" in run.mode
    assert found == {
        "test_in_call[1]": ["passed"],
        "test_in_call[2]": ["rerun", "passed"] if reruns else ["failed"],
        "test_in_call[3]": ["rerun", "rerun", "passed"] if reruns else ["failed"],
        "test_in_setup[2]": ["rerun", "passed"] if reruns else ["error"],
        "test_in_teardown": ["rerun", "passed"] if reruns else ["error"],
    }


def check_texts(run: Run) -> None:
    """What an attempt said and recorded is its own, though pytest repeats it in the next."""
    found = [each for each in run.attempts if each.nodeid.endswith("::test_in_call[3]")]
    assert [each.number for each in found] == ([1, 2, 3] if "reruns" in run.mode else [1])
    for attempt in found:
        said = {
            report["phase"]: [section["content"] for section in report["sections"]]
            for report in attempt.phases
        }
        expected = {
            "setup": ["setup\n"],
            "call": [f"attempt {attempt.number}\n"],
            "teardown": ["teardown\n"],
        }
        assert said == {phase: expected[phase] for phase in said}
        properties = [report["properties"] for report in attempt.phases]
        assert properties[:2] == [[["of", '"setup"']], [["attempt", "3"]]]
        assert not any(properties[2:])


def check_ids(run: Run) -> None:
    """Whatever parameters look like."""
    plugins = str(listing_plugin(run.project.folder))
    flags = ("--collect-only", "-p", "no:pytest_host", "-p", "listing")
    listing = run.project.run("pytest", *flags, PYTHONPATH=plugins)
    assert listing.code == 0, listing
    expected = (run.project.folder / "ids.txt").read_text("utf-8").split("\n\n")
    found = [test["nodeid"] for test in collecting.announced(run.events)]
    assert found == expected
    # What the comparison with junitxml relies on.
    assert len({junit.key(nodeid) for nodeid in found}) == len(found)


def listing_plugin(folder: Path) -> Path:
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "listing.py").write_text(
        "def pytest_collection_finish(session):\n"
        "    ids = '\\n\\n'.join(item.nodeid for item in session.items)\n"
        "    (session.config.rootpath / 'ids.txt').write_text(ids, encoding='utf-8')\n"
    )
    return plugins
