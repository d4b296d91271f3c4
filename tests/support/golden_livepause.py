"""What pytest-live-pause was seen to print and write; see tests/fixtures/golden/livepause."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from support.golden import SUITE

FOLDER = Path(__file__).parents[1] / "fixtures" / "golden" / "livepause"

Call = dict[str, Any]

_ID = re.compile(r"\b[0-9a-f]{32}\b")
_PID = re.compile(r"\bpid=\d+")
_VOLATILE = (
    *("ts", "created_at", "finished_at", "started_at", "pid", "hostname", "argv", "cwd"),
    *("timeout",),
)


def calls(name: str) -> list[Call]:
    """Commands in order, with what they printed and their exit codes."""
    found: list[Call] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def tree(name: str) -> dict[str, str | None]:
    found: dict[str, str | None] = json.loads((FOLDER / f"{name}.tree.json").read_text())
    return found


class Mask:
    """Replaces ids by names, in the order in which they are met first."""

    def __init__(self, *tops: str) -> None:
        self._tops = tops
        self._names: dict[str, str] = {}

    def know(self, identifier: str, name: str) -> None:
        self._names[identifier] = name

    def __call__(self, text: str) -> str:
        for top in sorted(self._tops, key=len, reverse=True):
            text = text.replace(top, "TOP")
        text = _PID.sub("pid=N", text)
        return _ID.sub(lambda found: self._names.get(found[0], "UNKNOWN"), text)

    def outcome(self, call: Call) -> tuple[int, str, str]:
        return call["rc"], self(call["stdout"]), self(call.get("stderr", ""))

    def tree(self, pages: dict[str, str | None]) -> dict[str, Any]:
        return {self(path): self._page(path, text) for path, text in pages.items()}

    def _page(self, path: str, text: str | None) -> Any:
        if text is None:
            return None
        if path.endswith(".jsonl"):
            return [self._object(json.loads(line)) for line in text.splitlines()]
        return self._object(json.loads(text))

    def _object(self, value: dict[str, Any]) -> Any:
        """In order of its keys, without what the SPEC calls volatile."""
        masked = {key: "…" if key in _VOLATILE else each for key, each in value.items()}
        if masked.get("finished_at") == "…" and value["finished_at"] is None:
            masked["finished_at"] = None
        return list(json.loads(self(json.dumps(masked, ensure_ascii=False))).items())


def tree_of(top: Path) -> dict[str, str | None]:
    """As captures have one: files, and folders that have none."""
    pages: dict[str, str | None] = {}
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_file():
            pages[name] = path.read_text()
        elif not any(path.iterdir()):
            pages[f"{name}/"] = None
    return pages


#: Of the captures, whose source their traceback shows.
THEIR_CODE = re.compile(r"    def checkpoint\(.*", re.DOTALL)

__all__ = ["FOLDER", "SUITE", "THEIR_CODE", "Call", "Mask", "calls", "tree", "tree_of"]
