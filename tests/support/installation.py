"""A Python environment with pytest and pytest-host in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support import variables

_PROBE = """
import importlib.metadata, json, sysconfig
version = importlib.metadata.version
print(json.dumps([sysconfig.get_path("scripts"), version("pytest"), version("pytest-host")]))
"""

#: Of the environment that the tests run in, what must not reach the runs that they start.
_OURS = (
    "PYTEST_",
    "E2E_",
    "COV_",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "PY_COLORS",
    "FORCE_COLOR",
)

#: pytest shortens what it says of a failed comparison, unless it finds one of these.
_IN_CI = frozenset({"CI", "BUILD_NUMBER"})


@dataclass(frozen=True)
class Installation:
    python: str
    scripts: Path
    #: Major and minor.
    pytest: tuple[int, int]

    def environment(self, folders: Folders) -> dict[str, str]:
        """What a run gets: its commands first in the path, and none of this run's own variables."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_OURS)
            and name not in _IN_CI
            and not name.lower().endswith("_proxy")
        }
        path = f"{self.scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            **kept,
            "PATH": path,
            "XDG_CACHE_HOME": str(folders.cache),
            "XDG_RUNTIME_DIR": str(folders.runtime),
            "XDG_STATE_HOME": str(folders.state),
            "PYTEST_DEBUG_TEMPROOT": str(folders.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "80",
            "LC_ALL": "C.UTF-8",
        }


@dataclass(frozen=True)
class Folders:
    """Of one run of these tests, instead of the user's own."""

    cache: Path
    runtime: Path
    state: Path
    #: Where pytest has `tmp_path`: in the user's own folder it first removes those of earlier runs,
    #: and that may take it minutes.
    temporary: Path


@cache
def installation(python: str) -> Installation:
    answer = subprocess.run(
        [python, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True
    )
    scripts, pytest_version, _ = json.loads(answer.stdout)
    major, minor = pytest_version.split(".")[:2]
    return Installation(python, Path(scripts), (int(major), int(minor)))


def pythons() -> list[str]:
    """The interpreter of this run, and those that the environment lists."""
    more = variables.PYTHONS.split(os.pathsep)
    return [sys.executable, *(python for python in more if python)]
