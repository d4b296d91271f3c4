"""The captures of the published plugin: equal to ours, but for docs/compatibility.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import kinds, published
from support.differences import as_ours, unreported, whole_name
from support.golden import KEYS, SUITE, Record, by_test, mask, mask_tree, posts, tree
from support.processes import Outcome
from support.project import MakeProject, Project, read_tree
from support.receiving import Receiver

FILTERS = ("all", "bad", "fail")


def name(record: Record) -> str:
    return str(record["name"])


def escaped(record: Record) -> str:
    return name(record).replace("/", "%2F")


def scoped(record: Record) -> str:
    """The folder of a test under loadgroup."""
    return f"{record['xdist_scope']}/{record['name']}"


def start_time(record: Record) -> float:
    return float(record["start_time"])


def masked(capture: str) -> list[Record]:
    return [mask(record, SUITE) for record in posts(capture)]


@dataclass
class Run:
    """One run of ours that stands beside a capture."""

    project: Project
    outcome: Outcome
    receiver: Receiver

    @property
    def results(self) -> list[Record]:
        return [mask(result, self.project.folder) for result in self.receiver.results()]

    def tree(self, folder: str) -> dict[str, object]:
        return mask_tree(read_tree(self.project.folder / folder), self.project.folder)


@pytest.mark.parametrize(
    ("capture", "records", "keep", "folder"),
    [
        *(("main.pubdir-" + keep, "main", keep, name) for keep in FILTERS),
        ("xdist-loadgroup.pubdir", "xdist-loadgroup", "all", scoped),
    ],
)
def test_the_expected_trees_are_built_as_the_captured_ones(
    capture: str, records: str, keep: str, folder: Callable[[Record], str]
) -> None:
    """Of no program of ours: it holds what the other tests here expect to the captures."""
    built = published.tree(masked(records), keep, folder)
    assert built == mask_tree(tree(capture), SUITE)


# --- sample/main -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def main(make_project: MakeProject, python: str) -> Run:
    """sample/main, with one tree for each filter."""
    project = make_project(python)
    project.copy("main")
    receiver = project.receiver()
    names = ["publish", "pubdir"]
    text = f'[sink.publish]\nurl = "{receiver.url}?x=1"\n[sink.pubdir]\ndir = "results"\n'
    project.configure(f"sinks = {json.dumps(names)}\n{text}")
    return Run(project, project.run("host", "run", "--", "main"), receiver)


@pytest.fixture(scope="module")
def expected() -> list[Record]:
    """The captured results in our words, and the three that were not sent, each in its place."""
    records = as_ours(masked("main"))
    at = [record["nodeid"] for record in records].index("main/test_basic.py::test_skip_in_body")
    return [*records[:at], *unreported(), *records[at:]]


def test_main_ends_as_pytest_ended(main: Run) -> None:
    assert main.outcome.code == 1, main.outcome
    assert "5 failed, 16 passed, 3 skipped, 1 xfailed, 1 xpassed" in main.outcome.stdout


def test_main_sends_the_same_messages(main: Run, expected: list[Record]) -> None:
    assert by_test(main.results) == by_test(expected)


def test_main_writes_the_same_tree(main: Run, expected: list[Record]) -> None:
    # test_pass is in two files, and pytest before 8.0 went through them the other way round.
    order = [each["nodeid"] for each in sorted(main.receiver.results(), key=start_time)]
    records = sorted(expected, key=lambda record: order.index(record["nodeid"]))
    assert main.tree("results") == published.tree(records, "all", escaped)


@pytest.mark.parametrize("keep", ["bad", "fail"])
def test_main_writes_the_same_tree_filtered(
    make_project: MakeProject, python: str, expected: list[Record], keep: str
) -> None:
    project = make_project(python)
    project.copy("main")
    outcome = project.run("pytest", "main", "--pubdir", "results", "--pubdir-filter", keep)
    assert outcome.code == 1, outcome
    ours = mask_tree(read_tree(project.folder / "results"), project.folder)
    assert ours == published.tree(expected, keep, escaped)


def test_a_message_is_the_same_json_to_the_byte(main: Run) -> None:
    """Separators, order of keys, escapes: as `json.dumps` writes them."""
    for request in main.receiver.requests():
        assert list(request.json) == KEYS
        assert request.body == json.dumps(request.json)


def test_a_request_is_a_post_of_json_to_the_url_as_it_was_given(main: Run) -> None:
    for request in main.receiver.requests():
        assert (request.method, request.path) == ("POST", "/test-update?x=1")
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == f"127.0.0.1:{main.receiver.port}"
        assert request.headers["content-length"] == str(len(request.body))


def test_result_json_is_the_same_object_indented(main: Run) -> None:
    """Equal to what was posted, times included, and written as `json.dumps(…, indent=4)` does."""
    posted = {json.dumps(result) for result in main.receiver.results()}
    pages = read_tree(main.project.folder / "results")
    texts = [text for path, text in pages.items() if path.endswith("/result.json")]
    assert {json.dumps(json.loads(text)) for text in texts} == posted
    assert len(texts) == len(posted)
    for text in texts:
        assert text == json.dumps(json.loads(text), indent=4)


def test_times_are_those_of_the_test(main: Run) -> None:
    for result in main.receiver.results():
        assert 0 <= result["stop_time"] - result["start_time"] < 60
        assert abs(result["stop_time"] - result["start_time"] - result["duration"]) < 1


def one(run: Run, test: str) -> Record:
    """The result of a test that has one."""
    (record,) = by_test(run.receiver.results())[test]
    return record


@pytest.mark.difference("publish-1")
def test_a_setup_error_is_reported(main: Run) -> None:
    record = one(main, "main/test_basic.py::test_fail_setup")
    assert record["result"] == "fail"
    assert record["excinfo"]["value"] == "setup boom"
    assert record["stdout"] == "out-in-setup\n"


@pytest.mark.difference("publish-2")
def test_a_skip_mark_is_reported(main: Run) -> None:
    record = one(main, "main/test_basic.py::test_skip_marker")
    assert record["result"] == "skip"
    assert record["excinfo"] == {"type": "Skipped", "value": "marker skip", "traceback": []}


@pytest.mark.difference("publish-3")
def test_a_teardown_error_is_a_second_result(main: Run) -> None:
    first, second = by_test(main.receiver.results())["main/test_basic.py::test_fail_teardown"]
    assert (first["result"], first["excinfo"]) == ("pass", None)
    assert (second["result"], second["excinfo"]["value"]) == ("fail", "teardown boom")
    tree = read_tree(main.project.folder / "results" / "test_fail_teardown")
    assert {"0.pass/brief.txt", "1.fail/brief.txt"} <= tree.keys()
    assert tree["count"] == "2"


@pytest.mark.difference("publish-4")
def test_an_expected_failure_is_a_skip(main: Run) -> None:
    record = one(main, "main/test_basic.py::test_xfail")
    assert record["result"] == "skip"
    assert record["excinfo"]["type"] == "AssertionError"
    assert record["excinfo"]["value"].startswith("expected\n")


@pytest.mark.difference("publish-4")
def test_an_expected_failure_that_is_not_run_is_a_skip(
    make_project: MakeProject, python: str
) -> None:
    """The capture xfail-norun has no message."""
    project = make_project(python)
    project.write(
        "test_w.py",
        'import pytest\n@pytest.mark.xfail(run=False, reason="norun")\ndef test_norun(): pass\n'
        "def test_other(): pass\n",
    )
    outcome, receiver = project.report("-k", "norun", sinks="publish", sets={})
    assert outcome.code == 0, outcome
    (record,) = receiver.results()
    assert (record["name"], record["result"]) == ("test_norun", "skip")
    assert record["excinfo"]["type"] == "XFailed"


@pytest.mark.difference("publish-5")
def test_a_strict_xfail_that_passes_is_a_failure(main: Run) -> None:
    record = one(main, "main/test_basic.py::test_xpass_strict")
    assert record["result"] == "fail"
    assert record["excinfo"]["value"] == "[XPASS(strict)] strict one"
    assert one(main, "main/test_basic.py::test_xpass")["result"] == "pass"


@pytest.mark.difference("publish-6")
def test_a_name_is_whole(main: Run) -> None:
    record = one(main, "main/test_params.py::test_odd[a::b]")
    assert record["name"] == "test_odd[a::b]"
    assert (main.project.folder / "results" / "test_odd[a::b]" / "0.pass").is_dir()
    assert not (main.project.folder / "results" / "b]").exists()
    for result in main.receiver.results():
        assert result["name"] == whole_name(result["nodeid"])


@pytest.mark.difference("publish-7")
def test_pubdir_path_is_null(main: Run) -> None:
    assert {result["pubdir_path"] for result in main.receiver.results()} == {None}


@pytest.mark.difference("publish-8")
def test_tracebacks_have_no_frames_of_pytest(main: Run) -> None:
    """And at least one of the suite's wherever something was raised in it."""
    for result in main.receiver.results():
        frames = (result["excinfo"] or {}).get("traceback", [])
        assert all(f'File "{main.project.folder}/' in frame for frame in frames), frames
    assert one(main, "main/test_basic.py::test_fail_call")["excinfo"]["traceback"]


@pytest.mark.difference("publish-9")
def test_a_slash_in_a_name_makes_no_folder(main: Run) -> None:
    results = main.project.folder / "results"
    assert (results / "test_odd[a%2Fb]" / "0.fail" / "result.json").is_file()
    assert not (results / "test_odd[a").exists()


@pytest.mark.difference("publish-10")
def test_all_results_are_written_unless_asked_otherwise(main: Run) -> None:
    outcomes = {path.suffix for path in (main.project.folder / "results").glob("*/*.*")}
    assert outcomes >= {".pass", ".skip", ".fail"}


@pytest.mark.difference("publish-11")
def test_connections_are_kept_and_requests_say_who_sends_them(main: Run) -> None:
    requests = main.receiver.requests()
    assert len({request.connection for request in requests}) < len(requests)
    assert {request.headers["user-agent"].partition("/")[0] for request in requests} == {
        "pytest-host"
    }
    assert not {"accept-encoding", "connection"} & requests[0].headers.keys()


@pytest.mark.difference("publish-12")
def test_every_result_has_a_key_of_its_own(main: Run) -> None:
    keys = [request.key for request in main.receiver.requests()]
    assert len(set(keys)) == len(main.receiver.results())
    (session,) = {key.rpartition("-")[0] for key in keys}
    assert (main.project.folder / ".pytest_host" / "runs" / session).is_dir()


# --- the other captures ------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A capture, and how ours is made."""

    capture: str
    suite: str
    args: tuple[str, ...]
    code: int
    behaviour: tuple[str, ...] = ()
    #: pytest-repeat is among those that other tests are spared.
    plugins: bool = False


CASES = [
    Case("slow1s", "groups", ("groups",), 1, ("--delay", "1")),
    Case("broken", "broken", ("broken", "--continue-on-collection-errors"), 1),
    Case("exit", "usage", ("usage/test_exit.py",), 9),
    Case("sigint", "sigint", ("sigint",), 2),
    Case("rerun", "flaky", ("flaky", "--reruns", "2"), 0),
    Case("repeat", "flaky", ("flaky", "-k", "stable", "--count", "2"), 0, plugins=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.capture)
def test_the_same_messages(make_project: MakeProject, python: str, case: Case) -> None:
    project = make_project(python)
    project.copy(case.suite)
    if case.plugins:
        project.environ.update(kinds.plugins(project))
    receiver = project.receiver(*case.behaviour)
    outcome = project.run(
        *("host", "run", "--sinks", "publish", "--set", f"publish.url={receiver.url}"),
        *("--", *case.args),
    )
    assert outcome.code == case.code, outcome
    run = Run(project, outcome, receiver)
    ours = [without_folder(record, case.suite) for record in run.results]
    captured = [without_folder(record, case.suite) for record in as_ours(masked(case.capture))]
    assert by_test(ours) == by_test(captured)


def without_folder(record: Record, suite: str) -> Record:
    """Some captures were made inside the suite's folder."""
    text = json.dumps(record).replace(f"{SUITE}/{suite}/", f"{SUITE}/")
    text = text.replace(f'"{suite}/', '"')
    stripped: Record = json.loads(text)
    return stripped


def test_http500_sends_every_test_and_keeps_the_rest(
    make_project: MakeProject, python: str, expected: list[Record]
) -> None:
    """Nothing is taken, so of a test with two results the second waits for the first."""
    project = make_project(python)
    project.copy("main")
    receiver = project.receiver("--status", "500")
    outcome = project.run(
        *("host", "run", "--sinks", "publish", "--drain-timeout", "3s"),
        *("--set", f"publish.url={receiver.url}", "--", "main"),
    )
    assert outcome.code == 1, outcome
    first = {test: records[:1] for test, records in by_test(expected).items()}
    assert by_test(Run(project, outcome, receiver).results) == first
    assert " left (" in outcome.stderr
    assert "500" in outcome.stderr
    assert outcome.stderr.endswith("what is left is kept, and goes out with: host drain\n")


def test_capture_no(make_project: MakeProject, python: str) -> None:
    """With -s nothing is captured, and nothing is reported as captured."""
    project = make_project(python)
    project.copy("main")
    outcome, receiver = project.report("main", "-s", sinks="publish", sets={})
    assert outcome.code == 1, outcome
    quiet = [{**record, "stdout": "", "stderr": ""} for record in unreported()]
    wanted = by_test([*as_ours(masked("capture-no")), *quiet])
    assert by_test(Run(project, outcome, receiver).results) == wanted


def test_xdist(make_project: MakeProject, python: str) -> None:
    """Which worker ran what is chance; that one did, and said so, is not."""
    project = make_project(python)
    project.copy("main")
    outcome, receiver = project.report("main", "-n2")
    assert outcome.code == 1, outcome

    def any_worker(record: Record) -> Record:
        assert record["xdist_worker"] in ("gw0", "gw1")
        return {**record, "xdist_worker": "gw"}

    ours = by_test(map(any_worker, Run(project, outcome, receiver).results))
    xdist = {"xdist_dist": "load", "xdist_worker": "gw"}
    wanted = [*map(any_worker, as_ours(masked("xdist-n2"))), *unreported(xdist)]
    assert ours == by_test(wanted)
    # test_pass is in two files, and two workers may take turns with its index.
    folders = {path.parent.name for path in (project.folder / "results" / "test_pass").glob("*/*")}
    assert folders == {"0.pass", "1.pass"}


@pytest.fixture(scope="module")
def grouped(make_project: MakeProject, python: str) -> Run:
    project = make_project(python)
    project.copy("groups")
    outcome, receiver = project.report("groups", "-n2", "--dist", "loadgroup")
    assert outcome.code == 1, outcome
    return Run(project, outcome, receiver)


def any_worker(records: list[Record]) -> list[Record]:
    return [{**record, "xdist_worker": "gw"} for record in records]


@pytest.mark.difference("publish-24")
def test_loadgroup(grouped: Run) -> None:
    ours = by_test(any_worker(grouped.results))
    assert ours == by_test(any_worker(as_ours(masked("xdist-loadgroup"))))


def test_loadgroup_tree(grouped: Run) -> None:
    """Of each test one result, so that the order of arrival does not show."""
    wanted = published.tree(as_ours(masked("xdist-loadgroup")), "all", scoped)
    worker = "xdist-node: gw"

    def one_worker(pages: dict[str, object]) -> dict[str, object]:
        text = json.dumps(pages).replace(f"{worker}0", worker).replace(f"{worker}1", worker)
        text = text.replace('"gw0"', '"gw"').replace('"gw1"', '"gw"')
        masked: dict[str, object] = json.loads(text)
        return masked

    assert one_worker(grouped.tree("results")) == one_worker(wanted)


@pytest.mark.difference("publish-13")
def test_names_under_loadgroup_lose_nothing(grouped: Run) -> None:
    names = {record["name"] for record in grouped.results}
    assert {"test_nogroup", "test_nogroup_at[s@t]", "test_beta[p@q]"} <= names


@pytest.mark.difference("publish-14")
def test_node_ids_under_loadgroup_are_without_the_group(grouped: Run) -> None:
    groups = {record["nodeid"]: record["xdist_scope"] for record in grouped.results}
    assert groups["groups/test_groups.py::test_alpha_1"] == "alpha"
    assert groups["groups/test_groups.py::test_beta[p@q]"] == "beta"
    assert groups["groups/test_groups.py::test_nogroup"] == "groups/test_groups.py::test_nogroup"


@pytest.mark.difference("publish-26")
def test_a_worker_that_crashes(make_project: MakeProject, python: str) -> None:
    """The tests around the one that took its worker down, as captured."""
    project = make_project(python)
    project.copy()
    project.write(
        "test_a.py",
        "import os\ndef test_a(): pass\ndef test_b(): os._exit(3)\ndef test_c(): pass\n",
    )
    outcome, receiver = project.report("-n1")
    assert outcome.code == 1, outcome
    ours = Run(project, outcome, receiver).results
    (crashed,) = by_test(ours)["test_a.py::test_b"]
    assert (crashed["result"], crashed["excinfo"]["type"]) == ("fail", "WorkerCrash")
    reported = [record for record in ours if not record["nodeid"].endswith("::test_b")]
    assert by_test(any_worker(reported)) == by_test(any_worker(as_ours(masked("worker-crash"))))


@pytest.mark.difference("publish-15")
def test_an_attempt_has_its_own_output_alone(make_project: MakeProject, python: str) -> None:
    project = make_project(python)
    project.copy("flaky")
    outcome, receiver = project.report("flaky", "--reruns", "2")
    assert outcome.code == 0, outcome
    attempts = by_test(receiver.results())["flaky/test_flaky.py::test_flaky"]
    assert [record["result"] for record in attempts] == ["fail", "pass"]
    assert [record["stdout"] for record in attempts] == ["attempt 1\n", "attempt 2\n"]


@pytest.mark.difference("publish-27")
def test_long_text_is_cut(make_project: MakeProject, python: str) -> None:
    project = make_project(python)
    project.write("test_a.py", "def test_a(): print('first', 'é' * 300_000, 'last', end='')\n")
    outcome, receiver = project.report()
    assert outcome.code == 0, outcome
    (result,) = receiver.results()
    assert len(result["stdout"].encode()) <= 256 << 10
    assert len(result["stdout"].encode()) > 255 << 10
    assert result["stdout"].startswith("first éééé")
    assert result["stdout"].endswith("éé")


@pytest.mark.difference("publish-29")
def test_files_are_utf_8_in_any_locale(make_project: MakeProject, python: str) -> None:
    project = make_project(python)
    project.write("test_a.py", "def test_a(): print('\\u2603')\n")
    outcome = project.run(
        *("pytest", "--pubdir", "results"), LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="utf-8"
    )
    assert outcome.code == 0, outcome
    stdout = project.folder / "results" / "test_a" / "0.pass" / "stdout.txt"
    assert stdout.read_bytes() == "\u2603\n".encode()


def test_captures_are_all_used() -> None:
    """A capture that no test looks at shows nothing."""
    text = Path(__file__).read_text()
    folder = Path(__file__).parents[1] / "fixtures" / "golden" / "publish"
    names = {path.name.split(".")[0] for path in folder.glob("*.posts.jsonl")}
    assert [each for each in sorted(names) if f'"{each}"' not in text and each != "http500"] == []
