"""What is taken out of texts, and what stays."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from pytest_host import options, summary, tokens
from pytest_host.connection import Refused
from pytest_host.redaction import MARGIN, Redactor

#: Put together here, so that no scanner takes this file for a leak.
ALNUM = "Ab3dE6gH1jK4mN7pQ0sT2vW5yZ8bC9dF2hJ4kL6n"


def jwt(signature: str = "s" * 20) -> str:
    return f"eyJ{'hbGciOiJIUzI1NiJ9'}.eyJ{'zdWIiOiIxMjM0NTY3ODkwIn0'}.{signature}"


SECRETS = [
    *(f"{kind}_{ALNUM[:36]}" for kind in ("ghp", "gho", "ghu", "ghs", "ghr")),
    f"github_pat_{ALNUM[:22]}_{ALNUM}",
    f"glpat-{ALNUM[:20]}",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ASIA" + "IOSFODNN7EXAMPLE",
    *(f"xox{kind}-123456789012-{ALNUM[:24]}" for kind in "abpr"),
    f"AIza{ALNUM[:35]}",
    f"sk_live_{ALNUM[:24]}",
    f"rk_live_{ALNUM[:24]}",
    f"sk-{ALNUM}",
    f"sk-proj-{ALNUM[:20]}-{ALNUM}",
    f"sk-ant-api03-{ALNUM}_{ALNUM}-AA",
    f"npm_{ALNUM[:36]}",
    f"pypi-AgEIcHlwaS5vcmc{ALNUM}",
    jwt(),
    jwt(""),
]

#: Around the part that is to go.
PARTS = [
    ("aws_secret_access_key = ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""),
    ('AWS_SECRET_ACCESS_KEY="', "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", '"'),
    ('"SecretAccessKey": "', "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", '",'),
    ("> Authorization: Bearer ", "abc.def-ghi", "\r\n"),
    ("authorization: basic ", "dXNlcjpwYXNz", ""),
    ("{'Authorization': 'Bearer ", "abcdef", "'}"),
    ("(b'authorization', b'Basic ", "dXNlcjpwYXNz", "')"),
    ("HTTP_AUTHORIZATION=Bearer ", "abcdef", " "),
    ("postgresql://", "user:pass", "@db.example:5432/x"),
    ("https://", ":pass", "@h/"),
    ("redis://", "default:p@ss", "@h:6379"),
]

BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"

ORDINARY = [
    "FAILED tests/test_a.py::TestB::test_c[x-1] - AssertionError: assert 1 == 2",
    "d41d8cd98f00b204e9800998ecf8427e e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4",
    "task-0cc175b9c0f1b6a831c399e269772661 disk-f9d4acd9f368549aa717826d6d60d601",
    "risk-assessment-of-the-proj-that-nobody-wanted sk-spinner sk-circle-fade-dot-container-large",
    "https://example.com:8080/path/to@2x.png http://localhost:7777 git@github.com:a/b.git",
    "ssh://git@github.com/a/b.git postgresql://localhost:5432/test?user=a",
    "npm_config_registry npm_lifecycle_script_that_is_rather_long npm_package_name",
    "Authorization: required\nWWW-Authenticate: Bearer realm=x\nauthorization failed for bearer",
    "aws_secret_access_key = None aws_secret_access_key=os.environ['X']",
    "AKIA ASIA ASIAPACIFICHEADQUARTERS asia AKIAs ghp_short glpat- xoxo-hugs-and-kisses",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----",
    "eyJhbGciOiJIUzI1NiJ9 eyJ.eyJ.eyJ a.b.c",
    "def test_sk_live_mode(): keys = sorted(d.keys())  # pypi-server, AgE, skip-list",
    "{'type': 'result', 'duration': 0.0003, 'start_time': 1795247731.59}",
    "\x1b[31mE       assert 'abc' == 'abd'\x1b[0m",
]


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
@pytest.mark.parametrize(
    "around", ["{}", "a {} b", "x='{}',", "\\n{}\\n", "\x1b[32m{}\x1b[0m", "={}"]
)
def test_common_tokens_are_known(secret: str, around: str) -> None:
    redacted = Redactor().text(around.format(secret))
    assert redacted == around.format("[redacted]")
    assert not Redactor().spares(json.dumps(around.format(secret)))
    assert Redactor(builtin=False).text(secret) == secret


@pytest.mark.parametrize(("before", "secret", "after"), PARTS)
def test_only_the_secret_goes(before: str, secret: str, after: str) -> None:
    assert Redactor().text(before + secret + after) == f"{before}[redacted]{after}"


@pytest.mark.parametrize("line", ["\n", "\\n", "\nE         "])
def test_private_keys_go_from_beginning_to_end(line: str) -> None:
    block = line.join([BEGIN, "MIIEpAIBAAKCAQEA", "0Z3VS5JJcds3xfn/ygWyF8=", END])
    assert Redactor().text(f"a {block} b {block} c") == "a [redacted] b [redacted] c"
    cut = block.partition("-----END")[0]
    assert Redactor().text(f"'{cut}'") == "'[redacted]'"


@pytest.mark.parametrize("text", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_output_stays(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_cut_leaves_no_part_of_a_match(cut: int) -> None:
    """Wherever in the secret the limit is."""
    secret = SECRETS[0]
    text = "." * (1000 - cut) + secret + "x\n" * MARGIN
    kept, size = Redactor(limit=1000).cut(text)
    assert kept == ("." * (1000 - cut) + "[redacted]")[:1000]
    assert size == len(text)


def test_what_is_behind_the_cut_does_not_move_up() -> None:
    secrets = " ".join([SECRETS[0]] * 20)
    text = secrets + "." * 400 + "x" * MARGIN + SECRETS[0]
    limit = len(secrets) + 100
    kept, size = Redactor(limit=limit).cut(text)
    assert kept == " ".join(["[redacted]"] * 20) + "." * 100
    assert size == len(text)


def test_a_text_that_fits_is_not_called_cut() -> None:
    text = f"é {SECRETS[0]} é"
    assert Redactor(limit=100).cut(text) == ("é [redacted] é", None)
    assert Redactor(limit=5).cut(text) == ("é [r", len(text.encode()))


def test_own_patterns_are_all_held_against_the_text_as_it_was() -> None:
    patterns = [
        re.compile(each) for each in ("abc", "bcd", r"(?i)SECRET-(\d)\1", "^$|x*", "c(?=d)")
    ]
    redactor = Redactor(patterns)
    assert redactor.text("_abcd_ secret-11 secret-12") == "_[redacted]_ [redacted] secret-12"
    assert redactor.text("abcd") == "[redacted]"
    assert redactor.text("axxb") == "a[redacted]b"
    assert redactor.text(f"{SECRETS[0]} abc") == "[redacted] [redacted]"
    assert not redactor.spares("")


def test_identities_stay_apart_and_the_same() -> None:
    one, other = (f"t.py::test[{secret}]" for secret in SECRETS[:2])
    redactor = Redactor(key="k")
    first, second = redactor.identity(one), redactor.identity(other)
    assert re.fullmatch(r"t\.py::test\[\[redacted\]-[0-9a-f]{8}\]", first)
    assert first != second
    assert Redactor(key="k").identity(one) == first, "in another process of the run"
    assert Redactor(key="l").identity(one) != first, "in another run"
    assert redactor.identity(SECRETS[0]) in first
    assert redactor.identity("t.py::test[x]") == "t.py::test[x]"


@pytest.mark.parametrize(
    ("value", "redacted"),
    [
        ([1, None, True, 1.5, "x"], [1, None, True, 1.5, "x"]),
        (["4111", 4111, -4111.5, 4], ["[redacted]", "[redacted]", "-[redacted].5", 4]),
        (
            {"4111": 1, "4112": {"a": "4113"}},
            {"[redacted]": 1, "[redacted]-2": {"a": "[redacted]"}},
        ),
    ],
)
def test_values_keep_their_shape(value: Any, redacted: Any) -> None:
    text = json.dumps(value, separators=(",", ":"))
    assert json.loads(Redactor([re.compile(r"\d{4}")]).json(text)) == redacted
    assert Redactor().json(text) == text


def test_numbers_that_python_will_not_read() -> None:
    digits = "4" * 5000
    assert json.loads(Redactor([re.compile("4{5000}")]).json(digits)) == "[redacted]"
    assert Redactor([re.compile("5")]).json(digits) == digits


@pytest.mark.parametrize("pattern", ["[a", "(", "a{99999999999}", "(?P<a>x)(?P<a>y)", "*"])
def test_a_bad_pattern_is_told_of_with_its_place(pattern: str) -> None:
    message = {"patterns": ["fine", pattern], "origin": "host.toml:3"}
    with pytest.raises(Refused) as raised:
        Redactor.parse(message, "", 1000)
    start = f"host.toml:3: redact: {json.dumps(pattern)} is no regular expression: "
    assert str(raised.value).startswith(start)
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("error")
def test_what_python_warns_of_is_no_error() -> None:
    redactor = Redactor.parse({"patterns": ["[[a]b"], "origin": "x", "builtin": False}, "", 1000)
    assert redactor.text("[b") == "[redacted]"


def test_a_host_that_says_nothing_has_the_builtin_patterns() -> None:
    assert Redactor.parse(None, "", 1000).text(SECRETS[0]) == "[redacted]"
    assert Redactor.parse({"builtin": False}, "", 1000).text(SECRETS[0]) == SECRETS[0]


@pytest.mark.parametrize(
    "unit",
    [
        *tokens.HINTS,
        "eyJa.",
        "eyJaaaaaaa.",
        BEGIN,
        f"{BEGIN}(",
        f"{BEGIN}-----END (",
        "://a:",
        "Authorization:  ",
    ]
    + [secret[: len(secret) // 2] for secret in SECRETS],
)
def test_no_text_takes_long(unit: str) -> None:
    """A guard against backtracking, which takes minutes: 1 MiB of almost secrets."""
    text = unit * ((1 << 20) // len(unit))
    started = time.perf_counter()
    Redactor().text(text)
    assert time.perf_counter() - started < 10


def test_what_the_host_does_not_keep_is_asked_for() -> None:
    sinks = [{"name": "a", "left": 2}, {"name": "b", "delivered": 1}]
    line, well = summary.finished(sinks, give_again=["a.token", "b.token"])
    assert not well
    assert line == ("a: 2 events left, b 1 delivered; they go out with: host drain --set a.token=…")


def test_settings_among_the_arguments() -> None:
    args = [
        "-k",
        "token=1",
        "--sinks-set",
        "a.token=x",
        "--sinks-set=a.headers.Cookie=a=b",
        "--sinks-set",
    ]
    assert options.without_secrets([*args, "a.url=x", "a.token=y"]) == [
        *("-k", "token=1", "--sinks-set", "a.token=[redacted]"),
        *("--sinks-set=a.headers.Cookie=[redacted]", "--sinks-set", "a.url=x", "a.token=y"),
    ]
