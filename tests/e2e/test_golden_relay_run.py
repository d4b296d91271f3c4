"""The captures of pytest-relay-run's REST calls: equal to ours, but for docs/compatibility.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support import jobs
from support.polling import until
from support.project import Project
from support.serving import Answer, Serving

FOLDER = Path(__file__).parents[1] / "fixtures" / "golden" / "relay-run"

Call = dict[str, Any]


def calls(name: str) -> list[Call]:
    found: list[Call] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def masked(body: Any) -> Any:
    """Without what the SPEC calls volatile: of texts, what they come to is left."""
    if isinstance(body, list):
        return [masked(job) for job in body]
    if isinstance(body, dict) and "state" in body:
        return {**body, "text": jobs.summary(body["text"])}
    return body


def as_ours(call: Call) -> Call:
    """What is to be answered here."""
    ours = {**call, "body": masked(call["body"])}
    request = call["request"] if isinstance(call["request"], dict) else {}
    if call["path"] in ("/docs", "/api/docs"):  # jobs-15
        return ours | {"status": 404, "body": {"detail": "Not Found"}}
    if call["note"] == "unbalanced quote":  # jobs-2
        msg = "a quote is not closed; without splitArgs it is taken as it is"
        detail = {
            "type": "value_error",
            "loc": ["body", "args", 0],
            "msg": f"Value error, {msg}",
        }
        return ours | {"status": 422, "body": {"detail": [detail]}}
    if call["note"] in ("slash in id", "empty id"):  # jobs-3
        job = {"id": request["id"], "state": "in-progress", "returncode": None, "text": None}
        return ours | {"status": 201, "body": job}
    if call["path"] == "/api/jobs/a%2Fb%20c":  # jobs-3
        job = {"id": "a/b c", "state": "done", "returncode": 1, "text": "1 failed, 1 passed"}
        return ours | {"status": 200, "body": job}
    if call["status"] == 422 and call["body"]["detail"][0]["type"] == "json_invalid":  # jobs-16
        [detail] = ours["body"]["detail"]
        error = "key must be a string at line 1 column 2"
        return ours | {"body": {"detail": [{**detail, "ctx": {"error": error}}]}}
    return ours


def sent(call: Call) -> Any:
    """What the published server split into words is to be split here, too: jobs-1."""
    body = call["request"]
    if isinstance(body, dict) and "args" in body:
        return {**body, "splitArgs": True}
    return body


def ask(serving: Serving, call: Call) -> Answer:
    body = sent(call)
    if isinstance(body, str):
        headers = {"Content-Type": "application/json"}
        return serving.ask(call["method"], call["path"], body, headers=headers)
    return serving.ask(call["method"], call["path"], body)


def is_over(call: Call) -> bool:
    """Whether the call was made of jobs that were over: the capture waited, so that they were."""
    bodies = call["body"] if isinstance(call["body"], list) else [call["body"]]
    states = [job.get("state") for job in bodies if isinstance(job, dict)]
    stops_one = call["path"] == "/api/jobs/slow/actions"
    takes_a_place = call["note"] == "dup via session id in args (id null)"
    return ("done" in states and not stops_one) or takes_a_place


def wait_for(serving: Serving, call: Call) -> None:
    if is_over(as_ours(call)):
        jobs.all_ended(serving)
    if call["path"] == "/api/jobs/slow/actions":
        output = jobs.path_of("slow", "/output")
        until("a test to pass", lambda: "py ." in serving.ask("GET", output).text)


@pytest.fixture
def suite(project: Project) -> Project:
    project.copy("groups", "flaky", "slow", "main", "broken")
    return project


def without_input(body: Any) -> Any:
    """pydantic gives back what was sent, to which a key was added here."""
    if isinstance(body, dict) and isinstance(body.get("detail"), list):
        return {
            "detail": [
                {**detail, "input": {**detail["input"], "splitArgs": True}}
                if isinstance(detail.get("input"), dict) and detail["input"].get("args") is not None
                else detail
                for detail in body["detail"]
            ]
        }
    return body


@pytest.mark.difference("jobs-2")
@pytest.mark.difference("jobs-3")
@pytest.mark.difference("jobs-15")
@pytest.mark.difference("jobs-16")
def test_the_calls_are_answered_alike(suite: Project) -> None:
    serving = Serving(suite, "--max-jobs=20", SLOW_SLEEP="5")
    for call in calls("api"):
        if call["path"] == "/api/openapi.json":
            continue  # it describes more here
        wait_for(serving, call)
        answer = ask(serving, call)
        expected = as_ours(call)
        where = (call["note"], call["method"], call["path"], answer)
        assert answer.status == expected["status"], where
        if expected["body"] == "":
            assert answer.body == b"", where
        else:
            assert masked(answer.json) == without_input(expected["body"]), where
        location = call["headers"].get("location")
        if location is not None:
            path = urlsplit(location).path
            assert answer.headers["location"] == f"{serving.url}{path}", where


@pytest.mark.difference("jobs-4")
def test_a_job_without_an_interpreter_is_done_and_says_why(project: Project) -> None:
    """api-nopath: there, 500, and a job that is in progress for ever."""
    serving = Serving(project, "--python=/no/such/python")
    for call in calls("api-nopath"):
        answer = ask(serving, call)
        if call["method"] == "GET":
            assert answer.status == 200
            job = jobs.ended(serving, call["path"].rpartition("/")[2])
            assert (job["state"], job["returncode"]) == ("done", None)
            assert job["text"].startswith("host: /no/such/python cannot be run: No such file")
            assert job["text"].count("\n") == 1
        else:
            assert answer.status == 201


@pytest.mark.difference("jobs-6")
def test_jobs_run_at_any_port(suite: Project) -> None:
    """api-8011: there, a job fails unless its arguments say where the server is."""
    serving = Serving(suite)
    assert serving.port != 8000
    first, _, third = calls("api-8011")
    jobs.start(serving, first["request"]["id"], *first["request"]["args"])
    job = jobs.ended(serving, "wrongport")
    assert (job["state"], job["returncode"]) == ("done", 0)
    collected = jobs.start(serving, "coll", "broken", collect_only=True)
    assert masked(collected.json) == masked(third["body"])
