"""Projects whose tests nobody here wrote, from the package index by their names."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RealProject:
    """Pinned: what a later release does is no failure here."""

    name: str
    version: str
    #: What its tests need.
    needs: tuple[str, ...] = ()
    args: tuple[str, ...] = ("tests",)


PROJECTS = [
    RealProject("itsdangerous", "2.2.0", ("freezegun",)),
    RealProject("jinja2", "3.1.6", ("trio",)),
    RealProject("tomlkit", "0.13.3", ("pyyaml",)),
    RealProject("click", "8.5.1"),
]


def fetch(project: RealProject, folder: Path) -> Path:
    """The unpacked source distribution."""
    folder.mkdir(parents=True, exist_ok=True)
    command = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"),
        *("--dest", str(folder), f"{project.name}=={project.version}"),
    )
    subprocess.run(command, check=True, timeout=600)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        if hasattr(tarfile, "data_filter"):
            opened.extractall(folder, filter="data")
        else:
            opened.extractall(folder)
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    return source


def install(project: RealProject, folder: Path) -> Path:
    """A folder with the project and what its tests need, to put in the path of modules.

    The environment of these tests stays as it is, and has pytest and the adapter already.
    """
    command = (
        *(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)),
        *(f"{project.name}=={project.version}", *project.needs),
    )
    subprocess.run(command, check=True, timeout=600)
    return folder
