"""Tests with a secret in every place that a text can come from, each with one of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from support.project import Project


def secret(place: str) -> str:
    """Looks like a token of GitHub's, and names where it was planted."""
    return f"ghp_{place}0A1b2C3d4E5f6G7h8"


def mark(place: str) -> str:
    """What is looked for: the beginning, as some are cut."""
    return f"ghp_{place}0A1b2"


_HEAD = """
import logging, os, warnings
import pytest

def secret(place):
    return f"ghp_{place}0A1b2C3d4E5f6G7h8"
"""

_SUITE = f'''{_HEAD}
@pytest.fixture
def noisy():
    print(secret("setup"))
    yield
    print(secret("teardown"))
    raise RuntimeError(secret("teardownerror"))

def test_output(noisy):
    print(secret("stdout"))
    import sys
    print(secret("stderr"), file=sys.stderr)
    logging.getLogger().warning(secret("log"))

def test_cut():
    print("." * 1004 + secret("cut"))

@pytest.mark.parametrize("value", [secret("param"), secret("otherparam")])
def test_param(value): pass

def test_{secret("function")}(): pass

class Test{secret("class")}:
    def test_in_class(self): pass

def test_doc():
    "{secret("doc")}"

@pytest.mark.{secret("keyword")}
@pytest.mark.xdist_group(secret("group"))
def test_marked(): pass

def test_message():
    raise ValueError(secret("message"))

def test_source():
    assert "{secret("source")}" == 1

def test_locals():
    local = secret("local")
    assert 0

def test_kind():
    raise type(secret("kind"), (Exception,), {{}})

@pytest.mark.skip(secret("skip"))
def test_skip(): pass

@pytest.mark.xfail(reason=secret("xfail"))
def test_xfail(): assert 0

def test_properties(record_property):
    record_property(secret("propertyname"), 1)
    record_property("a", [{{"b": secret("propertyvalue"), secret("propertykey"): 1}}])
    class Odd:
        __repr__ = lambda self: secret("propertyrepr")
    if "PYTEST_XDIST_WORKER" not in os.environ:  # it has to serialise them
        record_property("c", Odd())

# Of the module, for xdist to find it in another process.
globals()[secret("category")] = type(secret("category"), (UserWarning,), {{}})

def test_warning():
    warnings.warn(secret("warning"))
    warnings.warn("x", globals()[secret("category")])

def test_subtest(subtests):
    with subtests.test(msg=secret("subtest"), value=secret("subtestvalue")):
        assert 0

def test_sections(request):
    request.node.add_report_section("call", secret("sectiontitle"), secret("sectiontext"))

def test_rerun(request, tmp_path_factory):
    raise ValueError(secret("rerun"))

def test_deselected_{secret("deselected")}(): pass
'''

_CONFTEST = f"""{_HEAD}
def pytest_configure(config):
    # Or pytest tells of it itself, on standard error.
    config.addinivalue_line("markers", "{secret("keyword")}")

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if item.name == "test_sections" and call.when == "call":
        report = outcome.get_result()
        report.sections.append((secret("plugintitle"), secret("plugintext")))
"""

#: Files of a project.
FILES: Mapping[str, str] = {
    "conftest.py": _CONFTEST,
    "test_plants.py": _SUITE,
    f"test_{secret('file')}.py": "def test_it(): pass\n",
    f"{secret('folder')}/test_below.py": "def test_it(): pass\n",
    "test_broken.py": f"{_HEAD}\nraise RuntimeError(secret('collect'))\n",
    f"test_{secret('brokenfile')}.py": "raise RuntimeError\n",
    "test_skipped.py": f"{_HEAD}\npytest.skip(secret('collectskip'), allow_module_level=True)\n",
}

ARGS = (
    *("--continue-on-collection-errors", "--showlocals", "--reruns=1", "--only-rerun=rerun0A1b2"),
    *("-k", f"not deselected and not {secret('argument')}"),
)

#: Where the suite has one.
PLACES = frozenset(re.findall(r"secret\(['\"](\w+)['\"]\)", _SUITE + _CONFTEST)) | {
    *("function", "class", "doc", "keyword", "source", "deselected"),
    *("file", "folder", "collect", "brokenfile", "collectskip", "argument"),
}

#: Only xdist's workers are asked for a group.
WITHOUT_XDIST = PLACES - {"group"}
WITH_XDIST = PLACES - {"propertyrepr"}


def plant(project: Project, files: Mapping[str, str] = FILES) -> None:
    for name, text in files.items():
        project.write(name, text)


def leaks(places: Iterable[str], *tops: Path, said: Iterable[str] = ()) -> dict[str, list[str]]:
    """Where secrets are found in the names and the contents of files, and in what was said."""
    found: dict[str, list[str]] = {}
    files = [path for top in tops for path in (top, *top.rglob("*"))]
    contents = {str(path): path.read_bytes() for path in files if path.is_file()}
    contents |= {json.dumps(str(path)): bytes(path) for path in files}
    contents |= {f"said {number}": text.encode() for number, text in enumerate(said)}
    for place in places:
        wanted = mark(place).encode()
        where = [name for name, content in contents.items() if wanted in content]
        if where:
            found[place] = where
    return found
