"""Requests made from the API's own description: none is answered otherwise than it says."""

from __future__ import annotations

import os
import subprocess

from support import variables
from support.project import Project
from support.serving import Serving


def test_the_api_is_as_it_is_described(project: Project) -> None:
    assert variables.SCHEMATHESIS, "set by: cargo xtask test"
    project.write("test_it.py", "def test_a(): pass\ndef test_b(): assert 0\n")
    serving = Serving(project)
    project.run("pytest", "-q", f"--sinks-host={serving.address}")
    done = subprocess.run(
        [
            variables.SCHEMATHESIS,
            "run",
            f"{serving.url}/api/openapi.json",
            f"--header=Authorization: Bearer {serving.token}",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=8",
            "--generation-database=none",
            "--seed=1",
        ],
        cwd=project.folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "Tested: " in done.stdout
    assert serving.is_running()
