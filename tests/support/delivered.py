"""What three sinks got of one suite: nothing missing, and how much came twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from support.project import Project, read_results
from support.receiving import Receiver, Request

#: Of `publish` and `rt`, as a receiver tells them apart.
PATHS = {"publish": "/publish", "rt": "/rt"}


def suite(tests: int) -> str:
    """Tests that take no time, of which every hundredth fails."""
    return (
        "import pytest\n\n"
        f"@pytest.mark.parametrize('n', range({tests}))\n"
        "def test_n(n):\n    print('said by', n)\n    assert n % 100 != 50\n"
    )


def nodeids(tests: int, file: str = "test_n.py") -> set[str]:
    return {f"{file}::test_n[{n}]" for n in range(tests)}


def sets(receiver: Receiver) -> list[str]:
    """Settings of `publish`, `rt` and `pubdir`."""
    urls = [f"{sink}.url={receiver.address}{path}" for sink, path in PATHS.items()]
    return [*urls, "pubdir.dir=results"]


def posts(requests: Sequence[Request], sink: str) -> list[Request]:
    return [request for request in requests if request.path == PATHS[sink]]


def once(requests: Sequence[Request]) -> list[Request]:
    """Each that was taken, once: a key that comes again is the same message."""
    first: dict[str, Request] = {}
    for request in requests:
        if request.status == 200:
            known = first.setdefault(request.key, request)
            assert known.json == request.json, f"two messages have the key {request.key}"
    return list(first.values())


@dataclass(frozen=True)
class Twice:
    """How many messages were taken a second time."""

    publish: int
    rt: int


def check(project: Project, receiver: Receiver, expected: set[str]) -> Twice:
    """Every sink has every test, and `pubdir` has it once."""
    requests = receiver.requests()
    results = once(posts(requests, "publish"))
    assert Counter(result.json["nodeid"] for result in results) == Counter(expected)

    messages = once(posts(requests, "rt"))
    kinds = Counter(message.json["type"] for message in messages)
    assert (kinds["startTestRun"], kinds["stopTestRun"]) == (1, 1)
    for kind in ("startTestItem", "stopTestItem"):
        told = Counter(each.json["test"] for each in messages if each.json["type"] == kind)
        assert told == Counter(expected), kind

    check_folder(project, expected)
    return Twice(
        publish=taken(posts(requests, "publish")) - len(results),
        rt=taken(posts(requests, "rt")) - len(messages),
    )


def check_folder(project: Project, expected: set[str]) -> None:
    """Every test once, with its text, and nothing left of the work."""
    results = read_results(project.folder / "results")
    assert Counter(result["nodeid"] for result in results) == Counter(expected)
    for result in results:
        assert result["stdout"] == f"said by {str(result['name'])[7:-1]}\n"
    left = [path for path in (project.folder / "results").glob("**/.*") if path.name != ".lock"]
    assert left == []


def taken(requests: Sequence[Request]) -> int:
    return sum(request.status == 200 for request in requests)
