"""The one place through which every text of a pause leaves the process."""

from __future__ import annotations

from .. import texts

#: Bytes of a text that are kept, where the host has set no other limit.
TEXT_BYTES = 256 << 10


def text(value: str, limit: int = TEXT_BYTES) -> str:
    """As files, the host and the terminal get to see it."""
    return texts.cut_note(texts.clean(value), limit)


def optional(value: str | None, limit: int = TEXT_BYTES) -> str | None:
    return None if value is None else text(value, limit)
