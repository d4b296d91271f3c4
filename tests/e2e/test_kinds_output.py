"""Every kind and size of what tests say."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from support import collecting, kinds
from support.project import Project

#: What is kept of a text unless the configuration says otherwise.
KEPT = 262_144

#: Leaves the most memory that pytest's process had, in MiB.
PEAK = """
import pathlib, resource, sys
def pytest_unconfigure():
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    pathlib.Path(__file__).with_name("peak").write_text(str(peak))
"""


def compare_peaks(project: Project, text: str, code: int) -> tuple[list[collecting.Event], int]:
    """The events, and how many MiB more a reported run takes at its peak."""
    files = {"conftest.py": PEAK, "test_large.py": text}
    events = kinds.run(project, files, "-p", "no:cacheprovider", code=code)
    peak = project.folder / "peak"
    ours = int(peak.read_text())
    assert project.run("pytest", "-p", "no:cacheprovider").code == code
    return events, ours - int(peak.read_text())


def test_200_mb_of_output(project: Project) -> None:
    """pytest itself holds it twice for a while; reporting adds nothing of that order."""
    text = """
def test_large():
    for _ in range(100_000): print("é" * 999)
def test_after(): print("after")
"""
    events, more = compare_peaks(project, text, 0)
    sections = {
        (report["name"], report["phase"]): report["sections"]
        for report in collecting.of_kind(events, "phase-finished")
        if report["sections"]
    }
    (large,) = sections.pop(("test_large", "call"))
    assert large["content"] == (("é" * 999 + "\n") * 200)[: len(large["content"])]
    assert KEPT - 2 < len(large["content"].encode()) <= KEPT
    assert large["original_size"] == 199_900_000
    (after,) = sections.pop(("test_after", "call"))
    assert (after["content"], after["original_size"]) == ("after\n", None)
    assert not sections, "told again"
    assert more < 64, f"{more} MiB more than without reporting"


def test_20_mb_of_failure(project: Project) -> None:
    text = "def test_large(): raise ValueError('é' * 10_000_000)\ndef test_after(): pass\n"
    events, more = compare_peaks(project, text, 1)
    (failure,) = (
        report["failure"]
        for report in collecting.of_kind(events, "phase-finished")
        if report["failure"]
    )
    assert failure["kind"] == "ValueError"
    assert failure["message"] == "é" * (KEPT // 2) + "\n[cut: 20000000 bytes in all]"
    assert re.search(r"\n\[cut: \d{8,} bytes in all\]$", failure["longrepr"])
    assert kinds.verdicts(events) == {"test_large": ["failed"], "test_after": ["passed"]}
    # pytest makes the text it prints at its end for us earlier.
    assert more < 128, f"{more} MiB more than without reporting"


def test_a_deep_recursion(project: Project) -> None:
    text = """
import sys
def even(n): return odd(n + 1)
def odd(n):
    if n > 9000: raise ValueError("deep")
    return even(n + 1)
def test_deep():
    sys.setrecursionlimit(20_000)
    even(0)
"""
    events = kinds.run(project, {"test_r.py": text}, "--tb=short", code=1)
    (failure,) = (
        report["failure"]
        for report in collecting.of_kind(events, "phase-finished")
        if report["failure"]
    )
    assert failure["message"] == "deep"
    entries = failure["traceback"]
    assert len(entries) <= 1001
    assert sum(len(entry.encode()) for entry in entries) < KEPT + 100
    assert "in test_deep" in entries[0]
    assert 'raise ValueError("deep")' in entries[-1]
    assert len([entry for entry in entries if entry.startswith("[cut: ")]) == 1


def test_long_ids(project: Project) -> None:
    """6 MB of them. No event is so large that a guest could not hold it."""
    text = """
import pytest
@pytest.mark.parametrize("a", [f"{n:04}" + "é" * 2000 for n in range(500)], ids=str)
def test_a(a): pass
"""
    events = kinds.run(project, {"test_i.py": text}, "-q", code=0)
    collected = collecting.of_kind(events, "collected")
    assert sum(len(tests) for tests in collected) == 500
    texts = [
        [test["nodeid"] + test["name"] + test["domain"] for test in each] for each in collected
    ]
    sizes = [sum(len(text.encode()) for text in each) for each in texts]
    assert max(sizes) <= 1 << 20 < sum(sizes)
    assert Counter(v for (v,) in kinds.verdicts(events).values()) == Counter(passed=500)


ODD = {
    "conftest.py": """
import pytest
class Item(pytest.Item):
    def runtest(self): print("ran"); assert self.name != "fails"
class File(pytest.File):
    def collect(self):
        for name in NAMES: yield Item.from_parent(self, name=name)
def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".odd": return File.from_parent(parent, path=file_path)
NAMES = ["a\\nb", "c\\x00d", "e\\udc80f", "g::h[i", "", " ", "@", "\\u202e", "]", "\\"", "fails",
         "p" * 5000]
""",
    "z.odd": "",
}


def test_odd_ids(project: Project) -> None:
    """Items of plugins have any name; without a terminal, which cannot print all of them."""
    events = kinds.run(project, ODD, "-p", "no:terminal", code=1)
    verdicts = kinds.verdicts(events)
    names = ["a\nb", "c\0d", "e\\udc80f", "g::h[i", "", " ", "@", "\u202e", "]", '"', "p" * 5000]
    assert verdicts == {"fails": ["failed"], **{name: ["passed"] for name in names}}
    assert [test["name"] for test in collecting.announced(events)][:3] == names[:3]


def test_5000_warnings(project: Project) -> None:
    text = """
import warnings, pytest
warnings.warn("collected")
@pytest.mark.parametrize("n", range(50))
def test_w(n):
    for i in range(100): warnings.warn(f"{n} {i}", RuntimeWarning)
"""
    events, outcome = kinds.run_and_show(project, {"test_w.py": text}, code=0)
    assert "5001 warnings" in outcome.stdout
    told = collecting.of_kind(events, "warning")
    assert (told[0]["stage"], told[0]["message"], told[0]["nodeid"]) == (
        *("collect", "collected"),
        "test_w.py" if told[0]["nodeid"] else None,
    )
    assert {(each["stage"], each["category"]) for each in told[1:]} == {
        ("runtest", "RuntimeWarning")
    }
    assert [(each["nodeid"], each["message"]) for each in told[1:]] == [
        (f"test_w.py::test_w[{n}]", f"{n} {i}") for n in range(50) for i in range(100)
    ]


SPEAKING = """
import logging, os, sys
import pytest
@pytest.fixture
def around(): print("setting up"); yield; print("tearing down", file=sys.stderr)
def test_s(around, record_property):
    print("out"); print("err", file=sys.stderr); logging.warning("log")
    record_property("k", [1])
    os.write(1, b"fd\\n")
"""

OUT = {"setup": ["out"], "call": ["err", "log", "out"], "teardown": ["err"]}
LOG = {"call": ["log"]}

#: Arguments, what is captured in which phase, and the output of the call.
CAPTURES: dict[str, tuple[tuple[str, ...], dict[str, list[str]], str | None]] = {
    "fd": (("--capture=fd",), OUT, "out\nfd\n"),
    "sys": (("--capture=sys",), OUT, "out\n"),
    "tee-sys": (("--capture=tee-sys",), OUT, "out\n"),
    "no": (("-s",), LOG, None),
    "no-plugin": (("-p", "no:capture"), LOG, None),
    "no-logging": (
        ("-p", "no:logging"),
        {"setup": ["out"], "call": ["err", "out"], "teardown": ["err"]},
        "out\nfd\n",
    ),
    "no-terminal": (("-p", "no:terminal"), OUT, "out\nfd\n"),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_captures(project: Project, name: str) -> None:
    args, captured, out = CAPTURES[name]
    events = kinds.run(project, {"test_s.py": SPEAKING}, *args, code=0)
    found: dict[str, dict[str, Any]] = {}
    for report in collecting.of_kind(events, "phase-finished"):
        sections = {each["capture"]: each["content"] for each in report["sections"]}
        assert len(sections) == len(report["sections"])
        if sections:
            found[report["phase"]] = sections
        if report["phase"] == "call":
            assert [(key, json.loads(value)) for key, value in report["properties"]] == [("k", [1])]
    assert {phase: sorted(sections) for phase, sections in found.items()} == captured
    assert found["call"].get("out") == out
    if "err" in captured["call"]:
        assert found["teardown"] == {"err": "tearing down\n"}
