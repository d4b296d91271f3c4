"""docs/compatibility.md and the tests that show it say the same."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

_HERE = Path(__file__).parent
PAGE = _HERE.parents[1] / "docs" / "compatibility.md"

#: Put together here, or this file would be taken for one that shows something.
MARK = re.compile(r"^@pytest\.mark\." + r'difference\("(?P<row>[^"]+)"\)$', re.MULTILINE)


def rows() -> list[str]:
    return re.findall(r"^\| ([a-z]+-\d+) \|", PAGE.read_text(), re.MULTILINE)


def marked() -> list[str]:
    texts = (path.read_text() for path in sorted(_HERE.glob("test_*.py")))
    return [found["row"] for text in texts for found in MARK.finditer(text)]


def test_every_row_is_there_once() -> None:
    assert len(rows()) > 20
    assert [row for row, count in Counter(rows()).items() if count > 1] == []


def test_every_row_has_a_test_and_every_marked_test_a_row() -> None:
    assert set(rows()) == set(marked())


def test_every_row_says_both() -> None:
    """An id, theirs, ours, and why, which may go without saying."""
    for line in PAGE.read_text().splitlines():
        if re.match(r"\| [a-z]+-\d+ \|", line):
            _, _, theirs, ours, _, _ = line.split("|")
            assert theirs.strip(), line
            assert ours.strip(), line
