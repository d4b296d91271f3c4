"""Prints the failures of all runs as they come; resumes a pause, stops a job.

    python live_client.py --url "$(host serve --where url)" --token "$(host serve --where token)"
    python live_client.py --resume 7634c1 --url … --token …
    python live_client.py --stop nightly --url … --token …

Needs Python 3.10 and `websockets`. What is said is described in docs/live.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


def main() -> int:
    parser = argparse.ArgumentParser(description="Print the failures of all runs as they come.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of host serve")
    parser.add_argument("--token", default="", help="see: host serve --where token")
    parser.add_argument("--resume", metavar="PAUSE", help="let the test go on that waits there")
    parser.add_argument("--stop", metavar="JOB", help="stop a job")
    parser.add_argument("--once", action="store_true", help="end with the first run that ends")
    args = parser.parse_args()
    try:
        if args.resume:
            pause = urllib.parse.quote(args.resume, safe="")
            post(args, f"/api/pauses/{pause}/resume", {"by": "live_client"})
        elif args.stop is not None:
            job = urllib.parse.quote(args.stop, safe="")
            print(post(args, f"/api/jobs/{job}/actions", {"action": "stop"})["state"])
        else:
            watch(args)
    except urllib.error.HTTPError as error:
        print(json.load(error)["detail"], file=sys.stderr)
        return 1
    except (OSError, ConnectionClosed) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def post(args: argparse.Namespace, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        args.url + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {args.token}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def watch(args: argparse.Namespace) -> None:
    """Subscribes to the list of runs, and to each run that goes on."""
    address = args.url.replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {args.token}"}
    with connect(address, additional_headers=headers, max_size=None) as socket:
        subscribe(socket, "runs")
        known: set[str] = set()
        for message in messages(socket):
            topic, payload = message["topic"], message["payload"]
            if topic == "runs":
                is_new = message["type"] == "delta"
                for run in payload["put"] if is_new else payload:
                    if (is_new or run["state"] == "running") and run["run"] not in known:
                        subscribe(socket, f"run/{run['run']}")
                    known.add(run["run"])
                continue
            if message["type"] == "snapshot":
                failures, changed = payload["failures"], payload
            else:
                events = payload.get("events", [])
                failures = [event for event in events if event["type"] == "failed"]
                changed = payload.get("set", {})
            for failure in failures:
                where, why = failure["nodeid"], f"{failure['kind']}: {failure['message']}"
                print(f"{topic.removeprefix('run/')}  {where}  {why}", flush=True)
            if args.once and changed.get("state") == "finished":
                return


def subscribe(socket: ClientConnection, topic: str) -> None:
    socket.send(json.dumps({"type": "subscribe", "topic": topic}))


def messages(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    for text in socket:
        message = json.loads(text)
        if message["type"] in ("snapshot", "delta"):
            yield message
        elif message["type"] == "error":
            print(message["message"], file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
