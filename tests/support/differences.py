"""From what the published plugin sent to what we send: docs/compatibility.md as code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from support.golden import KEYS, SUITE, Record

_MAIN = "main/test_basic.py"


def whole_name(nodeid: str) -> str:
    """publish-6: the text after the last `::` that is not a parameter's."""
    address, bracket, params = nodeid.partition("[")
    return address.rpartition("::")[2] + bracket + params


def as_ours(masked: Iterable[Record]) -> list[Record]:
    """Masked results of any capture."""
    return [_as_ours(record) for record in masked]


def _as_ours(record: Record) -> Record:
    ours = dict(record)
    scope = ours["xdist_scope"]
    if scope is not None:
        ours["nodeid"] = ours["nodeid"].removesuffix(f"@{scope}")
    ours["name"] = whole_name(ours["nodeid"])
    if ours["nodeid"].endswith("::test_xfail"):
        ours["result"] = "skip"
    if ours["nodeid"].endswith("::test_xpass_strict"):
        ours |= _strict_xpass()
    if ours["result"] == "skip" and ours["excinfo"]["value"] == "unit skip":
        ours["excinfo"] = {**ours["excinfo"], "traceback": []}
    # publish-15: the second attempt's text, without the first's again.
    ours["stdout"] = ours["stdout"].removeprefix("attempt 1\n") or ours["stdout"]
    return ours


def _strict_xpass() -> Record:
    value = "[XPASS(strict)] strict one"
    return {"result": "fail", "excinfo": {"type": "Failed", "value": value, "traceback": []}}


def unreported(xdist: Mapping[str, Any] | None = None) -> list[Record]:
    """What sample/main has and the published plugin does not report."""
    return [
        _record(
            "test_fail_setup",
            "fail",
            "RuntimeError",
            "setup boom",
            frame=_raise("main/conftest.py", 7, "bad_setup", 'raise RuntimeError("setup boom")'),
            stdout="out-in-setup\n",
            **(xdist or {}),
        ),
        _record("test_skip_marker", "skip", "Skipped", "marker skip", **(xdist or {})),
        _record(
            "test_fail_teardown",
            "fail",
            "RuntimeError",
            "teardown boom",
            frame=_raise(
                "main/conftest.py", 14, "bad_teardown", 'raise RuntimeError("teardown boom")'
            ),
            stdout="out-in-teardown\n",
            **(xdist or {}),
        ),
    ]


def _raise(file: str, line: int, function: str, code: str) -> str:
    return f'  File "{SUITE}/{file}", line {line}, in {function}\n    {code}\n'


def _record(name: str, result: str, kind: str, value: str, frame: str = "", **other: Any) -> Record:
    record: Record = dict.fromkeys(KEYS)
    for key in ("start_time", "stop_time", "duration", "pubdir_path"):
        del record[key]
    return {
        **record,
        "type": "result",
        "result": result,
        "nodeid": f"{_MAIN}::{name}",
        "name": name,
        **dict.fromkeys(("stdout", "stderr", "log"), ""),
        "excinfo": {"type": kind, "value": value, "traceback": [frame] if frame else []},
        **other,
    }
