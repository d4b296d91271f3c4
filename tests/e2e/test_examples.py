"""The examples of guests/examples: built and used as their READMEs say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.authoring import once, run, with_tools
from support.installation import Folders
from support.project import MakeProject, Project

EXAMPLES = Path(__file__).parents[2] / "guests" / "examples"
RECORDINGS = Path(__file__).parents[1] / "recordings"
DIST = Path(__file__).parents[2] / "target" / "guests" / "dist"


@pytest.fixture(scope="session")
def slack(folders: Folders, make_project: MakeProject) -> Path:
    return component(folders, make_project, "python/slack")


@pytest.fixture(scope="session")
def github(folders: Folders, make_project: MakeProject) -> Path:
    return component(folders, make_project, "javascript/github")


def component(folders: Folders, make_project: MakeProject, example: str) -> Path:
    name = Path(example).name

    def make(folder: Path) -> Mapping[str, str]:
        project = make_project()
        out = folder / f"{name}.wasm"
        build = ("sink", "build", str(EXAMPLES / example), f"--out={out}")
        return {"built": run(project, *build, folder=folder, **with_tools(project)).stdout}

    return once(folders.cache.parent / "sinks", name, make) / f"{name}.wasm"


def suite(project: Project, name: str) -> None:
    for file in (RECORDINGS / name).iterdir():
        shutil.copy(file, project.folder / file.name.replace(".py.txt", ".py"))


@pytest.mark.parametrize(
    ("example", "command"),
    [
        ("python/slack", [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]),
        ("javascript/github", ["npm", "test"]),
    ],
)
def test_their_own_tests_need_no_host(project: Project, example: str, command: list[str]) -> None:
    done = subprocess.run(
        command,
        cwd=EXAMPLES / example,
        env={**project.environ, **with_tools(project)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_slack_keeps_the_contract(project: Project, slack: Path) -> None:
    url = "--set=url=http://127.0.0.1:1/services/x"
    outcome = project.run("host", "sink", "test", str(slack), url, "--set=when=always")
    assert outcome.code == 0, outcome


def test_slack_posts_one_message_a_run(project: Project, slack: Path) -> None:
    suite(project, "outcomes")
    receiver = project.receiver()
    project.configure(
        f'[sink.slack]\nmodule = "{slack}"\nurl = "${{WEBHOOK}}"\nmax = 3\n'
        f'allow.http = ["{receiver.url.rstrip("/").rpartition("/")[0] or receiver.url}"]\n'
    )
    outcome = project.run("host", "run", "--sinks=slack", WEBHOOK=receiver.url)
    assert outcome.code == 1, outcome
    (request,) = receiver.requests()
    texts = [block["text"]["text"] for block in request.json["blocks"]]
    assert re.match(r":x: \*pytest on .*\*: 2 error, \d+ failed, ", texts[0])
    assert texts[1] == "`test_outcomes.py::test_fails`\nAssertionError: not what was expected"
    assert re.fullmatch(r"and \d+ more", texts[4])
    assert "WEBHOOK" not in outcome.stderr


def test_github_keeps_the_contract(project: Project, github: Path) -> None:
    outcome = project.run("host", "sink", "test", str(github))
    assert outcome.code == 0, outcome


def test_github_annotates_the_lines_that_failed(project: Project, github: Path) -> None:
    suite(project, "outcomes")
    project.configure(f'[sink.github]\nmodule = "{github}"\nallow.write = ["github"]\n')
    outcome = project.run("host", "run", "--sinks=github")
    assert outcome.code == 1, outcome
    annotations = (project.folder / "github" / "annotations.txt").read_text().splitlines()
    source = (project.folder / "test_outcomes.py").read_text().splitlines()
    first = re.fullmatch(
        r"::error file=test_outcomes\.py,line=(\d+),title=test_outcomes\.py%3A%3Atest_fails::(.*)",
        annotations[0],
    )
    assert first, annotations[0]
    assert source[int(first[1]) - 1].strip().startswith("assert found == expected")
    assert first[2] == "AssertionError: not what was expected"
    summary = (project.folder / "github" / "summary.md").read_text()
    assert re.search(r"❌ \d+ failed", summary)
    assert "<code>test_outcomes.py::test_raises</code>" in summary


#: What of pytest's own file cannot be the same: measured twice, or said in other words.
def normal(path: Path) -> list[dict[str, Any]]:
    cases = []
    for case in ET.parse(path).iter("testcase"):
        inside = [
            {"tag": child.tag, **child.attrib, "text": (child.text or "").strip()}
            for child in case
            if child.tag != "properties"
        ]
        for child in inside:
            if child.get("message") == "collection skipped":
                # Ours has the reason, pytest's own the place as well, as Python shows a tuple.
                child["text"] = re.sub(r"^\(.*, 'Skipped: (.*)'\)$", r"\1", child["text"])
        properties = [(p.get("name"), p.get("value")) for p in case.iter("property")]
        cases.append(
            {
                "classname": case.get("classname"),
                "name": case.get("name"),
                "properties": properties,
                "inside": inside,
            }
        )
    return sorted(cases, key=lambda case: json.dumps(case, sort_keys=True, default=str))


@pytest.mark.parametrize("name", ["outcomes", "unicode", "broken", "reruns", "xdist"])
def test_junit_is_pytests_own(make_project: MakeProject, python: str, name: str) -> None:
    project = make_project(python)
    suite(project, name)
    if project.installation.pytest < (9, 0):
        source = project.folder / "test_outcomes.py"
        if source.exists():
            source.write_text(source.read_text().partition("def test_subtests")[0])
    project.configure(f'[sink.junit]\nmodule = "{DIST / "junit.wasm"}"\nallow.write = ["junit"]\n')
    more = {
        "broken": ["--continue-on-collection-errors"],
        "reruns": ["--reruns=2"],
        "xdist": ["-n2", "-k", "not ends"],
    }
    outcome = project.run(
        *("host", "run", "--sinks=junit", "--", "--junitxml=own.xml", *more.get(name, []))
    )
    assert outcome.code == 1, outcome
    ours, own = project.folder / "junit" / "junit.xml", project.folder / "own.xml"
    cases, expected_cases = normal(ours), normal(own)
    if project.installation.pytest < (9, 0):
        # It took these for illegal.
        cases = json.loads(json.dumps(cases, ensure_ascii=False).replace("🐍", "#x1F40D"))
        cases.sort(key=lambda case: json.dumps(case, sort_keys=True))
        expected_cases = json.loads(json.dumps(expected_cases))
        expected_cases.sort(key=lambda case: json.dumps(case, sort_keys=True))
    if name == "reruns" and project.installation.pytest < (8, 0):
        # The plugin of that time shows the last attempt alone.
        cases = [case for case in cases if case["inside"] or case["name"] != "test_never"]
        cases = [case for n, case in enumerate(cases) if case not in cases[:n]]
        expected_cases = [c for n, c in enumerate(expected_cases) if c not in expected_cases[:n]]
    assert cases == expected_cases
    counts = ("errors", "failures", "skipped", "tests", "name")
    suites = [next(ET.parse(path).iter("testsuite")) for path in (ours, own)]
    found, expected = ({key: one.get(key) for key in counts} for one in suites)
    assert found == expected


def test_junit_keeps_the_contract(project: Project) -> None:
    outcome = project.run("host", "sink", "test", str(DIST / "junit.wasm"))
    assert outcome.code == 0, outcome
