"""Jobs of a `host serve`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from support.polling import until
from support.serving import Answer, Serving

FINAL = ("collected", "done")


def path_of(job: str, rest: str = "") -> str:
    return f"/api/jobs/{quote(job, safe='')}{rest}"


def start(serving: Serving, job: str | None, *args: str, **more: object) -> Answer:
    answer = serving.post("/api/jobs", {"id": job, "args": list(args), **more})
    assert answer.status == 201, answer
    return answer


def stop(serving: Serving, job: str) -> Any:
    answer = serving.post(path_of(job, "/actions"), {"action": "stop"})
    assert answer.status == 200, answer
    return answer.json


def ended(serving: Serving, job: str) -> Any:
    """The job, once it is over."""

    def look() -> Any:
        found = serving.get(path_of(job))
        return found if found["state"] in FINAL else None

    return until(f"{job!r} to end", look)


def all_ended(serving: Serving) -> None:
    def look() -> bool:
        return all(job["state"] in FINAL for job in serving.get("/api/jobs"))

    until("all jobs to end", look)


def summary(text: str | None) -> str | None:
    """Of what pytest prints, what it comes to: versions, folders and times are its own."""
    if text is None:
        return None
    # Its usage has the name of what was run.
    text = re.sub(r"python -m pytest|__main__\.py", "pytest", text)
    ours = "pytest-host: "
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(ours)]
    kept = [line for line in lines if line.startswith(("ERROR: ", "pytest: error"))]
    if not kept:
        kept = [lines[-1].strip("= ").rpartition(" in ")[0]]
    return "\n".join(kept)
