"""Text and JSON as the protocol wants them, from whatever a test produced."""

from __future__ import annotations

import json
from typing import Any

#: For texts of ours and other well-formed values. NaN is an error.
encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


#: Characters that are encoded at a time, to learn how many bytes a text has.
_PIECE = 1 << 18


def clean(text: str) -> str:
    """Lone surrogates (undecodable bytes, usually) become backslash escapes."""
    return _encode(text).decode("utf-8")


def clean_all(value: Any) -> Any:
    """`clean`, for every text in a JSON value."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (list, tuple)):
        return [clean_all(each) for each in value]
    if isinstance(value, dict):
        return {clean_all(key): clean_all(each) for key, each in value.items()}
    return value


def dumps(value: Any) -> str:
    """JSON that can be encoded as UTF-8."""
    text = encode(value)
    # Nearly all text is fine, and looking is cheaper than cleaning.
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return encode(clean_all(value))
    return text


def dump_property(value: object) -> str:
    """Any value as JSON; what JSON can't hold becomes its `repr`."""
    try:
        return dumps(value)
    except Exception:
        return dumps(safe(repr, value))


def cut(text: str, limit: int) -> tuple[str, int | None]:
    """Keep at most `limit` bytes of UTF-8, whole characters from the start.

    Also returns the size before, in bytes, where anything was cut. A text may
    be as large as the memory allows, so there is never a second one of its size.
    """
    if len(text) * 6 <= limit:  # a lone surrogate's escape is the longest there is
        return text, None
    found = size(text)
    if found <= limit:
        return text, None
    return _encode(text[:limit])[:limit].decode("utf-8", "ignore"), found


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def size(text: str) -> int:
    """In bytes, once encoded."""
    if text.isascii():
        return len(text)
    return sum(len(_encode(text[start : start + _PIECE])) for start in range(0, len(text), _PIECE))


def safe(convert: Any, value: object) -> str:
    """`str(value)` or `repr(value)`, of values that may refuse."""
    try:
        return str(convert(value))
    except Exception as error:
        return f"<{type(value).__name__}: {convert.__name__}() raised {type(error).__name__}>"
