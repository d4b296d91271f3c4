"""Every kind of run and of test, through to both sinks: as `--junitxml` of the same run has it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from support import junit
from support.processes import Outcome
from support.project import Project, read_results
from support.receiving import Receiver

MIXED = """
import logging, sys, unittest
import pytest

def test_passed(): print("out"); print("err", file=sys.stderr); logging.warning("log")
def test_failed(): assert 1 == 2
def test_skipped(): pytest.skip("why")
@pytest.mark.skip
def test_skip_mark(): pass
@pytest.mark.skipif(True, reason="so")
def test_skipif(): pass
@pytest.mark.xfail
def test_xfail(): assert 0
@pytest.mark.xfail(run=False, reason="never")
def test_xfail_not_run(): assert 0
@pytest.mark.xfail(raises=KeyError)
def test_xfail_other_error(): raise ValueError
def test_xfail_in_body(): pytest.xfail("imperative")
@pytest.mark.xfail
def test_xpass(): pass
@pytest.mark.xfail(strict=True)
def test_xpass_strict(): pass

@pytest.fixture
def broken(): raise RuntimeError("setup")
@pytest.fixture
def leaves(): yield; raise RuntimeError("teardown")
@pytest.fixture
def skips(): pytest.skip("in setup")
def test_setup_error(broken): pass
def test_setup_skip(skips): pass
def test_teardown_error(leaves): pass
def test_failed_and_teardown_error(leaves): assert 0
def test_skipped_and_teardown_error(leaves): pytest.skip()
@pytest.mark.xfail
def test_xfail_setup_error(broken): pass

@pytest.mark.parametrize("a", [1, "x::y", "p/q", "[", "\\x1b", "\\x00", "", None, "é☃😀", "\\\\"])
@pytest.mark.parametrize("b", [True, 0.5])
def test_params(a, b): assert a != 1 or b is True

class TestClass:
    def setup_method(self): self.value = 1
    def test_method(self): assert self.value == 1
    def test_method_fails(self): assert self.value == 2
    class TestInner:
        def test_inner(self): pass

class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls): print("class")
    def test_unit(self): self.assertTrue(True)
    def test_unit_fails(self): self.assertEqual(1, 2)
    def test_unit_error(self): raise KeyError
    def test_unit_skips(self): self.skipTest("why")
    @unittest.skip("marked")
    def test_unit_skip_mark(self): pass
    @unittest.expectedFailure
    def test_unit_expected_failure(self): self.fail()
    @unittest.expectedFailure
    def test_unit_unexpected_success(self): pass

class BrokenCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("class setup")
    def test_one(self): pass
    def test_two(self): pass

class Strange(Exception):
    def __str__(self): raise RuntimeError("no text")
def test_strange_error(): raise Strange
def test_base_exception_in_assert(): raise SystemExit(3)
async def test_async(): pass
def test_cause():
    try: {}["k"]
    except KeyError as error: raise ValueError("outer") from error
"""

#: By itself, since xdist's workers do not survive it.
SURROGATE = 'def test_lone_surrogate(): print("a\\udc80b"); assert "\\udc80" == ""\n'

OK = "def test_ok(): pass\n"
SLOPES = """
import pytest
@pytest.mark.parametrize("n", range(20))
def test_n(n): assert n % 5
"""


@dataclass(frozen=True)
class Kind:
    """A kind of run."""

    name: str
    files: dict[str, str]
    code: int
    args: tuple[str, ...] = ()
    #: How many tests have a result, in all.
    tests: int | None = None
    #: Results of tests of which junitxml tells something else.
    instead: dict[str, list[str]] = field(default_factory=dict)


KINDS = [
    Kind("mixed", {"test_mixed.py": MIXED}, 1),
    Kind("mixed-in-classes-and-folders", {"a/b/test_mixed.py": MIXED, "test_mixed_2.py": MIXED}, 1),
    Kind("xdist", {"test_mixed.py": MIXED, "test_n.py": SLOPES}, 1, ("-n2",)),
    Kind("xdist-loadfile", {"test_n.py": SLOPES}, 1, ("-n2", "--dist=loadfile"), 20),
    Kind("lone-surrogate", {"test_s.py": SURROGATE}, 1, (), 1),
    Kind("exitfirst", {"test_n.py": SLOPES}, 1, ("-x",), 1),
    Kind("maxfail", {"test_n.py": SLOPES}, 1, ("--maxfail=2",), 6),
    Kind("collect-only", {"test_n.py": SLOPES}, 0, ("--collect-only",), 0),
    Kind("nothing-selected", {"test_n.py": SLOPES}, 5, ("-k", "nosuch"), 0),
    Kind("deselected", {"test_n.py": SLOPES}, 1, ("-k", "1"), 11),
    Kind("no-tests", {"test_none.py": ""}, 5, (), 0),
    Kind("collection-error", {"test_a.py": OK, "test_b.py": "import nosuch\n"}, 2, (), 0),
    Kind(
        "collection-error-continued",
        {"test_a.py": OK, "test_b.py": "import nosuch\n", "test_c.py": "assert 0\n"},
        1,
        ("--continue-on-collection-errors",),
        1,
    ),
    Kind("syntax-error", {"test_a.py": OK, "test_b.py": "def (\n"}, 2, (), 0),
    Kind(
        "module-skipped",
        {
            "test_a.py": OK,
            "test_b.py": "import pytest\npytest.skip('all', allow_module_level=True)\n",
            "test_c.py": "import pytest\npytest.importorskip('nosuch')\n",
        },
        0,
    ),
    Kind(
        "exit-in-test",
        {
            "test_a.py": OK + "import pytest\ndef test_out(): pytest.exit('now', 7)\n"
            "def test_never(): pass\n"
        },
        7,
        ("-v",),
        1,
    ),
    Kind(
        "exit-in-fixture",
        {
            "test_a.py": "import pytest\n@pytest.fixture\ndef out(): pytest.exit('now', 8)\n"
            "def test_ok(): pass\ndef test_out(out): pass\ndef test_never(): pass\n"
        },
        8,
        (),
        1,
    ),
    Kind(
        "exit-at-start",
        {"conftest.py": "import pytest\ndef pytest_configure(): pytest.exit('no', 9)\n"},
        9,
        (),
        0,
    ),
    Kind(
        "internal-error",
        {
            "conftest.py": "def pytest_runtest_logreport(report):\n"
            "    if report.when == 'call' and 'bad' in report.nodeid: raise RuntimeError('hook')\n",
            "test_a.py": "def test_a(): pass\ndef test_bad(): pass\ndef test_c(): pass\n",
        },
        3,
        # The hook that fails is called before ours.
        instead={"test_a.py::test_bad": []},
    ),
    Kind(
        "interrupted",
        {
            "test_a.py": "def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\n"
            "def test_c(): pass\n"
        },
        2,
        (),
        1,
    ),
    Kind(
        "rerun",
        {"test_f.py": "N = []\ndef test_f(): N.append(0); assert len(N) > 2\n"},
        0,
        ("--reruns=3",),
        1,
        {"test_f.py::test_f": ["fail", "fail", "pass"]},
    ),
    Kind("no-capture", {"test_mixed.py": MIXED}, 1, ("-s",)),
    Kind("no-junit-of-ours", {"test_mixed.py": MIXED}, 1, ("-p", "no:logging", "--tb=no")),
    Kind(
        "doctests",
        {"mod.py": '"""\n>>> 1 + 1\n2\n"""\ndef f():\n    """\n    >>> 1\n    2\n    """\n'},
        1,
        ("--doctest-modules",),
        2,
    ),
    Kind(
        "warnings-as-errors", {"test_mixed.py": MIXED}, 1, ("-W", "error", "-p", "no:cacheprovider")
    ),
    Kind("setup-show", {"test_n.py": SLOPES}, 1, ("--setup-show", "--durations=3"), 20),
    Kind("stepwise", {"test_n.py": SLOPES}, 2, ("--stepwise",), 1),
    Kind("deselect", {"test_n.py": SLOPES}, 1, ("--deselect=test_n.py::test_n[0]",), 19),
    Kind("debugger", {"test_n.py": SLOPES}, 2, ("--pdb",), 1),
    Kind("import-mode", {"test_n.py": SLOPES}, 1, ("--import-mode=importlib",), 20),
    Kind(
        "id-given-twice",
        {"test_n.py": SLOPES},
        0,
        ("test_n.py::test_n[1]", "test_n.py::test_n[1]", "--keep-duplicates"),
        1,
    ),
]


def delivered(project: Project, receiver: Receiver) -> tuple[junit.Results, junit.Results]:
    posted = junit.of_results(receiver.results())
    return posted, junit.of_results(read_results(project.folder / "results"))


def check_summary(outcome: Outcome) -> None:
    """Both sinks have all of it."""
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("host: ")]
    assert [line.split()[1] for line in lines] == ["publish", "pubdir"], outcome
    assert all(line.endswith(" events delivered") for line in lines), outcome


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kind(project: Project, kind: Kind) -> None:
    for name, text in kind.files.items():
        project.write(name, text)
    plain = project.run("pytest", *kind.args)
    outcome, receiver = project.report("--junitxml=j.xml", *kind.args)
    assert outcome.code == plain.code == kind.code, outcome
    check_ending(outcome, plain)
    report = project.folder / "j.xml"
    expected = junit.read(report) if report.exists() else {}
    for nodeid, results in kind.instead.items():
        expected.pop(junit.key(nodeid))
        if results:
            expected[junit.key(nodeid)] = Counter(results)
    drop_unreported(expected, kind)
    posted, written = delivered(project, receiver)
    assert posted == expected
    assert written == expected
    if kind.tests is not None:
        assert len(posted) == kind.tests


@pytest.mark.parametrize(("option", "tests"), [("--lf", [0, 5, 10, 15]), ("--ff", None)])
def test_after_a_run(project: Project, option: str, tests: list[int] | None) -> None:
    """pytest picks, or orders, tests by what the run before has left."""
    project.write("test_n.py", SLOPES)
    assert project.run("pytest").code == 1
    outcome, receiver = project.report(option)
    assert outcome.code == 1, outcome
    order = [0, 5, 10, 15, *(n for n in range(20) if n % 5)]
    results = sorted(receiver.results(), key=lambda result: float(result["start_time"]))
    names = [result["name"] for result in results]
    assert names == [f"test_n[{n}]" for n in tests or order]


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["alone", "xdist"])
def test_every_warning_is_an_error(project: Project, args: tuple[str, ...]) -> None:
    """Python's own, too: of files and sockets left open, and of child processes."""
    project.write("test_a.py", OK + "def test_fails(): assert 0\n")
    options = ("-X", "dev", "-W", "error", "-m", "pytest", "--pubdir=results")
    outcome = project.run("python", *options, *args, PYTHONWARNINGS="error")
    assert outcome.code == 1, outcome
    assert "1 failed, 1 passed in" in outcome.stdout, outcome
    assert "Warning" not in outcome.stdout + outcome.stderr, outcome
    written = {
        result["name"]: result["result"] for result in read_results(project.folder / "results")
    }
    assert written == {"test_ok": "pass", "test_fails": "fail"}


def check_ending(outcome: Outcome, plain: Outcome) -> None:
    """pytest said the same, but for its times."""
    ours, theirs = (text.stdout.splitlines()[-1:] for text in (outcome, plain))
    assert [line.partition(" in ")[0] for line in ours] == [
        line.partition(" in ")[0] for line in theirs
    ]


def drop_unreported(expected: junit.Results, kind: Kind) -> None:
    """Files that were skipped whole are test cases to junitxml; they are no tests."""
    if kind.name == "module-skipped":
        for name in ("test_b", "test_c"):
            assert expected.pop(("", name)) == Counter(["skip"])


def test_what_a_result_says(project: Project) -> None:
    """Spot checks of what junitxml has no place for."""
    project.write("test_mixed.py", MIXED + SURROGATE)
    outcome, receiver = project.report()
    check_summary(outcome)
    results = {result["name"]: result for result in receiver.results()}
    passed = results["test_passed"]
    assert (passed["stdout"], passed["stderr"]) == ("out\n", "err\n")
    assert passed["log"].startswith("WARNING  root:test_mixed.py:")
    assert results["test_failed"]["excinfo"]["value"] == "assert 1 == 2"
    assert results["test_setup_skip"]["excinfo"]["value"] == "in setup"
    assert results["test_cause"]["excinfo"]["type"] == "ValueError"
    assert results["test_strange_error"]["excinfo"]["type"] == "Strange"
    # pytest's own capture writes the question mark.
    assert results["test_lone_surrogate"]["stdout"] == "a?b\n"
    assert results["test_xfail_in_body"]["result"] == "skip"
    assert results["test_base_exception_in_assert"]["excinfo"]["type"] == "SystemExit"
