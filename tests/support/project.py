"""A folder with tests in it, and the commands that a user runs there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from support.installation import Folders, Installation
from support.polling import DEADLINE, until
from support.processes import Outcome, Running, child_of, cores, end_cores
from support.receiving import Receiver

SUITES = Path(__file__).parents[1] / "fixtures" / "suites"


class Project:
    def __init__(self, folder: Path, installation: Installation, folders: Folders) -> None:
        self.folder = folder
        self.installation = installation
        self.environ = installation.environment(folders)
        self._running: list[Running] = []
        self._receivers: list[Receiver] = []

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def copy(self, *suites: str) -> None:
        """Captured suites, with their pytest.ini."""
        shutil.copy(SUITES / "pytest.ini", self.folder)
        for suite in suites:
            shutil.copytree(SUITES / suite, self.folder / suite)

    def configure(self, text: str) -> None:
        (self.folder / "host.toml").write_text(text)

    def receiver(self, *behaviour: str, port: int = 0) -> Receiver:
        number = len(list(self.folder.glob("received-*.jsonl")))
        log = self.folder / f"received-{number}.jsonl"
        receiver = Receiver(log, *behaviour, port=port)
        self._receivers.append(receiver)
        return receiver

    def start(self, *command: str, folder: Path | None = None, **environ: str) -> Running:
        program = str(self.installation.scripts / command[0])
        running = Running(
            (program, *command[1:]), folder or self.folder, {**self.environ, **environ}
        )
        self._running.append(running)
        return running

    def run(self, *command: str, folder: Path | None = None, **environ: str) -> Outcome:
        """`host …`, `pytest …` or another command of the installation, to its end."""
        return self.start(*command, folder=folder, **environ).finish()

    def report(
        self, *args: str, sinks: str = "publish,pubdir", sets: Mapping[str, str] | None = None
    ) -> tuple[Outcome, Receiver]:
        """`host run` with a receiver that takes everything, and the folder `results`."""
        receiver = self.receiver()
        settings = {"publish.url": receiver.url, "pubdir.dir": "results", **(sets or {})}
        flags = [f"--set={key}={value}" for key, value in settings.items()]
        return self.run("host", "run", "--sinks", sinks, *flags, "--", *args), receiver

    def core(self) -> int:
        """The one core that works here."""
        found = until("a core to start", lambda: cores(self.folder))
        assert len(found) == 1
        return found[0]

    def pytest_of(self, host: int) -> int:
        """The pytest that the `host run` of that process id started."""
        return until("pytest to start", lambda: child_of(host, "-m pytest"))

    def wait_for(self, name: str) -> None:
        """Until a test has made the file `name`."""
        until(f"a test to make {name}", (self.folder / name).exists)

    def wait_for_cores(self, deadline: float = DEADLINE) -> None:
        until("cores to end", lambda: not cores(self.folder), deadline)

    def end_cores(self) -> None:
        end_cores(self.folder)

    def end(self) -> None:
        for running in self._running:
            running.end()
        for receiver in self._receivers:
            receiver.end()
        end_cores(self.folder)


#: Makes a project for an interpreter; the one of this run by default.
MakeProject = Callable[..., Project]


def tidy(outcome: Outcome, folder: Path) -> Outcome:
    """With the folder's name taken out."""
    names = {str(folder), str(folder.resolve())}

    def mask(text: str) -> str:
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, "FOLDER")
        return text

    return replace(outcome, stdout=mask(outcome.stdout), stderr=mask(outcome.stderr))


def read_tree(top: Path) -> dict[str, str]:
    """Every file below `top`, as {relative path: content}."""
    paths: Iterable[Path] = (
        Path(folder) / name for folder, _, names in os.walk(top) for name in names
    )
    return {path.relative_to(top).as_posix(): path.read_text() for path in sorted(paths)}


def read_results(top: Path) -> list[dict[str, object]]:
    """What every `result.json` below `top` holds."""
    tree = read_tree(top)
    return [json.loads(text) for path, text in tree.items() if path.endswith("/result.json")]
