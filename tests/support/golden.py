"""What the published plugin was seen to send and write; see tests/fixtures/golden."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "fixtures" / "golden" / "publish"

Record = dict[str, Any]

#: The suite's folder in the captures.
SUITE = "/suite"

#: Keys of the result object, in order.
KEYS = [
    *("type", "result", "nodeid", "name", "start_time", "stop_time", "duration"),
    *("stdout", "stderr", "log", "xdist_dist", "xdist_worker", "xdist_scope"),
    *("pubdir_path", "excinfo"),
]

_FRAME = re.compile(r'  File "(?P<file>[^"]*)".*\n(?:    .*\n?)*')
_MARKS = re.compile(r"^ *[~^]+ *\n", re.MULTILINE)
#: Between an assertion and what differs, in pytest from 8.0.
_BLANK = re.compile(r"\n +(?=\n)")
ADDRESS = re.compile(r"\b0x[0-9a-f]+")


def posts(name: str) -> list[Record]:
    """The results of a capture, in order of arrival."""
    lines = (FOLDER / f"{name}.posts.jsonl").read_text().splitlines()
    return [json.loads(line)["json"] for line in lines]


def tree(name: str) -> dict[str, str]:
    content: dict[str, str] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def mask(record: Mapping[str, Any], suite: Path | str) -> Record:
    """A result without what the SPEC calls volatile, and without where pubdir put it."""
    masked = dict(record)
    for key in ("start_time", "stop_time", "duration"):
        assert isinstance(masked.pop(key), float)
    del masked["pubdir_path"]
    if masked["excinfo"] is not None:
        frames = (frame(text, suite) for text in masked["excinfo"]["traceback"])
        traceback = [text for text in frames if text]
        value = ADDRESS.sub("0x…", _BLANK.sub("", masked["excinfo"]["value"]))
        masked["excinfo"] = {**masked["excinfo"], "value": value, "traceback": traceback}
    return masked


def frame(text: str, suite: Path | str) -> str:
    """A traceback's entry as the captures have it; nothing where it is not the suite's."""
    found = _FRAME.match(text)
    if found is None or not found["file"].startswith(f"{suite}/"):
        return ""
    # Which part of a line raised is marked by newer Pythons alone.
    return _MARKS.sub("", text).replace(f'"{suite}/', f'"{SUITE}/', 1)


def frames(text: str, suite: Path | str) -> str:
    """A traceback's entries, likewise."""
    return _FRAME.sub(lambda found: frame(found[0], suite), text)


def mask_page(path: str, text: str, suite: Path | str) -> Any:
    """One file of a tree, likewise."""
    if path.endswith("/result.json"):
        return mask(json.loads(text), suite)
    text = re.sub(r"^duration: [0-9.e-]+s$", "duration: …s", text, flags=re.MULTILINE)
    return frames(_BLANK.sub("", text), suite)


def mask_tree(pages: Mapping[str, str], suite: Path | str) -> dict[str, Any]:
    return {path: mask_page(path, text, suite) for path, text in pages.items()}


def by_test(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Results in order for each test; across tests the order of arrival is nobody's promise."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record["nodeid"], []).append(record)
    return found
