"""Endpoints that are dead, slow or wrong: the run is pytest's own; delivery goes on after it."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.polling import until
from support.processes import Outcome
from support.project import Project, read_results
from support.receiving import Receiver

#: Seconds on top of a plain run and of what was asked for: a guard against a run that is held up.
MARGIN = 8

SUITE = """
import pytest

@pytest.mark.parametrize("n", range(40))
def test_n(n):
    assert n != 7
"""

TESTS = {f"test_n.py::test_n[{n}]" for n in range(40)}


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    return project


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses connections: bound, so that nobody else gets it, and not listened on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def host_run(suite: Project, url: str, *flags: str, timeout: str = "1s") -> Outcome:
    sets = (f"--set=publish.url={url}", "--set=pubdir.dir=results")
    sinks = ("--sinks", "publish,pubdir")
    return suite.run("host", "run", *sinks, *sets, *flags, f"--drain-timeout={timeout}")


def left(outcome: Outcome) -> int:
    """What the summary says that `publish` has not got."""
    found = re.search(r"^host: publish .* (\d+) left\b", outcome.stderr, re.MULTILINE)
    assert found, outcome
    return int(found[1])


def nodeids(receiver: Receiver, status: int = 200) -> Counter[str]:
    """What was taken, by test."""
    taken = [request for request in receiver.requests() if request.status == status]
    return Counter({request.key: request.json["nodeid"] for request in taken}.values())


def check_drained(suite: Project, port: int) -> None:
    """The endpoint is well again: after a drain everything is there once, as in the other sink."""
    receiver = suite.receiver(port=port)
    drained = suite.run("host", "drain")
    assert drained.code == 0, drained
    assert nodeids(receiver) == Counter(TESTS)
    assert {str(result["nodeid"]) for result in read_results(suite.folder / "results")} == TESTS
    again = suite.run("host", "drain")
    assert (again.code, again.stdout) == (0, "nothing is left to deliver\n")


def test_dead(suite: Project) -> None:
    plain = suite.run("pytest", "-q")
    with dead_port() as port:
        outcome = host_run(suite, f"http://127.0.0.1:{port}/u")
        assert outcome.code == plain.code == 1
        assert outcome.seconds < plain.seconds + 1 + MARGIN
        assert "Connection refused" in outcome.stderr
        assert left(outcome) > 0
        assert outcome.stderr.endswith(
            "host: what is left is kept, and goes out with: host drain\n"
        ), outcome
    check_drained(suite, port)


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        (("--status", "500"), "500"),
        (("--status", "503", "--retry-after", "1"), "503"),
        (("--hang",), "timed out"),
        (("--resets", "1000000"), "unreachable"),
    ],
    ids=["500", "503", "hang", "reset"],
)
def test_unwell(suite: Project, behaviour: tuple[str, ...], says: str) -> None:
    receiver = suite.receiver(*behaviour)
    plain = suite.run("pytest", "-q")
    outcome = host_run(suite, receiver.url, "--set=publish.timeout=0.5", timeout="2s")
    receiver.end()
    assert outcome.code == plain.code == 1
    assert outcome.seconds < plain.seconds + 2 + MARGIN
    assert left(outcome) > 0
    assert says in outcome.stderr, outcome
    check_drained(suite, receiver.port)


def test_hanging_with_the_default_timeout(suite: Project) -> None:
    """A request may take 10 s; neither run nor drain waits for it longer than was asked for."""
    receiver = suite.receiver("--hang")
    plain = suite.run("pytest", "-q")
    outcome = host_run(suite, receiver.url)
    assert outcome.code == plain.code == 1
    assert outcome.seconds < plain.seconds + 1 + MARGIN
    assert left(outcome) > 0
    suite.wait_for_cores()


@pytest.mark.difference("publish-20")
def test_slow(suite: Project) -> None:
    """1 s each: 40 s one after another, and the run would have to wait for all of them."""
    receiver = suite.receiver("--delay", "1")
    outcome = host_run(suite, receiver.url, timeout="30s")
    assert outcome.code == 1
    assert outcome.seconds < 20
    assert nodeids(receiver) == Counter(TESTS)
    assert " left" not in outcome.stderr


def test_sometimes_failing(suite: Project) -> None:
    """Three of ten requests fail, and everything arrives all the same."""
    receiver = suite.receiver("--percent", "30")
    outcome = host_run(suite, receiver.url, timeout="30s")
    assert outcome.code == 1
    assert nodeids(receiver) == Counter(TESTS)
    assert any(request.status == 503 for request in receiver.requests())
    assert " left" not in outcome.stderr


@pytest.mark.difference("publish-21")
def test_refused_for_good(suite: Project) -> None:
    """What no other try will change is set aside, and said."""
    receiver = suite.receiver("--status", "400")
    outcome = host_run(suite, receiver.url, timeout="10s")
    assert outcome.code == 1
    assert re.search(r"host: publish .* 40 set aside \(.*400", outcome.stderr), outcome
    assert len(receiver.requests()) == 40


@pytest.mark.difference("publish-16")
def test_redirects_are_not_followed(suite: Project) -> None:
    target = suite.receiver()
    receiver = suite.receiver("--status", "302", "--location", target.url)
    outcome = host_run(suite, receiver.url, timeout="3s")
    assert outcome.code == 1
    assert target.requests() == []
    assert {request.status for request in receiver.requests()} == {302}
    assert f"40 set aside (redirected to {target.url}; set the URL to it)" in outcome.stderr


@pytest.mark.difference("publish-17")
def test_a_dead_endpoint_does_not_end_a_run_started_by_pytest(suite: Project) -> None:
    """Nor does it hold up its end; the core goes on, and delivers once the endpoint is there."""
    plain = suite.run("pytest", "-q")
    with dead_port() as port:
        outcome = suite.run("pytest", "--publish", f"http://127.0.0.1:{port}/u")
        assert outcome.code == plain.code == 1
        assert outcome.seconds < plain.seconds + 5 + MARGIN
        assert "1 failed, 39 passed" in outcome.stdout
        assert re.search(r"^pytest-host: publish: \d+ events left \(", outcome.stdout, re.MULTILINE)
        assert "INTERNALERROR" not in outcome.stdout
    receiver = suite.receiver(port=port)
    until("delivery after the run", lambda: nodeids(receiver) == Counter(TESTS))
    suite.wait_for_cores()
    assert suite.run("host", "drain").stdout == "nothing is left to deliver\n"


@pytest.mark.difference("publish-23")
def test_two_sinks_do_not_wait_for_each_other(suite: Project) -> None:
    """While one endpoint hangs, the other sink has everything by the end."""
    receiver = suite.receiver("--hang")
    outcome = host_run(suite, receiver.url)
    assert outcome.code == 1
    assert {str(result["nodeid"]) for result in read_results(suite.folder / "results")} == TESTS


def test_a_machine_without_certificate_authorities(suite: Project) -> None:
    """As small containers are; only HTTPS needs some."""
    receiver = suite.receiver()
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        suite.environ[name] = str(suite.folder / "nowhere")
    args = ("host", "run", "--sinks", "publish", f"--set=publish.url={receiver.url}")
    outcome = suite.run(*args)
    assert outcome.code == 1, outcome
    assert nodeids(receiver) == Counter(TESTS)
    args = ("host", "run", "--sinks", "publish", "--drain-timeout=1s")
    outcome = suite.run(*args, f"--set=publish.url=https://127.0.0.1:{receiver.port}/")
    assert outcome.code == 1, outcome
    assert left(outcome) > 0
    log = (suite.folder / ".pytest_host" / "core.log").read_text()
    assert "no certificate authority is known" in log
