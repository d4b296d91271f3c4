"""A script is a sink: built once for what is in it, kept, and swapped when it changes."""

from __future__ import annotations

import json
import re

import pytest

from support.authoring import Built, with_tools
from support.polling import until
from support.project import Project
from support.waiting import HELPERS

SUITE = "def test_passes(): pass\ndef test_fails(): assert 1 == 2\n"
ALLOW = '[sink.report]\nmodule = "{module}"\nallow.write = ["report"]\n'

#: Says on every event which version it is.
TELLING = """
import {{ write }} from 'pytest-host:sinks/log@0.1.0';
export const sink = {{
  configure() {{ return []; }},
  open(session, why) {{ write('info', '{version} opened as ' + why); }},
  handle(batch) {{
    for (const {{ event }} of batch) write('info', '{version} saw ' + event.tag);
    return [];
  }},
  close() {{}},
}};
"""


@pytest.mark.parametrize(
    ("language", "file"), [("python", "report.py"), ("javascript", "report.js")]
)
def test_a_script_is_built_once_and_kept(
    project: Project, built: Built, language: str, file: str
) -> None:
    project.write("test_it.py", SUITE)
    project.write(file, (built(language).folder / file).read_text())
    project.configure(ALLOW.format(module=file))
    environ = with_tools(project)
    first = project.run("host", "run", "--sinks=report", folder=None, **environ)
    assert first.code == 1, first
    assert re.search(rf"host: building .*{file} with (componentize-py|jco)", first.stderr)
    assert "host: report is ready" in first.stderr
    summary = project.folder / "report" / "summary.json"
    assert json.loads(summary.read_text())["verdicts"] == {"failed": 1, "passed": 1}
    # What it was built with is not asked for again, and need not be there.
    second = project.run("host", "run", "--sinks=report")
    assert second.code == 1, second
    assert "building" not in second.stderr


def test_a_script_is_named_by_its_path(project: Project) -> None:
    project.write("test_it.py", SUITE)
    project.write("tell.js", TELLING.format(version="first"))
    outcome = project.run("host", "run", "--sinks=./tell.js", folder=None, **with_tools(project))
    assert outcome.code == 1, outcome
    assert re.search(r"host: tell +\d+ events delivered", outcome.stderr)
    told = (project.folder / ".pytest_host" / "core.log").read_text()
    assert "first saw session-finished" in told


def test_plain_pytest_builds_it_too(project: Project) -> None:
    project.write("test_it.py", SUITE)
    project.write("tell.js", TELLING.format(version="plain"))
    outcome = project.run("pytest", "--sinks=./tell.js", folder=None, **with_tools(project))
    assert outcome.code == 1, outcome
    assert "building" in outcome.stdout + outcome.stderr
    log = project.folder / ".pytest_host" / "core.log"
    until("the sink to have all", lambda: "plain saw session-finished" in log.read_text())


def test_it_is_swapped_when_it_changes(project: Project) -> None:
    project.write(
        "test_it.py",
        f"{HELPERS}\ndef test_1(): announce('one'); wait('two')\n"
        "def test_2(): announce('last'); wait('end')\n",
    )
    project.write("tell.js", TELLING.format(version="first"))
    log = project.folder / ".pytest_host" / "core.log"
    running = project.start("host", "run", "--sinks=./tell.js", folder=None, **with_tools(project))
    project.wait_for("one")
    until("the first to be at work", lambda: "first saw" in log.read_text())
    # One that cannot be built is told, and the first goes on.
    project.write("tell.js", "export const sink = {\n")
    until("the broken one to be told", lambda: "cannot be built" in log.read_text())
    project.write("tell.js", TELLING.format(version="second"))
    # The new one is opened before the old one is let go.
    until("it to be swapped", lambda: "second opened as swapped" in log.read_text())
    (project.folder / "two").touch()
    project.wait_for("last")
    (project.folder / "end").touch()
    outcome = running.finish()
    assert outcome.code == 0, outcome
    assert re.search(r"host: tell +\d+ events delivered, swapped once", outcome.stderr), outcome
    assert "second saw session-finished" in log.read_text()


def test_it_is_pinned_by_its_text(project: Project) -> None:
    project.write("test_it.py", SUITE)
    project.write("tell.js", TELLING.format(version="pinned"))
    environ = with_tools(project)
    added = project.run("host", "sink", "add", "tell.js", "--name=tell", folder=None, **environ)
    assert added.code == 0, added
    assert project.run("host", "run", "--sinks=tell", folder=None, **environ).code == 1
    project.write("tell.js", TELLING.format(version="another"))
    refused = project.run("host", "run", "--sinks=tell", folder=None, **environ)
    assert refused.code == 2, refused
    assert re.search(r"tell\.js has the SHA-256 \w+, but sha256 = \w+ is asked for", refused.stderr)
    assert "building" not in refused.stderr


def test_it_can_be_built_ahead(project: Project) -> None:
    project.write("tell.js", TELLING.format(version="ahead"))
    ahead = project.run("host", "sink", "prepare", "./tell.js", folder=None, **with_tools(project))
    assert ahead.code == 0, ahead
    assert "host: tell is ready" in ahead.stderr
    again = project.run("host", "sink", "prepare", "./tell.js")
    assert again.code == 0, again
    assert "building" not in again.stderr


def test_why_it_ended_is_told_in_its_own_words(project: Project, built: Built) -> None:
    """What Python prints of an exception is not lost in a trap."""
    source = (built("python").folder / "report.py").read_text()
    broken = source.replace("        tally = load()\n", "        tally = load().nosuch\n")
    assert broken != source
    project.write("test_it.py", SUITE)
    project.write("report.py", broken)
    project.configure(ALLOW.format(module="report.py"))
    outcome = project.run("host", "run", "--sinks=report", folder=None, **with_tools(project))
    assert "it trapped: AttributeError: 'dict' object has no attribute 'nosuch'" in outcome.stderr
    log = (project.folder / ".pytest_host" / "core.log").read_text()
    assert 'File "/0/report.py", line' in log
