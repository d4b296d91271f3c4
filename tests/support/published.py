"""The published plugin's tree, built from results; test_golden.py holds it to the captures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from support.golden import Record

_WIDTH = 66

_KEPT: dict[str, tuple[str, ...]] = {
    "all": ("pass", "skip", "fail"),
    "bad": ("skip", "fail"),
    "fail": ("fail",),
}


def tree(records: Iterable[Record], keep: str, folder: Callable[[Record], str]) -> dict[str, Any]:
    """{path: content} of masked results in order, where `folder` names a test's."""
    pages: dict[str, Any] = {}
    for record in records:
        top = folder(record)
        index = int(pages.get(f"{top}/count", "0"))
        pages[f"{top}/.lock"] = ""
        pages[f"{top}/count"] = str(index + 1)
        if record["result"] in _KEPT[keep]:
            result = f"{top}/{index}.{record['result']}"
            pages |= {f"{result}/{name}": page for name, page in _pages(record).items()}
    return pages


def _pages(record: Record) -> dict[str, Any]:
    texts = {"exception": _exception(record)}
    texts |= {name: record[name] for name in ("stdout", "stderr", "log")}
    texts = {name: _block(text) for name, text in texts.items() if text}
    facts = [f"test: {record['nodeid']}"]
    if record["xdist_scope"]:
        facts.append(f"xdist-scope: {record['xdist_scope']}")
    facts += [f"result: {record['result']}", "duration: …s"]
    if record["xdist_worker"]:
        facts.append(f"xdist-node: {record['xdist_worker']}")
    if record["xdist_dist"]:
        facts.append(f"xdist-dist: {record['xdist_dist']}")
    brief = _header("general test info") + _block("\n".join(facts))
    brief += "".join(_header(name) + text for name, text in texts.items())
    pages: dict[str, Any] = {f"{name}.txt": text for name, text in texts.items()}
    return {"brief.txt": brief, "result.json": record, **pages}


def _exception(record: Record) -> str:
    excinfo = record["excinfo"]
    if excinfo is None:
        return ""
    said = f"{excinfo['type']}: {excinfo['value']}" if excinfo["value"] else excinfo["type"]
    return "".join(excinfo["traceback"]) + said


def _header(title: str) -> str:
    room = _WIDTH - len(title) - 2
    return f"{'=' * math.ceil(room / 2)} {title} {'=' * (room // 2)}\n"


def _block(text: str) -> str:
    return text.rstrip() + "\n"
