"""Takes secrets out of texts, before anything is written."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from . import texts, tokens
from .connection import Refused
from .tokens import Span

REPLACEMENT = "[redacted]"

#: Characters behind a cut that are looked at, for a match that the cut would
#: go through.
MARGIN = 1 << 14


#: Bytes; the host's own default.
_LIMIT = 256 << 10


class Redactor:
    """Replaces what `patterns` match, and what looks like a common secret.

    Every pattern is held against the text as it was: what one of them matches
    hides nothing from the others. A match of no characters counts as none.
    """

    def __init__(
        self,
        patterns: Sequence[re.Pattern[str]] = (),
        *,
        builtin: bool = True,
        key: str = "",
        limit: int = _LIMIT,
    ) -> None:
        #: Bytes that `cut` keeps.
        self.limit = limit
        self._patterns = tuple(patterns)
        self._builtin = builtin
        self._key = hashlib.blake2b(key.encode()).digest()

    @classmethod
    def parse(cls, message: Any, key: str, limit: int) -> Redactor:
        """From the `redact` of the protocol's `welcome`; raises `Refused`.

        `key` is one that all processes of the run know and nobody else.
        """
        message = message if isinstance(message, dict) else {}
        origin = str(message.get("origin"))
        patterns = [compile_pattern(str(each), origin) for each in message.get("patterns") or ()]
        return cls(patterns, builtin=bool(message.get("builtin", True)), key=key, limit=limit)

    def spares(self, text: str) -> bool:
        """Whether there is certainly nothing to take out; quick, and often enough true.

        As JSON leaves the characters of all hints alone, it may be asked of a
        whole record.
        """
        if self._patterns:
            return False
        return not (self._builtin and any(hint in text for hint in tokens.HINTS))

    def text(self, text: str) -> str:
        spans = self._spans(text)
        return _replace(text, spans, _hidden) if spans else text

    def identity(self, text: str) -> str:
        """`text`, for names that have to stay apart: node ids, and parts of them.

        Each match is told from others by eight digits, the same ones wherever it
        comes up in this run. Without the key nothing can be learned from them.
        """
        spans = self._spans(text)
        return _replace(text, spans, self._tagged) if spans else text

    def cut(self, text: str, limit: int | None = None) -> tuple[str, int | None]:
        """`texts.cut` to the limit, and no part of a match is left at the end."""
        limit = self.limit if limit is None else limit
        head = text[: limit + MARGIN]
        spans = self._spans(head)
        if not spans:
            return texts.cut(text, limit)
        # Of what is behind the cut nothing must be moved up by what is taken out.
        spans = [span for span in spans if span[0] < limit]
        stop = max([limit, *(end for _, end in spans)])
        kept, size = texts.cut(_replace(head[:stop], spans, _hidden), limit)
        if size is not None or len(text) > stop:
            size = texts.size(text)
        return kept, size

    def cut_note(self, text: str, limit: int | None = None) -> str:
        """`cut`, for texts whose size has no place of its own in the protocol."""
        kept, size = self.cut(text, limit)
        return kept if size is None else f"{kept}\n[cut: {size} bytes in all]"

    def json(self, text: str) -> str:
        """A JSON text, with every text and number in it redacted."""
        if self.spares(text):
            return text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):  # a number of too many digits
            redacted = self.text(text)
            return text if redacted == text else texts.dumps(redacted)
        return texts.dumps(self.value(value))

    def value(self, value: Any) -> Any:
        """A JSON value; keys that become equal are numbered."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return self._table(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            shown = json.dumps(value)
            redacted = self.text(shown)
            return value if redacted == shown else redacted
        return value

    def _table(self, table: dict[str, Any]) -> dict[str, Any]:
        redacted: dict[str, Any] = {}
        for key, value in table.items():
            name = unique = self.text(key)
            number = 1
            while unique in redacted:
                number += 1
                unique = f"{name}-{number}"
            redacted[unique] = self.value(value)
        return redacted

    def _tagged(self, match: str) -> str:
        data = match.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=4, key=self._key).hexdigest()
        return f"{REPLACEMENT}-{digest}"

    def _spans(self, text: str) -> list[Span]:
        """In order, none overlapping another."""
        found = [
            span
            for pattern in self._patterns
            for span in map(re.Match.span, pattern.finditer(text))
            if span[0] < span[1]
        ]
        if self._builtin:
            found += tokens.spans(text)
        return _merge(found) if len(found) > 1 else found


def compile_pattern(pattern: str, origin: str) -> re.Pattern[str]:
    """Raises `Refused`; `origin` is where the pattern was written."""
    try:
        # What Python would rather have written otherwise is no error, not even
        # where the run makes errors of warnings.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern)
    except Exception as error:  # of `re`, or a number that is too large for it
        shown = texts.encode(pattern)
        raise Refused(f"{origin}: redact: {shown} is no regular expression: {error}") from None


def _hidden(_match: str) -> str:
    return REPLACEMENT


def _merge(spans: list[Span]) -> list[Span]:
    spans.sort()
    merged = [spans[0]]
    for start, end in spans[1:]:
        first, last = merged[-1]
        if start <= last:
            merged[-1] = first, max(last, end)
        else:
            merged.append((start, end))
    return merged


def _replace(text: str, spans: Sequence[Span], replacement: Callable[[str], str]) -> str:
    parts: list[str] = []
    after = 0
    for start, end in spans:
        parts += (text[after:start], replacement(text[start:end]))
        after = end
    return "".join((*parts, text[after:]))
