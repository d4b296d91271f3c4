"""Names that would leave the results folder, collide in it or not be seen: none of them does."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from support.project import Project, read_results

#: Parameters, put between the brackets of a name as they are.
PARAMS = [
    *(
        "",
        " ",
        ".",
        "..",
        "...",
        "a.",
        "a ",
        " a",
        "../..",
        "/",
        "//",
        "/etc/passwd",
        "a/b",
        "a//b",
    ),
    *("a%2Fb", "a%2fb", "%", "%empty", "~0123456789abcdef", "x::y", "::", "::/abs", "x::../y"),
    *("\\", "C:\\x", "CON", "nul.txt", "a\0b", "a\nb", "a\tb", "\x1b[31mred", "\x7f", "\x85"),
    *("ünï☃", "e\u0301", "\u00e9", "\u202egnp.exe", "a\u200bb", "\ufeff", "😀", "\u2028"),
    *(
        "count",
        "0.pass",
        ".lock",
        "*",
        "?",
        '"',
        "'",
        "<>|",
        "$(id)",
        "`id`",
        "-rf",
        "A",
        "a",
        "[",
        "]",
    ),
    *("é" * 150, "L" * 300, "L" * 301, "/" * 300),
]

#: Whole names, as a plugin may give them.
NAMES = [
    *("", ".", "..", "../escape", "/abs/escape", "count", "COUNT", ".lock", "0.pass", "7.fail"),
    *(
        "CON",
        "com1",
        "lpt9.txt",
        "nul",
        "%empty",
        "~",
        ".hidden",
        "a.",
        "a ",
        " ",
        "   ",
        "L" * 300,
    ),
    *("a\nb", "a\0b", "\u202e", "%2E", "%2E%2E", "\\", "a/../b", "./a", "a/."),
]

PARAMETRISED = f"""
import pytest

@pytest.mark.parametrize("v", range({len(PARAMS)}))
def test_p(v):
    pass
"""

#: Gives every test a name of the list. Which names can be in a node id is pytest's business; that
#: one of them ends up in a path is ours.
CONFTEST = """
import json
from pathlib import Path

names = json.loads(Path(__file__).with_name("names.json").read_text())

def pytest_collection_modifyitems(items):
    for item, name in zip(items, names, strict=True):
        item.name = name
        item._nodeid = f"{item.path.name}::{name}"
"""


def rename(project: Project, names: list[str]) -> None:
    project.write("conftest.py", CONFTEST)
    project.write("names.json", json.dumps(names))
    text = PARAMETRISED.replace(str(len(PARAMS)), str(len(names)))
    project.write("test_p.py", text)


def check_contained(project: Project, before: set[str], count: int) -> list[Path]:
    """All that is new are results, one level of tests deep; returns the tests' folders."""
    top = project.folder / "deep" / "results"
    now = {path.name for path in project.folder.iterdir()}
    assert now - before <= {"deep", ".pytest_host", "received-0.jsonl", "__pycache__"}
    assert [path.name for path in (project.folder / "deep").iterdir()] == ["results"]
    tests = [path for path in top.iterdir() if not path.name.startswith(".")]
    assert len(tests) == count
    for test in tests:
        assert {path.name for path in test.iterdir()} == {".lock", "count", "0.pass"}
        assert (test / "count").read_text() == "1"
    return tests


def check_readable(name: str) -> None:
    """On every file system, and to people."""
    assert len(name.encode()) <= 200
    assert not name.startswith(".")
    assert not name.endswith((".", " "))
    hidden = [c for c in name if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")]
    assert hidden == [], name
    assert name.partition(".")[0].upper() not in ("CON", "NUL", "COM1", "LPT9")


@pytest.mark.parametrize(
    "names", [[f"test_p[{param}]" for param in PARAMS], NAMES], ids=["parameters", "whole-names"]
)
def test_names(project: Project, names: list[str]) -> None:
    rename(project, names)
    before = {path.name for path in project.folder.iterdir()}
    outcome, receiver = project.report(
        "-p", "no:cacheprovider", sets={"pubdir.dir": "deep/results"}
    )
    assert outcome.code == 0, outcome
    assert "set aside" not in outcome.stderr
    tests = check_contained(project, before, len(names))
    for test in tests:
        check_readable(test.name)
    # Each test's own, whatever its folder is called; and the same as was posted.
    written = Counter(str(result["nodeid"]) for result in read_results(project.folder / "deep"))
    assert written == Counter(result["nodeid"] for result in receiver.results())
    assert set(written.values()) == {1}
    assert len(written) == len(names)


@pytest.mark.difference("publish-18")
def test_the_captured_hostile_names(project: Project) -> None:
    """sample/hostile: out of the folder, to an absolute path, and 300 characters."""
    project.copy("hostile")
    absolute = Path("/tmp/peers-abs-escape]")
    there = absolute.exists()
    outcome, receiver = project.report("hostile", sets={"pubdir.dir": "a/b/c/results"})
    assert outcome.code == 1, outcome
    assert absolute.exists() is there
    found = sorted(path.name for path in (project.folder / "a/b/c/results").iterdir())
    tests = [name for name in found if not name.startswith(".")]
    assert len(tests) == 3
    assert tests[0] == "test_absolute[x::%2Ftmp%2Fpeers-abs-escape]"
    names = {result["name"] for result in receiver.results()}
    if f"test_long[{'L' * 300}]" in names:
        assert tests[1].startswith("test_long[LLLL")
        assert len(tests[1]) == 200, "only the folder is cut"
    else:
        assert tests[1] == "test_long[v0]", "newer pytests make no ids of such values"
    assert tests[2] == "test_traverse[..%2F..%2F..%2Fescape-rel]"
    assert [path.name for path in (project.folder / "a/b/c").iterdir()] == ["results"]


def test_a_scope_is_contained_too(project: Project) -> None:
    """A group's name is a folder as well."""
    groups = ["../../out", "/abs", "", ".", "a/../../b", "x\ny", "G" * 300]
    project.write(
        "test_g.py",
        "import pytest\n"
        + "".join(
            f"@pytest.mark.xdist_group({group!r})\ndef test_{n}(): pass\n"
            for n, group in enumerate(groups)
        ),
    )
    before = {path.name for path in project.folder.iterdir()}
    outcome, _ = project.report(
        *("-p", "no:cacheprovider", "-n1", "--dist=loadgroup"), sets={"pubdir.dir": "deep/results"}
    )
    assert outcome.code == 0, outcome
    now = {path.name for path in project.folder.iterdir()}
    assert now - before <= {"deep", ".pytest_host", "received-0.jsonl"}
    assert [path.name for path in (project.folder / "deep").iterdir()] == ["results"]
    results = read_results(project.folder / "deep" / "results")
    assert {result["name"] for result in results} == {f"test_{n}" for n in range(len(groups))}


@pytest.mark.difference("publish-22")
def test_two_runs_at_once_into_one_folder(project: Project) -> None:
    """Every result has an index of its own, none is lost, and none is half there."""
    project.write(
        "test_n.py",
        "import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_n(n): print(n)\n"
        "def test_same(): pass\n",
    )
    copies = [project.folder / "test_n.py"]
    for number in range(5):
        copies.append(project.folder / f"test_n{number}.py")
        copies[-1].write_text(copies[0].read_text())
    runs = [project.start("pytest", "-q", "--pubdir", "results") for _ in range(2)]
    outcomes = [run.finish() for run in runs]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    project.wait_for_cores()
    folders = list((project.folder / "results").glob("test_*"))
    assert len(folders) == 31
    for folder in folders:
        indexes = sorted(int(path.stem) for path in folder.glob("*.pass"))
        assert indexes == list(range(12)), folder
        assert {path.name for path in folder.iterdir()} == {
            *(".lock", "count"),
            *(f"{index}.pass" for index in indexes),
        }
        for index in indexes:
            files = {path.name for path in (folder / f"{index}.pass").iterdir()}
            assert files >= {"brief.txt", "result.json"}
    assert len(read_results(project.folder / "results")) == 31 * 12


@pytest.mark.difference("publish-19")
def test_a_result_folder_appears_whole(project: Project) -> None:
    """Seen from outside while it happens: never a result folder without its result.json."""
    project.write(
        "test_n.py",
        "import pytest\n@pytest.mark.parametrize('n', range(200))\n"
        "def test_n(n): print('x' * 5000)\n",
    )
    running = project.start("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results")
    seen = 0
    while running.is_running():
        for folder in (project.folder / "results").glob("test_n*/*.pass"):
            assert {path.name for path in folder.iterdir()} == {
                *("brief.txt", "result.json", "stdout.txt"),
            }
            seen += 1
    assert running.finish().code == 0
    assert seen > 0


def test_indexes_go_on_in_the_next_run(project: Project) -> None:
    project.write("test_a.py", "def test_a(): pass\n")
    for _ in range(3):
        assert project.run("host", "run", "--sinks=pubdir", "--set=pubdir.dir=results").code == 0
    test = project.folder / "results" / "test_a"
    assert sorted(path.name for path in test.iterdir()) == [
        *(".lock", "0.pass", "1.pass", "2.pass", "count"),
    ]
    assert (test / "count").read_text() == "3"
