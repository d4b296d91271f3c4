"""What `--junitxml` says of each test, in the words of our results."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

#: Classname and name.
Key = tuple[str, str]
#: The cases of an internal error and of the test that Ctrl-C came in.
_NO_TESTS = {("pytest", "internal"), ("", "")}

#: How often a test had which result.
Results = dict[Key, Counter[str]]


def read(path: Path) -> Results:
    """The results that each test case stands for.

    | test case | results |
    |---|---|
    | nothing in it | pass (xpass too) |
    | failure | fail |
    | skipped | skip (xfail too) |
    | error of setup | fail |
    | error of teardown | what the call came to, and fail |
    """
    cases: dict[Key, list[str]] = {}
    for case in ET.parse(path).iter("testcase"):
        name = (case.get("classname", ""), case.get("name", ""))
        found = cases.setdefault(name, [])
        inside = [_kind(child) for child in case if child.tag in ("failure", "error", "skipped")]
        # A failed call and a failed teardown are two cases; a passed call and that are one.
        alone = inside == ["teardown"] and "failure" not in found
        found.extend(inside or ["passed"])
        if alone:
            found.append("passed")
    words = {"failure": "fail", "setup": "fail", "teardown": "fail"}
    words |= {"skipped": "skip", "passed": "pass"}
    return {
        key: Counter(words[kind] for kind in kinds)
        for key, kinds in cases.items()
        # Under xdist every worker has each collection error.
        if "collection" not in kinds and key not in _NO_TESTS
    }


def _kind(element: ET.Element) -> str:
    if element.tag != "error":
        return element.tag
    message = element.get("message", "")
    if message.startswith("collection"):
        return "collection"
    return "teardown" if message.startswith("failed on teardown") else "setup"


def of_results(results: Iterable[Mapping[str, Any]]) -> Results:
    """The same of results that a sink delivered."""
    found: Results = {}
    for result in results:
        found.setdefault(key(result["nodeid"]), Counter())[result["result"]] += 1
    return found


def key(nodeid: str) -> Key:
    """As pytest makes a test case's names of a node id."""
    address, bracket, params = nodeid.partition("[")
    path, *names = address.split("::")
    classes = path.removesuffix(".py").replace("/", ".")
    *outer, name = names
    return ".".join([classes, *outer]), _escape(name + bracket + params)


def _escape(text: str) -> str:
    """XML has no words for these; pytest writes `#x1B`."""
    return "".join(
        f"#x{ord(c):02X}" if (ord(c) < 0x20 and c not in "\t\n\r") or ord(c) == 0x7F else c
        for c in text
    )
