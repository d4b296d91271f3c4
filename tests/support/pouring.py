"""In place of pytest: pours events into a core, as the adapter would write them.

host run --runner "python …/pouring.py 1000000"
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from pytest_host.attachment import attach

#: What a core remembers of a session grows with its tests, so there are no more of them.
TESTS = 1000

#: `start` and `end`, from which the core makes the start, three phases and the end.
EVENTS_A_TEST = 5

#: Files that the core has not read, beyond which a fast writer waits for it.
UNREAD = 20

SESSION = {
    "rootdir": "/",
    "invocation_dir": "/",
    "args": [],
    "started": 0.0,
    "pytest_version": "9",
    "python_version": "3",
    "python_prefixes": ["/", "/"],
    "hostname": "here",
    "pid": 0,
    "dist": None,
    "labels": [],
}


def main(events: int) -> None:
    address = os.environ["PYTEST_HOST_ADDRESS"]
    attachment = attach(
        address, time.monotonic() + 60, process="main", role="session", directory=os.getcwd()
    )
    segments = attachment.segments
    folder = Path(attachment.welcome.segments)

    def write(kind: str, **content: object) -> None:
        segments.append(json.dumps({"k": kind, "t": time.time(), **content}).encode())

    write("session", session=SESSION)
    names = [f"test_n[{n}]" for n in range(TESTS)]
    tests = [
        {"nodeid": f"t.py::{name}", "path": "t.py", "name": name, "domain": name} for name in names
    ]
    write("items", c="c", first=0, tests=tests)
    write("collected", c="c", count=TESTS)
    passed = {phase: [1.0, 2.0, 1.0] for phase in ("setup", "call", "teardown")}
    for number in range(events // EVENTS_A_TEST):
        attempt, test = divmod(number, TESTS)
        if not test:
            while len(list(folder.iterdir())) > UNREAD:
                time.sleep(0.01)
        write("start", i=test, a=attempt + 1)
        write("end", i=test, a=attempt + 1, verdict="passed", passed=passed)
    write("finish", exitstatus=0, reason=None)
    segments.end()
    write("bye")
    assert not segments.left_out
    segments.close()
    attachment.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
