"""Life of the process that the user started: attach, report, wait for the sinks."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from . import rt, summary, texts
from .attachment import ATTACHED, Attachment, attach
from .connection import Refused, Unavailable, read_token
from .controller import ControllerReporter
from .ending import Ending
from .launch import build_scripts, start_core
from .options import Request, without_secrets
from .redaction import Redactor
from .reporter import Reporter

#: Seconds from the session's start in which the host may hold it up.
_START_TIMEOUT = 2.0

#: Seconds of those in which xdist's workers are not started yet. Workers that
#: were, and got no work, take 5 s to end.
_WORKERS_TIMEOUT = 0.25

#: Seconds on top of `--sinks-finish-timeout` for the answer to arrive.
_ANSWER_TIMEOUT = 0.5

#: Options that make pytest's session do something other than to run tests.
_NO_RUN = ("showfixtures", "show_fixtures_per_test", "cacheshow", "setupplan", "setuponly")

_NAME = "pytest_host_reporter"

#: Set by `host serve` for the runs that it starts.
JOB_VARIABLE = "PYTEST_HOST_JOB"


def _target(config: pytest.Config, arg: str) -> str:
    """The file or folder of an argument, below the root directory where it is there."""
    path = config.invocation_params.dir / arg.partition("::")[0]
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        path = path.resolve()
    if path.is_relative_to(config.rootpath):
        path = path.relative_to(config.rootpath)
    return path.as_posix()


class Session:
    """One reported run."""

    def __init__(self, config: pytest.Config, request: Request, environ: dict[str, str]) -> None:
        self._config = config
        self._request = request
        #: As the process got it; the core reads `PYTEST_HOST*` from it.
        self._environ = environ
        self._deadline = 0.0
        self._session: pytest.Session | None = None
        self._attachment: Attachment | None = None
        self._reporter: Reporter | ControllerReporter | None = None
        self._ending = Ending()
        #: Why nothing is reported.
        self._unreported: str | None = None
        #: What the user should know at the end.
        self._problems: list[str] = []
        #: The host said whether it can do what was asked for.
        self._answered = False
        #: Nothing more is to be expected of it.
        self._silent = False

    # First, so that xdist's workers can be told, and before anything is printed.
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if any(getattr(self._config.option, name, False) for name in _NO_RUN):
            return
        self._session = session
        try:
            self._build_scripts()
            self._deadline = time.monotonic() + _START_TIMEOUT
            self._attach()
            self._write_job()
            if isinstance(self._reporter, ControllerReporter):
                self._await_ready(time.monotonic() + _WORKERS_TIMEOUT)
        except Refused as refused:
            self._remove_job()
            raise pytest.UsageError(f"{summary.PREFIX}{refused}") from None
        except Unavailable as error:
            if self._attachment is None:
                self._unreported = str(error)
            else:
                self._lost(error)
        except Exception as error:
            self._broken(error)

    def _build_scripts(self) -> None:
        """Before anything else: it may take a while, once."""
        if self._request.address is not None:
            return

        def tell(line: str) -> None:
            self._config.get_terminal_writer().line(summary.PREFIX + line)

        directory = str(self._config.invocation_params.dir)
        names = self._request.body.get("sinks") or ()
        build_scripts(directory, self._environ, names, tell)

    def pytest_report_header(self) -> str | None:
        if self._unreported is None:
            return None
        return summary.PREFIX + summary.unreported(self._unreported)

    # First: bad input is told before any test runs.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        try:
            self._await_ready(self._deadline)
        except Refused as refused:
            self._remove_job()
            raise pytest.UsageError(f"{summary.PREFIX}{refused}") from None
        except Unavailable as error:
            self._lost(error)
        except Exception as error:
            self._broken(error)

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        try:
            self._ending.interrupted(excinfo.value)
        except Exception as error:
            self._broken(error)

    def pytest_internalerror(self) -> None:
        self._ending.internal_error()

    # Last, and not before: pytest still records warnings while the session
    # finishes, and its summary should not have to wait for the sinks.
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        attachment = self._attachment
        if attachment is not None and attachment.dropped:
            return  # a forked child, that went on to the end
        line, well = None, False
        try:
            if attachment is not None:
                line, well = self._finish(attachment)
            elif self._unreported is not None:
                line = summary.unreported(self._unreported)
        except Exception as error:
            self._broken(error)
        self._write(line, well)

    def _attach(self) -> None:
        config = self._config
        directory = str(config.invocation_params.dir)
        address = self._request.address or start_core(directory, self._environ, self._deadline)
        token = read_token(address)
        attachment = self._attachment = attach(
            address,
            self._deadline,
            process="main",
            token=token,
            role="session",
            directory=directory,
            request=self._request.body,
            **self._job(),
        )
        config.stash[ATTACHED] = attachment
        frame = self._session_frame(attachment.redactor)
        attachment.segments.append(texts.dumps(frame).encode())
        if config.pluginmanager.hasplugin("dsession"):
            ticket = {"address": address, "token": token, "run": attachment.welcome.run}
            self._reporter = ControllerReporter(
                config,
                attachment,
                ticket=ticket,
                broken=self._broken,
                problem=self._problems.append,
            )
        else:
            self._reporter = Reporter(
                config,
                attachment.segments,
                redactor=attachment.redactor,
                broken=self._broken,
            )
        config.pluginmanager.register(self._reporter, _NAME)

    def _labels(self) -> list[tuple[str, str]]:
        """Facts of the session that have no field of their own."""
        config = self._config
        targets = [("target", _target(config, str(arg))) for arg in config.args]
        offset = ("utc-offset", str(time.localtime().tm_gmtoff))
        return [*self._job().items(), *targets, offset]

    def _write_job(self) -> None:
        """At once, so that whoever started this run can follow it."""
        if self._request.job is None:
            return
        try:
            self._job_file().write_text(self._request.job, encoding="utf-8")
        except OSError as error:
            self._problems.append(summary.unwritten(rt.JOB_FILE, error))

    def _remove_job(self) -> None:
        """It names a job that never began."""
        if self._request.job is not None:
            with contextlib.suppress(OSError):
                self._job_file().unlink()

    def _job_file(self) -> Path:
        return self._config.invocation_params.dir / rt.JOB_FILE

    def _job(self) -> dict[str, str]:
        """The job of `host serve` that this run is."""
        job = self._environ.get(JOB_VARIABLE)
        return {"job": job} if job else {}

    def _session_frame(self, redactor: Redactor) -> dict[str, Any]:
        config = self._config
        args = without_secrets([str(arg) for arg in config.invocation_params.args])
        now = time.time()
        dist = config.getoption("dist", "no")
        return {
            "k": "session",
            "t": now,
            "session": {
                "rootdir": redactor.identity(str(config.rootpath)),
                "invocation_dir": redactor.identity(str(config.invocation_params.dir)),
                "args": list(map(redactor.text, args)),
                "started": now,
                "pytest_version": pytest.__version__,
                "python_version": platform.python_version(),
                "python_prefixes": list(map(redactor.identity, (sys.prefix, sys.base_prefix))),
                "hostname": redactor.text(platform.node()),
                "pid": os.getpid(),
                "dist": None if dist == "no" else dist,
                "labels": [[name, redactor.identity(text)] for name, text in self._labels()],
            },
        }

    def _await_ready(self, deadline: float) -> None:
        """Wait for the sinks to accept their settings; later is fine as well."""
        while self._attachment is not None and not self._answered:
            message = self._attachment.connection.receive(deadline)
            if message is None:
                return
            self._answered = message["type"] in ("ready", "refused")
            if message["type"] == "refused":
                self._silent = True
                raise Refused(str(message.get("message")))

    def _finish(self, attachment: Attachment) -> tuple[str | None, bool]:
        """End the stream, and wait for the sinks if it is on us. Returns what to print."""
        attachment.segments.end()
        if isinstance(self._reporter, Reporter):
            self._reporter.finish()
        self._append_end(attachment)
        attachment.segments.close()
        if left_out := attachment.segments.left_out:
            self._problems.append(summary.left_out(left_out))
        line, well = None, True
        try:
            if attachment.welcome.finish and not self._silent:
                line, well = self._await_sinks(attachment)
        except KeyboardInterrupt:
            line, well = summary.not_awaited(), False
        except Refused as refused:
            line, well = summary.unreported(str(refused)), False
        except Unavailable as error:
            self._lost(error)
        finally:
            attachment.close()
        return line, well

    def _append_end(self, attachment: Attachment) -> None:
        session = self._session
        exitstatus = int(getattr(session, "exitstatus", 0))
        reason = self._ending.reason(session, exitstatus)
        redact = attachment.redactor.value
        frames: list[dict[str, Any]] = []
        if self._ending.interruption is not None and reason != "maxfail":
            frames.append({"k": "interrupted", "reason": redact(self._ending.interruption)})
        frames.append({"k": "finish", "exitstatus": exitstatus, "reason": redact(reason)})
        for frame in frames:
            attachment.segments.append(texts.dumps({**frame, "t": time.time()}).encode())
        attachment.segments.append(b'{"k":"bye"}')

    def _await_sinks(self, attachment: Attachment) -> tuple[str, bool]:
        seconds = self._request.finish_timeout
        deadline = time.monotonic() + seconds + _ANSWER_TIMEOUT
        attachment.connection.send({"type": "finish", "timeout": seconds}, deadline)
        while (message := attachment.connection.receive(deadline)) is not None:
            if message["type"] == "refused":
                raise Refused(str(message.get("message")))
            if message["type"] == "finished":
                return summary.finished(
                    message.get("sinks") or [],
                    refused=message.get("refused") or [],
                    give_again=message.get("give_again") or [],
                )
        return summary.late(seconds), False

    def _write(self, line: str | None, well: bool) -> None:
        """To the terminal; with `-q`, only what went wrong."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None:
            return
        verbosity = self._config.option.verbose
        if self._problems:
            line, well = "; ".join(filter(None, (line, *self._problems))), False
        if line is not None and (not well or verbosity >= 0):
            if self._attachment is not None:
                line = self._attachment.redactor.text(line)
            terminal.write_line(summary.PREFIX + line)

    def _lost(self, error: Unavailable) -> None:
        """The connection ended early. What goes into the segment is kept all the same."""
        self._problems.append(str(error))
        self._answered = self._silent = True

    def _broken(self, error: Exception) -> None:
        """An error of ours must not become the run's."""
        self._problems.append(summary.broken(error))
        reporter, self._reporter = self._reporter, None
        if self._config.pluginmanager.is_registered(reporter):
            self._config.pluginmanager.unregister(reporter)
