"""Components that reach for what was not granted: an error for them, and a line in the log."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.processes import Outcome
from support.project import Project, read_results, read_tree, tidy
from support.receiving import Receiver

SUITE = """
import pytest

@pytest.mark.parametrize("n", range(6))
def test_n(n): assert n
"""

SECRET = "secret words"


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    project.write("secret.txt", SECRET)
    return project


@dataclass(frozen=True)
class Attempted:
    outcome: Outcome
    #: What came of each attempt, as the guest saw it.
    answers: dict[str, str]
    #: What the log says was denied, in order.
    denied: list[str]

    @property
    def got(self) -> set[str]:
        """What it was not refused."""
        return {what for what, answer in self.answers.items() if not answer.startswith("error: ")}


def attempt(suite: Project, component: Path, table: str, *before: str) -> Attempted:
    """The component beside `pubdir`, which gets everything; `before` is what `host` is run by."""
    name = component.stem
    shutil.rmtree(suite.folder / "results", ignore_errors=True)
    suite.configure(f'[sink.pubdir]\ndir = "results"\n[sink.{name}]\ndir = "out"\n{table}')
    program = str(suite.installation.scripts / "host")
    command = (*before, program, "run", "--sinks", f"{component},pubdir", "--", "-q", "test_n.py")
    outcome = suite.run(*command)
    assert outcome.code == 1, outcome
    assert "1 failed, 5 passed" in outcome.stdout
    assert len(read_results(suite.folder / "results")) == 6
    for sink in (name, "pubdir"):
        delivered = rf"^host: {sink} +\d+ events delivered$"
        assert re.search(delivered, outcome.stderr, re.MULTILINE), outcome
    assert (suite.folder / "secret.txt").read_text() == SECRET
    report = (suite.folder / "out" / "attempts.json").read_text()
    assert SECRET not in report
    assert "root:" not in report
    log = (suite.folder / ".pytest_host" / "core.log").read_text()
    log = log.replace(str(suite.folder.resolve()), "FOLDER")
    denied = re.findall(rf"WARN denied (.*) sink={name}$", log, re.MULTILINE)
    return Attempted(outcome, json.loads(report), denied)


@pytest.fixture
def shelves(suite: Project) -> Project:
    """`out` and `other` to write to, `shelf` to read; in `out`, links that lead out of it."""
    for name in ("out", "other", "shelf"):
        (suite.folder / name).mkdir()
    suite.write("shelf/file", "shelved")
    out = suite.folder / "out"
    (out / "relative-link").symlink_to("../secret.txt")
    (out / "absolute-link").symlink_to(suite.folder / "secret.txt")
    (out / "chain-link").symlink_to("relative-link")
    (out / "folder-link").symlink_to("..")
    return suite


def test_files(shelves: Project, guests: Path) -> None:
    """By `..`, absolute paths, links, moves and handles; and to change what is to be read."""
    links = ["relative-link", "absolute-link", "chain-link", "folder-link/secret.txt"]
    before = read_tree(shelves.folder / "shelf")
    there = {path.name for path in shelves.folder.iterdir()}
    done = attempt(
        shelves,
        guests / "reach-files.wasm",
        'other = "other"\nread = "shelf"\n'
        f"links = {json.dumps(links)}\n"
        f'outside = "{shelves.folder / "secret.txt"}"\n'
        'allow.write = ["out", "other"]\nallow.read = ["shelf"]\n',
    )
    assert done.got == {
        "entries of the handle /",
        "make folders inside",
        "make the link made-chain",
        "make the link made-loop",
        "make the link made-up",
        "read what it may read",
        "rename into its other folder",
        "write inside",
    }
    assert len(done.answers) > 80
    assert done.answers["entries of the handle /"] == "ok: 0"
    assert done.answers["read what it may read"] == 'ok: "shelved"'
    assert read_tree(shelves.folder / "shelf") == before
    new = {path.name for path in shelves.folder.iterdir()} - there
    assert new <= {"host.toml", ".pytest_host", "results", ".pytest_cache", "__pycache__"}
    assert not Path("/tmp/escaped").exists()
    allow = "in [sink.reach-files] would allow it"
    for line in (
        f'reading "etc/passwd"; allow.read = ["/etc"] {allow}',
        f'writing to "tmp/escaped"; allow.write = ["/tmp"] {allow}',
        f'writing to "file" in the folder "shelf"; allow.write = ["shelf"] {allow}',
        'reading "../secret.txt" in the folder "out"; that leads out of the folder;'
        ' allow.read = ["FOLDER"] in [sink.reach-files] would grant the one it leads to',
        'reading "relative-link" in the folder "out"; a link leads out of the folder,'
        " which no grant allows, or the system refuses",
    ):
        assert line in done.denied, done.denied
    assert len(done.denied) == len(set(done.denied)) <= 32


def test_what_the_line_says_is_what_helps(suite: Project, guests: Path) -> None:
    """A folder that is allowed beyond what the sink asked for is its to use."""
    (suite.folder / "elsewhere").mkdir()
    suite.write("elsewhere/file", "found")
    table = 'files = ["elsewhere/file"]\nallow.write = ["out"]\n'
    done = attempt(suite, guests / "reach-surroundings.wasm", table)
    allow = "in [sink.reach-surroundings] would allow it"
    assert f'reading "elsewhere/file"; allow.read = ["elsewhere"] {allow}' in done.denied
    assert done.answers["read elsewhere/file"].startswith("error: ")
    done = attempt(
        suite, guests / "reach-surroundings.wasm", f'{table}allow.read = ["elsewhere"]\n'
    )
    assert done.answers["read elsewhere/file"] == 'ok: "found"'
    assert done.answers["write elsewhere/file"].startswith("error: ")


#: Other spellings of 127.0.0.1, and other names and addresses of the same machine.
SAME = ["127.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "127.0.0.1"]
OTHERS = [
    *("localhost", "LOCALHOST", "localhost.", "127.0.0.2", "0.0.0.0", "[::1]", "[::]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
]


def authority(receiver: Receiver) -> str:
    return receiver.address.removeprefix("http://")


@dataclass(frozen=True)
class Servers:
    granted: Receiver
    #: Granted; answers with a redirect to `forbidden`.
    redirecting: Receiver
    #: Granted; its answers have 900 KiB.
    large: Receiver
    forbidden: Receiver

    def table(self) -> str:
        urls = [self.granted.address, self.redirecting.address, self.large.address]
        return (
            f'allow.write = ["out"]\nallow.http = {json.dumps(urls)}\n'
            f"hosts = {json.dumps(SAME + OTHERS)}\n"
            f'granted = "{authority(self.granted)}"\n'
            f'redirecting = "{authority(self.redirecting)}"\n'
            f'large = "{authority(self.large)}"\n'
            f'forbidden = "{authority(self.forbidden)}"\n'
        )


@pytest.fixture
def servers(suite: Project) -> Servers:
    forbidden = suite.receiver()
    return Servers(
        granted=suite.receiver(),
        redirecting=suite.receiver("--status", "302", "--location", forbidden.url),
        large=suite.receiver("--body", str(900 << 10)),
        forbidden=forbidden,
    )


def test_http(suite: Project, guests: Path, servers: Servers) -> None:
    """Servers that were not granted, under whatever name, and more than one request in one."""
    done = attempt(suite, guests / "reach-http.wasm", servers.table() + 'flood = "2000"\n')
    same = {f"{host}, granted port" for host in SAME}
    inside = {"granted", "by redirect", "its own host", "a path with line breaks"}
    assert done.got == {*same, *inside, "answers together"}
    assert done.answers["by redirect"] == "ok: 302"
    assert servers.forbidden.requests() == []
    # What was granted got what was meant for it, each as one request to it.
    received = servers.granted.requests()
    assert {request.headers["host"] for request in received} == {authority(servers.granted)}
    assert len(received) == len(same) + 3
    assert not any(request.path.startswith("/smuggled") for request in received)
    assert len(servers.redirecting.requests()) == 1
    # 18 answers of 900 KiB are in 16 MiB.
    left_out = ", ".join(["Error::TooLarge(16777216)"] * 2)
    assert done.answers["answers together"] == f"ok: (18, [{left_out}])"
    forbidden = f"http://localhost:{servers.forbidden.port}"
    allow = f'allow.http = ["{forbidden}"] in [sink.reach-http] would allow it'
    assert f"a request to {forbidden}; {allow}" in done.denied
    # 2,000 and more were denied.
    assert len(done.denied) == 32
    assert done.answers["flood"].startswith("error: Error::Denied(")


def test_wasi_http(suite: Project, guests: Path, servers: Servers) -> None:
    done = attempt(suite, guests / "reach-wasi-http.wasm", servers.table())
    same = {f"{host}, granted port" for host in SAME}
    assert done.got == {*same, "granted", "by redirect"}
    assert done.answers["by redirect"] == "ok: 302"
    assert servers.forbidden.requests() == []
    received = servers.granted.requests()
    assert {request.headers["host"] for request in received} == {authority(servers.granted)}
    assert sorted(request.path for request in received) == ["/as"] * len(same) + ["/granted"]
    allow = "in [sink.reach-wasi-http] would allow it"
    mapped = f"http://[::ffff:7f00:1]:{servers.granted.port}"
    assert f'a request to {mapped}; allow.http = ["{mapped}"] {allow}' in done.denied


def can_unshare() -> bool:
    """Whether a process can have a file system of its own, and so other names of hosts."""
    command = ["unshare", "--map-root-user", "--mount", "true"]
    return bool(shutil.which("unshare")) and not subprocess.run(command, check=False).returncode


@pytest.mark.skipif(not can_unshare(), reason="no mount namespaces here")
@pytest.mark.parametrize("guest", ["reach-http", "reach-wasi-http"])
def test_a_name_that_stands_for_this_machine(
    suite: Project, guests: Path, servers: Servers, guest: str
) -> None:
    """Below a name that is granted: only public addresses, and those that are granted as well."""
    suite.write("hosts", "127.0.0.1 a.rebound.test\n127.0.0.1 localhost\n")
    mount = 'mount --bind hosts /etc/hosts && exec "$@"'
    before = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    hosts = [f"a.rebound.test:{server.port}" for server in (servers.granted, servers.forbidden)]
    granted = [f"http://*.rebound.test:{host.rpartition(':')[2]}" for host in hosts]
    urls = [f"http://{host}/rebound" for host in hosts]
    table = servers.table().replace(
        "allow.http = [", f"allow.http = [{json.dumps(granted)[1:-1]}, "
    )
    table += f"urls = {json.dumps(urls)}\nauthorities = {json.dumps(hosts)}\n"
    program = "/usr/bin/env"
    done = attempt(suite, guests / f"{guest}.wasm", table, program, *before)
    asked = urls if guest == "reach-http" else hosts
    assert done.answers[asked[0]] == "ok: 200", "its address is granted for that port"
    assert done.answers[asked[1]].startswith("error: ")
    assert servers.forbidden.requests() == []
    url = f"http://{hosts[1]}"
    why = "a.rebound.test is at 127.0.0.1, which is not a public address"
    allow = f'allow.http = ["{url}"] in [sink.{guest}] would allow it'
    assert f"a request to {url}: {why}; {allow}" in done.denied


def test_sockets(suite: Project, guests: Path) -> None:
    witness = suite.receiver()
    table = f'address = "127.0.0.1:{witness.port}"\nallow.write = ["out"]\n'
    done = attempt(suite, guests / "reach-sockets.wasm", table)
    assert done.got == set()
    assert len(done.answers) == 13
    why = "sinks get no sockets; requests are granted by allow.http"
    assert {f"a TCP socket; {why}", f"a UDP socket; {why}"} <= set(done.denied)
    assert f'looking up "secret.of.this.run.example"; {why}' in done.denied


def test_surroundings(suite: Project, guests: Path) -> None:
    """Variables, arguments and streams; token, journal and configuration."""
    runtime = Path(suite.environ["XDG_RUNTIME_DIR"])
    cache = Path(suite.environ["XDG_CACHE_HOME"])
    state = suite.folder / ".pytest_host"
    files = [
        *(state, state / "core.log", state / "runs", suite.folder / "host.toml"),
        *(runtime, runtime / "pytest-host", cache, cache / "pytest-host" / "modules"),
        *(".pytest_host", ".pytest_host/core.log", "host.toml", "out/../host.toml"),
        *("out/../.pytest_host/runs", "/proc/self/cmdline", "/proc/self/fd/3"),
    ]
    table = f"files = {json.dumps([str(file) for file in files])}\n"
    done = attempt(suite, guests / "reach-surroundings.wasm", table + 'allow.write = ["out"]\n')
    assert done.got == {"standard output", "standard error"}
    assert len(done.answers) == 10 + 3 * len(files)
    assert "printed by a guest" not in done.outcome.stdout + done.outcome.stderr
    assert done.denied


@dataclass(frozen=True)
class Refused:
    """A grant that is bad input."""

    name: str
    allow: str
    says: str
    #: What the folder `link` is a link to.
    target: str = "."
    dir: str = "out"


OWN = "cannot be granted: the host keeps its own files in"
REFUSED = [
    Refused("state", 'read = ["link"]', f'"link" {OWN} FOLDER/.pytest_host; name another folder'),
    Refused("below-state", 'read = ["link"]', f'"link" {OWN} FOLDER/.pytest_host; …', "made"),
    Refused("runtime", 'read = ["link"]', f'"link" {OWN} …', "{XDG_RUNTIME_DIR}"),
    Refused(
        "modules", 'write = ["out", "link"]', f'"link" {OWN} …', "{XDG_CACHE_HOME}/pytest-host"
    ),
    Refused("configuration", 'read = ["link"]', f'"link" {OWN} FOLDER/conf/host.toml; …', "conf"),
    Refused("missing", 'read = ["nowhere"]', '"nowhere" is not there; it should be a folder'),
    Refused(
        "need-by-link",
        'write = ["box"]',
        "needs what it is not granted; add to [sink.collector] in host.toml:"
        ' allow.write = ["box/link"]',
        "../elsewhere",
        "box/link",
    ),
    Refused(
        "made-by-itself",
        'write = ["box", "box/link"]',
        'host.toml:3: collector.dir: "box/link" cannot be granted: it is a link that leads out of'
        ' "box", where the sink may have made it; name the folder that it leads to',
        "../elsewhere",
        "box/link",
    ),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_grants_that_are_refused(suite: Project, guests: Path, refused: Refused) -> None:
    for name in ("box", "conf", "elsewhere", ".pytest_host/made"):
        (suite.folder / name).mkdir(parents=True)
    if refused.name == "below-state":
        (suite.folder / "made").symlink_to(".pytest_host/made")
    link = suite.folder / (refused.dir if refused.dir != "out" else "link")
    link.symlink_to(refused.target.format(**suite.environ))
    out = "" if "write" in refused.allow else 'allow.write = ["out"]'
    table = f'[sink.collector]\n{out}\ndir = "{refused.dir}"\nallow.{refused.allow}\n'
    suite.write("conf/host.toml", table)
    (suite.folder / "host.toml").symlink_to("conf/host.toml")
    outcome = suite.run("host", "run", "--sinks", str(guests / "collector.wasm"))
    outcome = tidy(outcome, suite.folder)
    says = refused.says if ":3:" in refused.says else f"sink collector: {refused.says}"
    assert outcome.stderr.startswith(f"host: {says.partition('…')[0]}"), outcome
    assert outcome.stderr.count("\n") == 1
    assert outcome.code == 2, outcome
