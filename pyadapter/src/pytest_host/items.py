"""What the host is told of a collected test."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from . import texts
from .redaction import Redactor

#: The protocol's bound on tests, and node ids, in one frame.
CHUNK = 1000

#: Node ids, and what they are made of.
_NAMES = ("nodeid", "path", "name", "domain", "group")


class Collection:
    """The tests of one collection, each id once, in order.

    An id that was collected twice is announced once: its second run is an
    attempt, not another test.
    """

    def __init__(
        self, items: Sequence[pytest.Item], config: pytest.Config, redactor: Redactor
    ) -> None:
        self._redactor = redactor
        self._paths = _Paths(config)
        self._grouped = loadgroup(config)
        #: pytest's node id to the protocol's `i`, as JSON.
        self.references: dict[str, str] = {}
        #: pytest's node id to ours, where they differ.
        self.plain: dict[str, str] = {}
        self._tests: list[str] = []
        for item in items:
            nodeid = item.nodeid
            if nodeid not in self.references:
                self.references[nodeid] = str(len(self._tests))
                self._tests.append(self._describe(item, nodeid))
        self.hash = hashlib.blake2b("\n".join(self._tests).encode(), digest_size=16).hexdigest()

    def __len__(self) -> int:
        return len(self._tests)

    def frames(self) -> Iterator[bytes]:
        for first in range(0, len(self._tests), CHUNK):
            tests = ",".join(self._tests[first : first + CHUNK])
            yield f'{{"k":"items","c":"{self.hash}","first":{first},"tests":[{tests}]}}'.encode()

    def _describe(self, item: pytest.Item, nodeid: str) -> str:
        group = group_of(item) if self._grouped else None
        plain = plain_nodeid(nodeid, item, group)
        if plain != nodeid:
            self.plain[nodeid] = plain
        _, line, domain = item.location
        test = {
            "nodeid": plain,
            "path": self._paths.relative(item),
            "line": line if isinstance(line, int) and line >= 0 else None,
            "name": item.name,
            "domain": domain,
            "doc": _docstring(item),
            "keywords": _keywords(item),
            "group": group,
        }
        text = texts.dumps(test)
        return text if self._redactor.spares(text) else texts.dumps(self._redact(test))

    def _redact(self, test: dict[str, Any]) -> dict[str, Any]:
        """Names as parts of the node id have them."""
        redactor = self._redactor
        names = {key: test[key] for key in _NAMES if isinstance(test[key], str)}
        return {
            **test,
            **{key: redactor.identity(name) for key, name in names.items()},
            "doc": redactor.value(test["doc"]),
            "keywords": redactor.value(test["keywords"]),
        }


class _Paths:
    """Relative paths; most tests share theirs with the one before."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = str(config.rootpath)
        self._known: dict[object, str] = {}

    def relative(self, item: pytest.Item) -> str:
        path = item.path
        known = self._known.get(path)
        if known is None:
            known = os.path.relpath(path, self._root).replace(os.sep, "/")
            self._known[path] = known
        return known


def loadgroup(config: pytest.Config) -> bool:
    """Whether this worker was told to schedule by group."""
    return bool(getattr(config.option, "loadgroup", False))


def group_of(item: pytest.Item) -> str | None:
    """The group as xdist names it, from the marker: not all versions put it into the id."""
    names = {
        str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))
        for mark in item.iter_markers("xdist_group")
    }
    return "_".join(sorted(names)) if names else None


def plain_nodeid(nodeid: str, item: pytest.Item, group: str | None) -> str:
    """Without the `@group` that xdist appends, and with all that the name itself has."""
    if group is not None and nodeid.endswith(f"{item.name}@{group}"):
        return nodeid[: -len(group) - 1]
    return nodeid


def _docstring(item: pytest.Item) -> str | None:
    # Other kinds of items have no function, or make one when asked for it.
    if not isinstance(item, pytest.Function):
        return None
    doc: Any = getattr(item.obj, "__doc__", None)
    return doc if isinstance(doc, str) else None


def _keywords(item: pytest.Item) -> list[str]:
    """Names of markers, and keywords that plugins added for `-k`.

    pytest's own set has the names of all nodes above as well; they are in the
    node id already.
    """
    return sorted({mark.name for mark in item.iter_markers()} | item.listextrakeywords())
