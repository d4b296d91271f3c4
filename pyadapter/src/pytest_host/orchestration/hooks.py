"""pytest's hooks, for runs with an orchestrated test."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from ..attachment import ATTACHED, Attachment
from ..connection import Message, Unavailable
from ..launch import ENVIRON, start_core
from ..pauses.channel import Channel
from .collector import OrchestrationFile
from .descriptions import Description
from .options import PREFIX, Options
from .running import Running, check
from .sources import Function
from .summary import PROPERTY, table

#: Seconds for the host to say what it thinks of a description: it may have to compile first.
_CHECK = 20.0


def register(config: pytest.Config, *, is_worker: bool) -> None:
    """Raises pytest's usage error."""
    options = Options.read(config)
    missing = list(filter(None, map(options.sources.missing, options.descriptions)))
    if missing and not options.load:
        raise pytest.UsageError(f"{PREFIX}{missing[0]}")
    hooks = Hooks(config, options, is_worker=is_worker)
    if options.load:
        # Nothing else is collected.
        config.args.clear()
    config.pluginmanager.register(hooks, "pytest_host_orchestration")
    if not is_worker:
        summaries = Summaries(config, options)
        config.pluginmanager.register(summaries, "pytest_host_orchestration_summary")


class Hooks:
    def __init__(self, config: pytest.Config, options: Options, *, is_worker: bool) -> None:
        self._config = config
        self._options = options
        self._is_worker = is_worker
        self._files = {each.path: each for each in options.descriptions}

    def pytest_collect_file(self, file_path: Path, parent: Any) -> OrchestrationFile | None:
        description = self._files.get(file_path)
        if description is None:
            return None
        return OrchestrationFile.make(parent, description, self._options, self._run)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Adds the test, unless its file was named; the others are left as they are.

        `-k` and the like are for those: this one was asked for by its name.
        """
        ours = [item for item in items if isinstance(item.parent, OrchestrationFile)]
        items[:] = [item for item in items if item not in ours]
        named = {item.path for item in ours}
        # As one more path to collect from, it would hide others: pytest 8 gets no further
        # with a folder that it has looked into for another path.
        for description in self._options.descriptions:
            if description.path not in named:
                file = OrchestrationFile.make(session, description, self._options, self._run)
                ours += session.genitems(file)
        yield
        items += ours

    # First: what is wrong is told before any test runs.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._is_worker:
            return None
        problems = self._problems()
        if self._options.load:
            return self._load(session, problems)
        if problems:
            raise pytest.UsageError(f"{PREFIX}{problems[0]}")
        return None

    def _problems(self) -> list[str]:
        """What is wrong with the descriptions."""
        options = self._options
        found = list(filter(None, map(options.sources.missing, options.descriptions)))
        attachment = self._config.stash.get(ATTACHED, None)
        if attachment is None:
            return found
        for description in self._options.descriptions:
            problem = _ask(attachment, description, self._options)
            if problem is not None:
                has_place = problem[:1].isdigit()
                found.append(f"{description.shown}:{'' if has_place else ' '}{problem}")
        return found

    def _load(self, session: pytest.Session, problems: list[str]) -> bool:
        lines = []
        for item in getattr(session, "items", ()):
            if isinstance(item, pytest.Function) and isinstance(item.parent, OrchestrationFile):
                lines += [f"{item.nodeid}", *_events(item.parent)]
                problems += _missing(item, item.parent)
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            for line in lines:
                terminal.write_line(line)
        if problems:
            pytest.exit("\n".join(f"{PREFIX}{each}" for each in problems), returncode=2)
        return True

    def _run(
        self, description: Description, functions: dict[str, Function], values: dict[str, Any]
    ) -> None:
        request = values["request"]
        attachment = self._config.stash.get(ATTACHED, None)
        if attachment is None or attachment.dropped:
            pytest.fail("an orchestrated test needs the host, which was not reached", pytrace=False)
        channel = Channel(attachment, self._start_core, "step")
        redact = attachment.redactor.value
        running = Running(description, functions, self._options, channel, redact)
        reporter = None
        if {"result_reporter", "report_queue"} & set(request.fixturenames):
            reporter = request.getfixturevalue("result_reporter")
        running.run(values, reporter)

    def _start_core(self, deadline: float) -> str:
        environ = self._config.stash.get(ENVIRON, dict(os.environ))
        return start_core(str(self._config.invocation_params.dir), environ, deadline)


def _ask(attachment: Attachment, description: Description, options: Options) -> str | None:
    """What is wrong with a description, where the host says so."""
    deadline = time.monotonic() + _CHECK
    kept: list[Message] = []
    try:
        message = {"type": "check-orchestration", **check(description, options, 0)}
        attachment.connection.send(message, deadline)
        while (answer := attachment.connection.receive(deadline)) is not None:
            if answer["type"] == "checked":
                problem = answer.get("problem")
                return None if problem is None else str(problem)
            kept.append(answer)
            if answer["type"] == "refused":
                return None
    except Unavailable:
        return None  # the test itself says so
    finally:
        attachment.connection.put_back(kept)
    return None


def _events(file: OrchestrationFile) -> list[str]:
    description, functions = file.description, file.functions
    lines = []
    for event in description.events:
        code = getattr(functions.get(event.name), "__code__", None)
        where = ""
        if code is not None:
            path = os.path.relpath(code.co_filename, file.config.invocation_params.dir)
            where = f"{path}:{code.co_firstlineno}"
        params = "".join(f" {key}={value!r}" for key, value in event.params.items())
        lines.append(f"  {event.name}{params}  {where}".rstrip())
    return lines


def _missing(item: pytest.Function, file: OrchestrationFile) -> list[str]:
    """Parameters that neither `params` nor any fixture has."""
    info: Any = item._fixtureinfo
    known = {"request", *info.name2fixturedefs}
    missing = [name for name in info.argnames if name not in known]
    return [
        f"{file.description.shown}: {name} is neither a fixture nor in params" for name in missing
    ]


class Summaries:
    """What orchestrated tests came to, wherever they ran."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self._config = config
        self._options = options
        self._found: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                self._found.append({"nodeid": report.nodeid, **json.loads(str(value))})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for summary in self._found:
            terminalreporter.section(f"orchestration: {summary['name']}")
            for line in table(summary):
                terminalreporter.write_line(line)

    def pytest_sessionfinish(self) -> None:
        path = self._options.summary
        if path is None or self._options.load:
            return
        try:
            path.write_text(json.dumps({"orchestrations": self._found}, indent=2) + "\n", "utf-8")
        except OSError as error:
            raise pytest.UsageError(f"{PREFIX}--summary-orch: {path}: {error.strerror}") from None
