"""Descriptions of orchestrated tests: where they are, and what of them the adapter needs.

The orchestrator reads the text itself, and says what is wrong with it; here it is enough
to know the names in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: A text as JSON has it, in group 1, or a comment.
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)

#: Likewise, or a comma with nothing behind it.
_LAST_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.DOTALL)


class BadDescription(Exception):
    """A file that cannot be used; the text begins with its name."""


@dataclass(frozen=True)
class Event:
    """One entry of a description's events."""

    name: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    path: Path
    #: As messages name it.
    shown: str
    text: str
    name: str
    events: tuple[Event, ...]
    #: Fixtures that no event asks for.
    fixtures: tuple[str, ...]
    #: Seconds, as far as it says so.
    total: float | None

    @classmethod
    def read(cls, path: Path, directory: Path) -> Description:
        """Raises `BadDescription`."""
        shown = os.path.relpath(path, directory)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problem = getattr(error, "strerror", None) or "is not UTF-8"
            raise BadDescription(f"{shown}: {problem}") from None
        try:
            content = json.loads(plain(text), strict=False)
        except json.JSONDecodeError as error:
            where = f"{shown}:{error.lineno}:{error.colno}"
            message = error.msg[:1].lower() + error.msg[1:]
            raise BadDescription(f"{where}: {message}") from None
        except RecursionError:
            raise BadDescription(f"{shown}: is nested too deeply") from None
        if not isinstance(content, dict):
            raise BadDescription(f"{shown}:1:1: should be an object, {{…}}")
        name = content.get("test_name")
        if not isinstance(name, str) or not name:
            raise BadDescription(f'{shown}:1:1: "test_name" is missing')
        return cls(
            path=path,
            shown=shown,
            text=text,
            name=name,
            events=tuple(_events(content)),
            fixtures=tuple(each for each in _list(content, "unref_setup_fixtures") if _is(each)),
            total=_total(content),
        )


def plain(text: str) -> str:
    """JSON proper: what is beyond it becomes blanks, so that places stay what they are."""
    return _LAST_COMMA.sub(_blank, _COMMENT.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    return found[1] or re.sub(r"[^\n]", " ", found[0])


def _list(content: dict[str, Any], key: str) -> list[Any]:
    value = content.get(key)
    return value if isinstance(value, list) else []


def _is(value: object) -> bool:
    return isinstance(value, str)


def _events(content: dict[str, Any]) -> Iterator[Event]:
    for each in _list(content, "events"):
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            params = each.get("params")
            yield Event(each["name"], params if isinstance(params, dict) else {})


def _total(content: dict[str, Any]) -> float | None:
    units = {"total_hours": 3600.0, "total_minutes": 60.0, "total_seconds": 1.0}
    given = [
        value * seconds
        for key, seconds in units.items()
        if isinstance(value := content.get(key), (int, float))
    ]
    return sum(given) if given else None


def files(folder: Path) -> list[Path]:
    """Every description below `folder`, in order."""
    return sorted(path for path in folder.rglob("*.json") if path.is_file())


def find(folder: Path, name: str, directory: Path) -> Description:
    """The one whose `test_name` it is, whatever its file is called. Raises `BadDescription`."""
    found: list[Description] = []
    names: list[str] = []
    broken: list[str] = []
    for path in files(folder):
        try:
            description = Description.read(path, directory)
        except BadDescription as bad:
            broken.append(str(bad))
            continue
        names.append(description.name)
        if description.name == name:
            found.append(description)
    if len(found) > 1:
        both = " and ".join(each.shown for each in found[:2])
        raise BadDescription(f"{both} have the test_name {name!r}, both of them")
    if found:
        return found[0]
    shown = os.path.relpath(folder, directory)
    known = f"known are {', '.join(names)}" if names else "there is none"
    also = "".join(f"\n{each}" for each in broken)
    raise BadDescription(f"{shown}: no description has the test_name {name!r}; {known}{also}")
