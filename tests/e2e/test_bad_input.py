"""Bad input: one clear line that says where, what and what would be right, before any test runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.processes import Outcome
from support.project import Project, tidy

#: A test that leaves a trace.
TEST = "from pathlib import Path\n\ndef test_it():\n    Path('ran').touch()\n"


@dataclass(frozen=True)
class Case:
    name: str
    #: Of `host run`, after `host: `. The folder is masked.
    says: str
    sinks: str | None = None
    sets: tuple[str, ...] = ()
    config: str | None = None


URL = "publish.url=http://127.0.0.1:9/"
DIR = "pubdir.dir=results"

CASES = [
    Case(
        "unknown-sink",
        '--sinks: no sink is named "publsh"; did you mean "publish"?',
        sinks="publsh",
    ),
    Case(
        "unknown-sink-unlike-any",
        '--sinks: no sink is named "zzz"; known are publish, pubdir, rt, relay, and paths of'
        " components and scripts such as ./zzz.wasm and ./zzz.py",
        sinks="pubdir,zzz",
        sets=(DIR,),
    ),
    Case(
        "unknown-sink-in-file",
        'host.toml:2: no sink is named "publsh"; did you mean "publish"?',
        config='# ours\nsinks = ["publsh"]\n',
    ),
    Case(
        "unknown-setting",
        '--set publish.ulr: unknown setting; did you mean "url"?',
        sinks="publish",
        sets=(URL, "publish.ulr=x"),
    ),
    Case(
        "unknown-setting-in-file",
        'host.toml:4: publish.headrs: unknown setting; did you mean "headers"?',
        config='sinks = ["publish"]\n[sink.publish]\nurl = "http://127.0.0.1:9/"\nheadrs = {}\n',
    ),
    Case(
        "unknown-key-in-file",
        'host.toml:1: unknown key "snks"; did you mean "sinks"?',
        config='snks = ["publish"]\n',
    ),
    Case(
        "unknown-limit",
        'host.toml:3: unknown key "publish.limit.memry"; did you mean "memory"?',
        config='sinks = ["publish"]\n[sink.publish]\nlimit.memry = "1 MiB"\n',
    ),
    Case(
        "unknown-table",
        'host.toml:3: no sink is named "pubdri"; did you mean "pubdir"?',
        config='sinks = ["pubdir"]\n[sink.pubdri]\ndir = "results"\n',
    ),
    Case(
        "missing-setting",
        "publish.url: missing, and there is no default"
        " (--set publish.url=…, with pytest --sinks-set publish.url=…,"
        " or url under [sink.publish] in host.toml)",
        sinks="publish",
    ),
    Case(
        "bad-url",
        "--set publish.url: expected http:// or https://",
        sinks="publish",
        sets=("publish.url=nonsense",),
    ),
    Case(
        "bad-url-scheme-in-file",
        "host.toml:3: publish.url: expected http:// or https://",
        config='sinks = ["publish"]\n[sink.publish]\nurl = "ftp://127.0.0.1/x"\n',
    ),
    Case(
        "bad-url-no-host",
        "--set publish.url: not a valid URL: empty string",
        sinks="publish",
        sets=("publish.url=http://",),
    ),
    Case(
        "bad-header",
        "host.toml:4: publish.headers.a b: not a valid header name",
        config='sinks = ["publish"]\n[sink.publish]\nurl = "http://127.0.0.1:9/"\n'
        'headers = { "a b" = "c" }\n',
    ),
    Case(
        "bad-type",
        '--set publish.timeout: expected f64, not string "soon"',
        sinks="publish",
        sets=(URL, "publish.timeout=soon"),
    ),
    Case(
        "bad-number",
        "--set publish.concurrency: expected 1 to 32",
        sinks="publish",
        sets=(URL, "publish.concurrency=0"),
    ),
    Case(
        "bad-filter",
        '--set pubdir.filter: unknown value "failed"; did you mean "fail"?',
        sinks="pubdir",
        sets=(DIR, "pubdir.filter=failed"),
    ),
    Case(
        "folder-is-a-file",
        '--set pubdir.dir: "test_it.py" is a file; it should be a folder',
        sinks="pubdir",
        sets=("pubdir.dir=test_it.py",),
    ),
    Case(
        "folder-cannot-be-made",
        '--set pubdir.dir: "test_it.py/results" cannot be made: Not a directory (os error 20)',
        sinks="pubdir",
        sets=("pubdir.dir=test_it.py/results",),
    ),
    Case(
        "folder-is-the-hosts-own",
        '--set pubdir.dir: "." cannot be granted: the host keeps its own files in'
        " FOLDER/.pytest_host; name another folder",
        sinks="pubdir",
        sets=("pubdir.dir=.",),
    ),
    Case(
        "no-assignment",
        "--set publish.url: should be sink.key=value, such as"
        " --set publish.url=http://127.0.0.1:7777/",
        sinks="publish",
        sets=("publish.url",),
    ),
    Case(
        "broken-file",
        "host.toml:2: not valid TOML: unclosed array, expected `]`",
        config='# ours\nsinks = ["publish"\n',
    ),
    Case(
        "wrong-kind-in-file",
        'host.toml:1: sinks should be a list of names, such as ["publish", "pubdir"]',
        config="sinks = 3\n",
    ),
    Case(
        "module-is-missing",
        "sink nope: FOLDER/nope.wasm is not there",
        sinks="./nope.wasm",
    ),
    Case(
        "module-is-text",
        "sink text: FOLDER/text.wasm is not WebAssembly",
        sinks="text.wasm",
    ),
    Case(
        "module-is-a-core-module",
        "sink core: FOLDER/core.wasm is a core WebAssembly module, not a component; build it for"
        " wasm32-wasip2, or wrap it with `wasm-tools component new`",
        sinks="core.wasm",
    ),
    Case(
        "module-has-no-world",
        "sink empty: FOLDER/empty.wasm exports no pytest-host:sinks/sink@0.1.0, so it is no sink"
        " (world sink-guest)",
        sinks="empty.wasm",
    ),
    Case(
        "module-imports-what-is-unknown",
        "sink stranger: FOLDER/stranger.wasm imports acme:db/store@1.0.0, which this host does not"
        " know; known are pytest-host:sinks/{events,http,log,state,topics,websocket}@0.1.0"
        " and WASI 0.2",
        sinks="stranger.wasm",
    ),
    Case(
        "module-is-cut-short",
        "sink short: FOLDER/short.wasm is not a valid component: …",
        sinks="short.wasm",
    ),
    Case(
        "module-in-file",
        "sink mine: FOLDER/sinks/mine.wasm is not there",
        config='sinks = ["mine"]\n[sink.mine]\nmodule = "sinks/mine.wasm"\n',
    ),
    Case(
        "other-digest",
        "sink mine: FOLDER/empty.wasm has the SHA-256 …",
        config=f'sinks = ["mine"]\n[sink.mine]\nmodule = "empty.wasm"\nsha256 = "{"0" * 64}"\n',
    ),
]

IDS = [case.name for case in CASES]

#: A component without anything in it.
EMPTY = b"\0asm\x0d\0\1\0"
STRANGE = b"acme:db/store@1.0.0"
#: `(component (type (instance)) (import "acme:db/store@1.0.0" (instance (type 0))))`
STRANGER = (
    *(EMPTY, b"\x07\x03\x01\x42\x00"),
    *(b"\x0a", bytes([len(STRANGE) + 5]), b"\x01\x00", bytes([len(STRANGE)]), STRANGE, b"\x05\x00"),
)


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_it.py", TEST)
    modules = {
        "text": b"hello, world\n",
        "core": b"\0asm\1\0\0\0",
        "empty": EMPTY,
        "stranger": b"".join(STRANGER),
        "short": EMPTY + b"\x0a\x40",
    }
    for name, content in modules.items():
        (project.folder / f"{name}.wasm").write_bytes(content)
    return project


def check(outcome: Outcome, project: Project, code: int, says: str) -> None:
    """One line, nothing ran and nothing stays behind."""
    outcome = tidy(outcome, project.folder)
    lines = [line for line in outcome.stderr.splitlines() if line]
    assert len(lines) == 1, outcome
    if says.endswith("…"):
        assert lines[0].startswith(says.removesuffix("…")), outcome
    else:
        assert lines[0] == says, outcome
    assert outcome.code == code, outcome
    assert not (project.folder / "ran").exists()


@pytest.mark.difference("publish-28")
def test_a_user_in_a_url(suite: Project) -> None:
    outcome = suite.run(
        "host", "run", "--sinks=publish", "--set=publish.url=http://me:pw@127.0.0.1"
    )
    says = "a user name has no place here; set the header Authorization"
    check(outcome, suite, 2, f"host: --set publish.url: {says}")


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_host_run(suite: Project, case: Case) -> None:
    if case.config is not None:
        suite.configure(case.config)
    sinks = ("--sinks", case.sinks) if case.sinks else ()
    sets = [f"--set={text}" for text in case.sets]
    outcome = suite.run("host", "run", *sinks, *sets)
    check(outcome, suite, 2, f"host: {case.says}")
    assert outcome.stdout == ""


@pytest.mark.parametrize("case", [case for case in CASES if case.sinks], ids=lambda case: case.name)
def test_pytest_sinks(suite: Project, case: Case) -> None:
    sets = [f"--sinks-set={text}" for text in case.sets]
    outcome = suite.run("pytest", f"--sinks={case.sinks}", *sets)
    # The option that was used is called by its name here.
    given = case.says.startswith("--set ")
    says = case.says.replace("--set ", "--sinks-set ") if given else case.says
    check(outcome, suite, 4, f"ERROR: pytest-host: {says}")


@pytest.mark.difference("publish-25")
@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--publish", "nonsense", "publish.url: expected http:// or https://"),
        ("--pubdir", "test_it.py", 'pubdir.dir: "test_it.py" is a file; it should be a folder'),
    ],
)
def test_drop_in_options(suite: Project, option: str, value: str, says: str) -> None:
    outcome = suite.run("pytest", option, value)
    check(outcome, suite, 4, f"ERROR: pytest-host: {says}")


def test_drop_in_filter(suite: Project) -> None:
    """argparse's to refuse, as for the published plugin."""
    outcome = suite.run("pytest", "--pubdir", "results", "--pubdir-filter", "bda")
    assert outcome.code == 4, outcome
    assert "argument --pubdir-filter: invalid choice: 'bda'" in outcome.stderr
    assert not (suite.folder / "ran").exists()


def test_bad_input_under_xdist(suite: Project) -> None:
    outcome = suite.run("pytest", "-n2", "--sinks", "publsh")
    check(
        outcome,
        suite,
        4,
        'ERROR: pytest-host: --sinks: no sink is named "publsh"; did you mean "publish"?',
    )


def test_a_broken_file_above_is_named_by_its_path(suite: Project) -> None:
    suite.configure("sinks = 3\n")
    (suite.folder / "below").mkdir()
    below = suite.start("host", "run", folder=suite.folder / "below").finish()
    check(
        below,
        suite,
        2,
        'host: FOLDER/host.toml:1: sinks should be a list of names, such as ["publish", "pubdir"]',
    )


def test_a_variable_is_named(suite: Project) -> None:
    outcome = suite.run("host", "run", PYTEST_HOST_SINKS="publsh")
    check(
        outcome,
        suite,
        2,
        'host: PYTEST_HOST_SINKS: no sink is named "publsh"; did you mean "publish"?',
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(suite: Project) -> None:
    (suite.folder / "results").mkdir(mode=0o500)
    outcome = suite.run("host", "run", "--sinks", "pubdir", "--set", DIR)
    check(
        outcome,
        suite,
        2,
        'host: --set pubdir.dir: "results" cannot be written to: Permission denied (os error 13)',
    )


def test_no_python(suite: Project) -> None:
    outcome = suite.run("host", "run", "--python", "./nowhere/python")
    check(outcome, suite, 2, "host: ./nowhere/python…")


def test_a_python_without_the_adapter(suite: Project, tmp_path: Path) -> None:
    """A run that would not be reported is not begun."""
    bare = tmp_path / "bare"
    suite.run("python", "-m", "venv", "--without-pip", str(bare))
    outcome = suite.run("host", "run", "--python", str(bare / "bin" / "python"))
    check(outcome, suite, 2, "host: …")
    assert "pytest" in outcome.stderr


def test_what_needs_more_than_it_is_granted(suite: Project, guests: Path) -> None:
    """The line says what to add."""
    collector = str(guests / "collector.wasm")
    outcome = suite.run("host", "run", "--sinks", collector, "--set", "collector.dir=out")
    add = 'add to [sink.collector] in host.toml: allow.write = ["out"]'
    check(outcome, suite, 2, f"host: sink collector: needs what it is not granted; {add}")
    assert not (suite.folder / "out").exists()
    add = 'add to [sink.wasihttp] in host.toml: allow.http = ["http://127.0.0.1:9"]'
    says = f"sink wasihttp: needs what it is not granted; {add}"
    wasihttp, url = str(guests / "wasihttp.wasm"), "wasihttp.url=http://127.0.0.1:9/x"
    # First, since it waits for as long as compiling takes; pytest waits for 2 s.
    outcome = suite.run("host", "run", "--sinks", wasihttp, "--set", url)
    check(outcome, suite, 2, f"host: {says}")
    outcome = suite.run("pytest", "--sinks", wasihttp, "--sinks-set", url)
    check(outcome, suite, 4, f"ERROR: pytest-host: {says}")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("core", "is a core WebAssembly module, not a component; build it for wasm32-wasip2, …"),
        (
            "no-world",
            "exports no pytest-host:sinks/sink@0.1.0, so it is no sink (world sink-guest)",
        ),
        ("unknown-import", "imports example:nowhere/thing@1.0.0, which this host does not know; …"),
    ],
)
def test_real_components_that_are_no_sinks(
    suite: Project, guests: Path, name: str, says: str
) -> None:
    path = guests / f"{name}.wasm"
    outcome = suite.run("host", "run", "--sinks", str(path))
    check(outcome, suite, 2, f"host: sink {name}: {path} {says}")


@pytest.mark.parametrize("asks", ["publsh", "publish"])
def test_what_was_refused_leaves_nothing(suite: Project, asks: str) -> None:
    """Neither what is seen before a run is made nor what a guest finds: no core, no run."""
    assert suite.run("host", "run", "--sinks", asks).code == 2
    assert suite.run("pytest", "--sinks", asks).code == 4
    suite.wait_for_cores(deadline=10)
    runs = suite.folder / ".pytest_host" / "runs"
    assert not runs.exists() or list(runs.iterdir()) == []
