"""Suites that nobody here wrote: what the sinks get is, test by test, what --junitxml says.

cargo xtask test --real
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from real.projects import PROJECTS, RealProject, fetch, install
from support import junit
from support.installation import Folders, Installation
from support.project import Project, read_results
from support.receiving import Receiver

#: To deliver what is left, for suites of a thousand tests.
DRAIN = "120s"


@dataclass(frozen=True)
class Fetched:
    project: RealProject
    source: Path
    modules: Path


@pytest.fixture(scope="session", params=PROJECTS, ids=lambda project: project.name)
def fetched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fetched:
    project: RealProject = request.param
    folder = tmp_path_factory.mktemp(project.name)
    source = fetch(project, folder / "source")
    return Fetched(project, source, install(project, folder / "modules"))


@pytest.fixture
def suite(fetched: Fetched, this_installation: Installation, folders: Folders) -> Iterator[Project]:
    made = Project(fetched.source, this_installation, folders)
    made.environ["PYTHONPATH"] = str(fetched.modules)
    yield made
    made.end()


def stopped(receiver: Receiver) -> Iterator[dict[str, str]]:
    """What `rt` sent of each test, in the words of `publish`."""
    words = {"passed": "pass", "failed": "fail", "skipped": "skip"}
    for message in receiver.results():
        if message["type"] == "stopTestItem":
            yield {"nodeid": message["test"], "result": words[message["status"]]}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "n2"])
def test_every_result_arrives(
    suite: Project, fetched: Fetched, guests: Path, workers: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    receiver, messages = suite.receiver(), suite.receiver()
    settings = {
        "publish.url": receiver.url,
        "rt.url": messages.url,
        "pubdir.dir": str(tmp_path / "results"),
        "collector.dir": str(out),
        "collector.allow.write": json.dumps([str(out)]),
    }
    outcome = suite.run(
        *("host", "run", "--sinks", f"publish,pubdir,rt,{guests / 'collector.wasm'}"),
        *(f"--set={key}={value}" for key, value in settings.items()),
        *(f"--drain-timeout={DRAIN}", "--", "-p", "no:cacheprovider", "-q"),
        *(f"--junitxml={tmp_path / 'j.xml'}", *workers, *fetched.project.args),
    )
    assert outcome.code in (0, 1), outcome
    expected = junit.read(tmp_path / "j.xml")
    assert junit.of_results(receiver.results()) == expected
    assert junit.of_results(read_results(tmp_path / "results")) == expected
    assert junit.of_results(stopped(messages)) == expected
    lines = (out / "events.jsonl").read_text().splitlines()
    events = {event["seq"]: event for event in map(json.loads, lines)}.values()
    ended = [event["nodeid"] for event in events if event["kind"] == "test-finished"]
    assert Counter(map(junit.key, ended)) == Counter(dict.fromkeys(expected, 1))
    assert " left" not in outcome.stderr
    assert "set aside" not in outcome.stderr
    counts: Counter[str] = sum(expected.values(), Counter())
    name = f"{fetched.project.name} {fetched.project.version}"
    print(f"\n{name}: {len(expected)} tests, {dict(counts)}, in {outcome.seconds:.1f} s")
