"""What every test here works with: real commands, in a folder of the test's own."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.authoring import Built, Sink, make_sink, once, sink_in
from support.guests import folder_of_guests
from support.installation import Folders, Installation, installation, pythons
from support.project import MakeProject, Project

# A shell that starts tests in the background has them ignore Ctrl-C, and so does
# whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for `python` run once with each interpreter."""
    if "python" in metafunc.fixturenames:
        names = pythons()
        ids = [f"pytest{'.'.join(map(str, installation(name).pytest))}" for name in names]
        metafunc.parametrize("python", names, ids=ids, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows what tests have measured, as their property `figure`."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(str(value))


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Folders]:
    """Shared by all workers of this run, so that guests are compiled once."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    # Short, since a socket's path may have 107 bytes.
    runtime = Path(tempfile.mkdtemp(prefix="pyh"))
    temporary = runtime / "tmp"
    temporary.mkdir()
    yield Folders(
        cache=shared / "cache", runtime=runtime, state=base / "state", temporary=temporary
    )
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """pytest-xdist's, for runs without it."""
    workerinput = getattr(request.config, "workerinput", None)
    return workerinput["workerid"] if workerinput else "master"


@pytest.fixture(scope="session")
def this_installation() -> Installation:
    return installation(sys.executable)


@pytest.fixture
def project(tmp_path: Path, this_installation: Installation, folders: Folders) -> Iterator[Project]:
    made = Project(tmp_path, this_installation, folders)
    yield made
    made.end()


@pytest.fixture(scope="session")
def make_project(
    tmp_path_factory: pytest.TempPathFactory, folders: Folders
) -> Iterator[MakeProject]:
    """Projects that several tests look at."""
    with ExitStack() as stack:

        def make(python: str = sys.executable) -> Project:
            project = Project(tmp_path_factory.mktemp("project"), installation(python), folders)
            stack.callback(project.end)
            return project

        yield make


@pytest.fixture(scope="session")
def guests() -> Path:
    """The components that the tests have of their own."""
    folder = folder_of_guests()
    if not folder.is_dir():
        pytest.fail(f"{folder} is not there; build it with: cargo xtask guests --fixtures")
    return folder


@pytest.fixture(scope="session")
def built(folders: Folders, make_project: MakeProject) -> Built:
    """Sinks that `host sink new` makes, built once for all workers of this run."""

    def build(language: str) -> Sink:
        def make(folder: Path) -> Mapping[str, str]:
            return make_sink(make_project(), language, folder)

        return sink_in(once(folders.cache.parent / "sinks", language, make), language)

    return build
