"""Endpoints at their worst: all of it arrives, each test's results in order."""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from support import delivered
from support.project import Project
from support.receiving import Request

TESTS = 60

#: A test that fails has one result of its call and one of its teardown.
SUITE = f"""
import pytest

@pytest.fixture
def around():
    yield
    assert 0, "teardown"

@pytest.mark.parametrize("n", range({TESTS}))
def test_n(n, around):
    assert 0, "call"
"""


@pytest.fixture
def suite(project: Project) -> Project:
    project.write("test_n.py", SUITE)
    return project


def check_all_in_order(requests: list[Request]) -> None:
    """Every test's two results, the call's before the teardown's."""
    by_test: dict[str, list[str]] = {}
    for request in delivered.once(requests):
        result = request.json
        by_test.setdefault(result["nodeid"], []).append(result["excinfo"]["value"])
    assert by_test.keys() == delivered.nodeids(TESTS)
    orders = Counter(tuple(value.splitlines()[0] for value in found) for found in by_test.values())
    assert len(orders) == 1, orders
    ((first, second),) = orders
    assert ("call" in first, "teardown" in second) == (True, True)


@pytest.mark.parametrize(
    "behaviour",
    [
        ("--percent", "30"),
        ("--percent", "30", "--failure", "429", "--retry-after", "1"),
        ("--percent", "30", "--failure", "reset"),
        ("--percent", "10", "--failure", "stall"),
    ],
    ids=["fails", "429", "resets", "stalls"],
)
def test_unwell(
    suite: Project,
    behaviour: tuple[str, ...],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    receiver = suite.receiver(*behaviour)
    sets = (f"--set=publish.url={receiver.url}", "--set=publish.timeout=1")
    outcome = suite.run("host", "run", "--sinks=publish", *sets, "--drain-timeout=60s", "--", "-q")
    assert outcome.code == 1, outcome
    requests = receiver.requests()
    check_all_in_order(requests)
    assert " left" not in outcome.stderr, outcome
    assert any(each.status != 200 for each in requests)
    share = len(requests) / (2 * TESTS)
    with capsys.disabled():
        print(f"\n{request.node.callspec.id}: {share:.2f} posts a result, {outcome.seconds:.1f} s")
    assert share < 1.6


def test_down_for_the_whole_run(suite: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """And up later: `host drain` has all of it, and in order."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        sets = (f"--set=publish.url=http://127.0.0.1:{port}/", "--drain-timeout=1s")
        outcome = suite.run("host", "run", "--sinks=publish", *sets, "--", "-q")
        assert outcome.code == 1, outcome
        assert " left" in outcome.stderr, outcome
    receiver = suite.receiver(port=port)
    drained = suite.run("host", "drain", "--timeout=1min")
    assert drained.code == 0, drained
    requests = receiver.requests()
    check_all_in_order(requests)
    with capsys.disabled():
        print(f"\ndown: {len(requests)} posts for {2 * TESTS} results in {drained.seconds:.1f} s")
