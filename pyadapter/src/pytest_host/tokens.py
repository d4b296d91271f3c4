"""What common secrets look like.

Each rule begins with characters that every match has, so a text without them
costs a search for those and nothing else. None backtracks over what it has
read: a match is looked for once at each place where those characters stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

Span = tuple[int, int]


class _Rule(NamedTuple):
    #: Where one may begin.
    hint: str
    #: Matches from there on; its group, where it has one, is what to hide.
    pattern: re.Pattern[str]
    #: Not in the middle of a word.
    apart: bool = False


#: Between the name of a header or a variable and its value, in whatever
#: notation: `name: value`, `name=value`, `"name": "value"`, `(b'name', b'value')`.
_IS = r"""["'\\]{0,3}\s{0,4}[=:,]\s{0,4}b?["'\\]{0,3}"""

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
#: Ends in a letter, and no word does: an escaped line break, a colour.
_BREAK = re.compile(r"\\[nrt]|\x1b\[[0-9;]{0,12}m")
_BREAK_LENGTH = 15


def _rule(hint: str, rest: str, *, apart: bool = False) -> _Rule:
    return _Rule(hint, re.compile(re.escape(hint) + rest), apart)


_RULES = (
    # GitHub, GitLab.
    *(_rule(f"gh{kind}_", r"[A-Za-z0-9]{16,}") for kind in "pousr"),
    _rule("github_pat_", r"[A-Za-z0-9_]{20,}"),
    _rule("glpat-", r"[A-Za-z0-9_.-]{16,}"),
    # AWS: ids, temporary ones, and the secrets that go with them.
    *(_rule(hint, r"[A-Z0-9]{16}(?![A-Za-z0-9])") for hint in ("AKIA", "ASIA")),
    *(
        _rule(hint, _IS + r"([A-Za-z0-9/+]{16,}={0,2})")
        for hint in ("ecret_access_key", "ECRET_ACCESS_KEY", "ecretAccessKey")
    ),
    # Slack, Google, Stripe.
    _rule("xox", r"[abepr]-[A-Za-z0-9-]{10,}"),
    _rule("AIza", r"[A-Za-z0-9_-]{30,}"),
    *(_rule(f"{kind}k_live_", r"[A-Za-z0-9]{16,}") for kind in "sr"),
    # OpenAI, Anthropic.
    _rule(
        "sk-",
        r"(?:(?:ant|proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,})",
        apart=True,
    ),
    # npm, PyPI.
    _rule("npm_", r"[A-Za-z0-9]{30,}"),
    _rule("pypi-AgE", r"[A-Za-z0-9_-]{16,}"),
    # JSON web tokens.
    _rule("eyJ", r"[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*", apart=True),
    # What HTTP carries.
    *(
        _rule(hint, _IS + r"(?i:bearer|basic)\s{1,4}([A-Za-z0-9._~+/=-]{4,})")
        for hint in ("uthorization", "UTHORIZATION")
    ),
    _rule("://", r"""([^\s/?#@:"'<>]{0,128}:[^\s/?#"'<>]{1,256})@"""),
)

_BEGIN = "-----BEGIN "
_END = "-----END "
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")
#: Of a key whose end was cut off.
_KEY_BODY = re.compile(r"[A-Za-z0-9+/=\s\\:,-]*")

HINTS = (*(rule.hint for rule in _RULES), _BEGIN)


def spans(text: str) -> Iterator[Span]:
    """Where the secrets are, rule by rule."""
    for hint, pattern, apart in _RULES:
        at = text.find(hint)
        while at >= 0:
            match = None
            if not (apart and _is_within_word(text, at)):
                match = pattern.match(text, at)
            if match:
                yield match.span(match.lastindex or 0)
            at = text.find(hint, match.end() if match else at + 1)
    if _BEGIN in text:
        yield from _private_keys(text)


def _is_within_word(text: str, at: int) -> bool:
    if not at or text[at - 1] not in _WORD:
        return False
    before = text[max(0, at - _BREAK_LENGTH) : at]
    return not any(match.end() == len(before) for match in _BREAK.finditer(before))


def _private_keys(text: str) -> Iterator[Span]:
    """PEM blocks; also where line breaks are escaped, or the end is missing."""
    start = 0
    ends = True
    while begins := _KEY_BEGINS.search(text, start):
        end = text.find(_END, begins.end()) if ends else -1
        ends = end >= 0
        last = _KEY_ENDS.match(text, end) if ends else _KEY_BODY.match(text, begins.end())
        start = last.end() if last else end
        yield begins.start(), start
