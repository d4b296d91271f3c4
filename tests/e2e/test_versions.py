"""A component that was built for an older contract goes on running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.project import Project

CONTRACTS = Path(__file__).parents[1] / "fixtures" / "contract"


@pytest.mark.parametrize("version", ["0.1.0"])
def test_an_old_component_runs(project: Project, version: str) -> None:
    component = CONTRACTS / version / "collector.wasm"
    checked = project.run("host", "sink", "check", str(component), "--set=dir=out", "--json")
    assert checked.code == 0, checked
    report = json.loads(checked.stdout)
    assert report["contract"] == version
    project.configure(report["table"].replace(report["module"], str(component)))
    project.write("test_it.py", "def test_passes(): pass\ndef test_fails(): assert 0\n")
    outcome = project.run("host", "run", "--sinks=collector")
    assert outcome.code == 1, outcome
    assert "set aside" not in outcome.stderr, outcome
    assert "left" not in outcome.stderr, outcome
    assert list((project.folder / "out").iterdir())
