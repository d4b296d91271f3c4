"""The one place through which every text of a pause leaves the process."""

from __future__ import annotations

from .. import texts
from ..redaction import Redactor

#: Bytes of a text that are kept, where the host has set no other limit.
TEXT_BYTES = 256 << 10

#: Common secrets are known without a host, too.
_redactor = Redactor()


def redact_with(redactor: Redactor) -> None:
    """From here on, with the patterns that the host has."""
    global _redactor  # noqa: PLW0603
    _redactor = redactor


def text(value: str, limit: int = TEXT_BYTES) -> str:
    """As files, the host and the terminal get to see it."""
    return _redactor.cut_note(texts.clean(value), limit)


def optional(value: str | None, limit: int = TEXT_BYTES) -> str | None:
    return None if value is None else text(value, limit)


def identity(value: str) -> str:
    """A node id, as events have it."""
    return texts.clean(_redactor.identity(value))
