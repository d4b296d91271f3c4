"""Jobs: pytest runs that a `host serve` starts, watches and stops."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from support import jobs
from support.polling import until
from support.project import MakeProject, Project
from support.serving import Serving
from support.waiting import HELPERS

WAITS = (
    HELPERS
    + """
def test_waits():
    print("it begins")
    announce("begun")
    wait("go")
"""
)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.difference("jobs-5")
def test_a_job_on_the_command_line(project: Project) -> None:
    project.write("test_a.py", "def test_a(): pass\ndef test_b(): assert 0\n")
    Serving(project)
    waited = project.run("host", "job", "start", "--id", "n 1", "--wait", "--", "-q")
    assert waited.code == 1, waited
    assert "1 failed, 1 passed" in waited.stdout
    logs = project.run("host", "job", "logs", "n 1")
    assert logs.stdout == waited.stdout
    shown = project.run("host", "job", "show", "n 1")
    assert shown.stdout == f"n 1: done, exit code 1\n\n{logs.stdout}"
    started = project.run("host", "job", "start", "--", "-k", "test_a and not test_b")
    assert started.code == 0, started
    made_up = started.stdout.strip()
    follow = project.run("host", "job", "logs", "--follow", made_up)
    assert "1 passed, 1 deselected" in follow.stdout
    listed = project.run("host", "job", "ls", "--json")
    states = [(job["id"], job["state"], job["returncode"]) for job in json.loads(listed.stdout)]
    assert states == [("n 1", "done", 1), (made_up, "done", 0)]
    assert project.run("host", "job", "ls").stdout.splitlines()[1].split()[-2:] == ["done", "1"]
    assert project.run("host", "job", "rm", "n 1").code == 0
    assert project.run("host", "job", "rm", "--all").code == 0
    assert project.run("host", "job", "ls").stdout == "no jobs\n"


def test_a_job_runs_with_any_pytest(python: str, make_project: MakeProject) -> None:
    project = make_project(python)
    project.write("test_a.py", WAITS)
    serving = Serving(project)
    jobs.start(serving, "i", "test_a.py")
    project.wait_for("begun")
    assert jobs.stop(serving, "i")["returncode"] == 2
    (project.folder / "go").touch()
    assert project.run("host", "job", "start", "--wait", "--", "-n2").code == 0


def test_what_was_collected_is_run(project: Project) -> None:
    project.write("test_a.py", "def test_a(): assert 0\n")
    Serving(project)
    collected = project.run("host", "job", "collect", "--id", "c")
    assert collected.code == 0, collected
    assert "<Function test_a>" in collected.stdout
    assert project.run("host", "job", "start", "c", "--wait").code == 1
    again = project.run("host", "job", "start", "c")
    assert again.code == 2
    assert again.stderr == 'host: "c" is done: only a job that has collected can be started\n'


@pytest.mark.difference("jobs-1")
def test_arguments_are_what_they_are(project: Project) -> None:
    """Node ids with spaces, quotes and brackets."""
    ids = ["sp ace", "quo'te\"s", "[x]", "a::b/c", "$HOME `id`;", "-k"]
    project.write(
        "test_a.py",
        "import pytest\n"
        f"@pytest.mark.parametrize('v', {ids!r}, ids=str)\n"
        "def test_odd(v): print('RAN', ascii(v))\n",
    )
    serving = Serving(project)
    for number, value in enumerate(ids):
        jobs.start(serving, str(number), "-sq", f"test_a.py::test_odd[{value}]")
    for number, value in enumerate(ids):
        job = jobs.ended(serving, str(number))
        assert job["returncode"] == 0, job
        assert f"RAN {value!a}" in job["text"]
        assert "1 passed" in job["text"]
    jobs.start(serving, "split", "test_a.py -q -k 'sp or quo'", splitArgs=True)
    assert "2 passed" in jobs.ended(serving, "split")["text"]


@pytest.mark.difference("jobs-8")
def test_a_job_is_stopped_with_all_its_workers(project: Project) -> None:
    project.write(
        "test_a.py",
        HELPERS
        + """
@pytest.mark.parametrize("number", [0, 1])
def test_a(number):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        announce(f"child{number}")
        time.sleep(600)
    announce(f"worker{number}")
    time.sleep(600)
""",
    )
    serving = Serving(project, "--stop-grace=1s")
    jobs.start(serving, "w", "-n2", "-s")
    names = ["worker0", "worker1", "child0", "child1"]
    for name in names:
        project.wait_for(name)
    pids = [int((project.folder / name).read_text()) for name in names]
    assert all(map(is_running, pids))
    job = jobs.stop(serving, "w")
    assert job["state"] == "done"
    assert job["returncode"] in (2, -signal.SIGTERM, -signal.SIGKILL)
    assert not any(map(is_running, pids))


def test_the_first_signal_is_a_ctrl_c(project: Project) -> None:
    project.write("test_a.py", WAITS)
    serving = Serving(project)
    jobs.start(serving, "i", "test_a.py")
    project.wait_for("begun")
    job = jobs.stop(serving, "i")
    assert (job["state"], job["returncode"]) == ("done", 2)
    assert "KeyboardInterrupt" in job["text"]
    assert project.run("host", "job", "stop", "i").stdout == "i: done\n"


@pytest.mark.difference("jobs-7")
@pytest.mark.difference("jobs-9")
@pytest.mark.difference("jobs-10")
def test_jobs_wait_their_turn(project: Project) -> None:
    project.write("test_a.py", WAITS)
    project.configure("serve.max-jobs = 1\nserve.keep-jobs = 1\n")
    serving = Serving(project)
    jobs.start(serving, "first", "test_a.py")
    assert jobs.start(serving, "second", "--version").json["state"] == "created"
    assert jobs.start(serving, "third", "--version").json["state"] == "created"
    assert 'pytest_host_jobs{phase="waiting"} 2' in serving.ask("GET", "/metrics").text
    again = serving.post("/api/jobs", {"id": None, "args": ["--session-id", "first"]})
    assert again.status == 409
    assert jobs.stop(serving, "third") == {
        "id": "third",
        "state": "done",
        "returncode": None,
        "text": "host: it was stopped before it ran\n",
    }
    (project.folder / "go").touch()
    assert jobs.ended(serving, "second")["returncode"] == 0
    assert [job["id"] for job in serving.get("/api/jobs")] == ["second"]
    replaced = jobs.start(serving, None, "--session-id", "second", "-q")
    assert replaced.json["state"] == "in-progress"
    assert jobs.ended(serving, "second")["text"] != ""


@pytest.mark.difference("jobs-12")
def test_a_job_that_collects_is_seen(project: Project) -> None:
    project.write("test_a.py", HELPERS + "announce('begun')\nwait('go')\ndef test_a(): pass\n")
    serving = Serving(project)
    collecting = project.start("host", "job", "collect", "--id", "c", "--json")
    project.wait_for("begun")
    assert [(job["id"], job["state"]) for job in serving.get("/api/jobs")] == [("c", "created")]
    stopped = jobs.stop(serving, "c")
    assert (stopped["state"], stopped["returncode"]) == ("collected", 2)
    assert json.loads(collecting.finish().stdout) == stopped


@pytest.mark.difference("jobs-13")
def test_jobs_outlive_the_host(project: Project) -> None:
    project.write("test_a.py", WAITS)
    serving = Serving(project, "--max-jobs=1")
    jobs.start(serving, "long", "-s", "test_a.py")
    jobs.start(serving, "waits", "--version")
    project.wait_for("begun")
    for end in (Serving.stop, Serving.kill):
        end(serving)
        serving = Serving(project, "--max-jobs=1")
        states = [(job["id"], job["state"]) for job in serving.get("/api/jobs")]
        assert states == [("long", "in-progress"), ("waits", "created")]
    output = jobs.path_of("long", "/output")
    assert "it begins" in serving.ask("GET", output).text
    (project.folder / "go").touch()
    long = jobs.ended(serving, "long")
    assert (long["returncode"], "1 passed" in long["text"]) == (0, True)
    assert jobs.ended(serving, "waits")["returncode"] == 0


def test_a_job_that_was_lost_says_so(project: Project) -> None:
    project.write("test_a.py", WAITS)
    serving = Serving(project)
    jobs.start(serving, "lost", "test_a.py")
    project.wait_for("begun")
    pytest_pid = int((project.folder / "begun").read_text())
    stat = Path(f"/proc/{pytest_pid}/stat").read_text()
    shim = int(stat.rpartition(")")[2].split()[1])
    os.kill(shim, signal.SIGKILL)
    os.kill(pytest_pid, signal.SIGKILL)
    job = jobs.ended(serving, "lost")
    assert (job["state"], job["returncode"]) == ("done", None)
    assert "nobody knows how it ended" in job["text"]


@pytest.mark.difference("jobs-11")
def test_output_in_parts(project: Project) -> None:
    line = "x" * 63
    project.write(
        "test_a.py",
        HELPERS + f"def test_a():\n  print({line!r}, end='|\\n')\n  announce('begun')\n"
        f"  wait('go')\n  for _ in range(1 << 16): print({line!r})\n",
    )
    project.configure('serve.job-output = "2 MiB"\n')
    serving = Serving(project)
    jobs.start(serving, "o", "-s", "test_a.py")
    project.wait_for("begun")
    path = jobs.path_of("o", "/output")
    whole = serving.ask("GET", path)
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    assert whole.headers["content-type"].startswith("text/plain")
    part = serving.ask("GET", path, headers={"Range": "bytes=0-9"})
    assert (part.status, part.headers["content-range"]) == (206, "bytes 0-9/*")
    assert part.body == whole.body[:10]
    beyond = serving.ask("GET", path, headers={"Range": f"bytes={len(whole.body)}-"})
    assert beyond.status == 416
    assert beyond.headers["content-range"] == f"bytes */{len(whole.body)}"
    follow = project.start("host", "job", "logs", "o", "--follow")
    (project.folder / "go").touch()
    job = jobs.ended(serving, "o")
    followed = follow.finish().stdout
    assert followed.startswith(part.text)
    assert "1 passed" in followed
    assert len(job["text"]) < (1 << 20) + 200
    assert "bytes are left out here; all but " in job["text"]
    assert "1 passed" in job["text"]
    end = serving.ask("GET", path, headers={"Range": "bytes=-10"})
    assert end.status == 206
    first, last, length = map(
        int, end.headers["content-range"].removeprefix("bytes ").replace("/", "-").split("-")
    )
    assert (last - first, last + 1) == (9, length)
    gap = serving.ask("GET", path, headers={"Range": f"bytes={(1 << 20) + 1}-{(1 << 20) + 9}"})
    assert gap.status == 416
    assert "bytes are left out here that nobody kept]" in serving.ask("GET", path).text
    kept = sum(file.stat().st_size for file in Path(project.folder).rglob("output*"))
    assert kept <= 2 << 20


@pytest.mark.difference("jobs-14")
def test_a_job_that_is_removed_goes_on(project: Project) -> None:
    project.write("test_a.py", WAITS + "def test_b(): announce('over')\n")
    serving = Serving(project, "--max-jobs=1")
    jobs.start(serving, "r", "test_a.py")
    jobs.start(serving, "never", "--version")
    project.wait_for("begun")
    assert serving.ask("DELETE", "/api/jobs").status == 204
    assert serving.get("/api/jobs") == []
    (project.folder / "go").touch()
    project.wait_for("over")
    folder = project.folder / ".pytest_host" / "jobs"
    until("nothing to be kept", lambda: [path.name for path in folder.iterdir()] == ["lock"])


def test_what_a_job_may_choose(project: Project) -> None:
    project.write(
        "inner/test_a.py", "import os\ndef test_a(): assert os.environ['CI_X'] == '1 2'\n"
    )
    wanted = ["--cwd=inner", "--env=CI_X=1 2", f"--python={sys.executable}"]
    serving = Serving(project)
    for flag, key in zip(wanted[:2], ["directories", "environment"], strict=True):
        refused = project.run("host", "job", "start", flag, "--wait")
        assert refused.code == 2, refused
        assert f"job.{key} in [serve] names" in refused.stderr
        assert refused.stderr.count("\n") == 1
    other = project.run("host", "job", "start", "--python=/usr/bin/env", "--wait")
    assert (other.code, "job.interpreters in [serve]" in other.stderr) == (2, True)
    assert serving.post("/api/jobs", {"id": None, "args": [], "cwd": "/"}).status == 403
    serving.stop()
    project.configure(
        "[serve]\njob.directories = ['inner']\njob.environment = ['CI_*']\n"
        f"job.interpreters = [{sys.executable!r}]\n"
    )
    Serving(project)
    ran = project.run("host", "job", "start", *wanted, "--wait", "--", "-q")
    assert ran.code == 0, ran
    assert "1 passed" in ran.stdout


def test_what_is_wrong_is_said_in_a_line(project: Project) -> None:
    nobody = project.run("host", "job", "ls")
    assert nobody.code == 2
    assert "no `host serve` is at work" in nobody.stderr
    serving = Serving(project)
    (project.folder / "wrong").write_text("0123456789abcdef")
    other = ("--url", serving.url)
    for command, code, says in [
        (("show", "no"), 2, "Job with ID 'no' is not there"),
        (("stop", "no"), 2, "Job with ID 'no' is not there"),
        (("start", "no"), 2, "Job with ID 'no' is not there"),
        (("logs", "no", "--follow"), 2, "Job with ID 'no' is not there"),
        (("start", "--id=..", "--", "x"), 2, 'id: an id cannot be "." or ".."'),
        (("start", "--id=A", "--", "--session-id=B"), 2, "does not match the session ID 'B'"),
        (("start", "--env=X", "--", "x"), 2, '--env "X": should be NAME=VALUE'),
        (("start", "--split-args", "--", "it's"), 2, "args.0: a quote is not closed"),
        (("ls", *other), 2, "A token is needed"),
        (("ls", *other, "--token-file=wrong"), 2, "The token is not right"),
        (("ls", *other, "--token-file=none"), 2, "none: No such file"),
        (("ls", "--url=http://127.0.0.1:1"), 1, "no host answers at http://127.0.0.1:1"),
        (("ls", "--url=nonsense"), 2, "nonsense"),
    ]:
        told = project.run("host", "job", *command)
        assert (told.code, told.stderr.count("\n")) == (code, 1), (command, told)
        assert says in told.stderr, (command, told)


@pytest.mark.difference("jobs-17")
def test_a_body_that_is_not_json_is_refused(project: Project) -> None:
    serving = Serving(project)
    body = '{"id": null, "args": []}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = serving.ask("POST", "/api/jobs", body, headers={"Content-Type": kind})
        assert answer.status == 415, answer
    assert serving.get("/api/jobs") == []


@pytest.mark.difference("jobs-18")
def test_jobs_need_the_token(project: Project) -> None:
    serving = Serving(project)
    for method, path in [
        ("GET", "/api/jobs"),
        ("POST", "/api/jobs"),
        ("DELETE", "/api/jobs"),
        ("GET", "/api/jobs/x"),
        ("DELETE", "/api/jobs/x"),
        ("POST", "/api/jobs/x/actions"),
        ("GET", "/api/jobs/x/output"),
        ("GET", "/api/jobs/"),
    ]:
        assert serving.ask(method, path, token=False).status == 401, path
