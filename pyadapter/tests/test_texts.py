"""Texts of any size, as tests produce them."""

from __future__ import annotations

import sys

import pytest

from pytest_host import failures, texts
from pytest_host.redaction import Redactor

LIMIT = 1000


@pytest.mark.parametrize("limit", [1, 2, 999, 1000, 1001])
@pytest.mark.parametrize(
    "text",
    ["", "a", "a" * 1000, "a" * 1001, "é" * 500, "é" * 501, "\U0001f600" * 300, "a\udc80" * 250],
    ids=len,
)
def test_cut(text: str, limit: int) -> None:
    """As if the whole text had been encoded."""
    data = text.encode("utf-8", "backslashreplace")
    kept, size = texts.cut(text, limit)
    if len(data) <= limit:
        assert (kept, size) == (text, None)
    else:
        assert (kept, size) == (data[:limit].decode("utf-8", "ignore"), len(data))


def test_pieces_are_of_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_PIECE", 7)
    assert texts.cut("aé\U0001f600\udc80" * 100, 10) == ("aé\U0001f600\\ud", 1300)


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_a_large_text_is_not_there_twice(character: str) -> None:
    tracemalloc = pytest.importorskip("tracemalloc")  # CPython's
    text = character * 20_000_000
    tracemalloc.start()
    try:
        _, size = texts.cut(text, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == len(character.encode()) * len(text)
    assert peak < 4_000_000


def recurse(depth: int) -> None:
    if depth:
        recurse_further(depth - 1)
    raise ValueError


def recurse_further(depth: int) -> None:
    recurse(depth)


def test_a_deep_recursion_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 8000)
    try:
        with pytest.raises(ValueError, match=r"^$") as raised:
            recurse(3000)
    finally:
        sys.setrecursionlimit(limit)
    failure = failures.describe(raised.value, raised.tb)
    entries = failure["traceback"]
    assert len(entries) == 1001
    assert "in test_a_deep_recursion_is_cut" in entries[0]
    assert entries[500] == "[cut: 5002 frames]\n"
    assert "raise ValueError" in entries[-1]
    cut = failures.limit_texts(failure, Redactor(limit=LIMIT))["traceback"]
    assert (cut[0], cut[-1]) == (entries[0], entries[-1])
    assert sum(map(len, cut)) < LIMIT + 100
