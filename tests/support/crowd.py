"""Many subscribers in a process of their own: python crowd.py URL TOKEN TOPIC COUNT LAST READY

Each reads until a delta holds the text LAST. One more subscribes and never reads. Makes the file
READY once all have subscribed, and prints a JSON object of how many messages they have got.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect


async def subscriber(address: str, topic: str, last: str, subscribed: asyncio.Semaphore) -> int:
    """How many messages it got, each exactly one further than the one before."""
    # Who is this far behind everybody else may be late with anything.
    options: dict[str, Any] = {"max_size": None, "open_timeout": 60, "ping_interval": None}
    async with connect(address, **options) as client:
        await client.send(json.dumps({"type": "subscribe", "topic": topic}))
        answer = json.loads(await client.recv())
        seq, first = answer["seq"], answer["seq"]
        subscribed.release()
        async for text in client:
            message = json.loads(text)
            seq += 1
            assert message["seq"] == seq, (message["seq"], seq)
            if last in str(text):
                return int(seq - first)
    raise AssertionError(f"closed after {seq - first}: {client.close_code} {client.close_reason}")


async def never_reads(address: str, topic: str) -> None:
    # Small, so that what is sent to it is soon too much.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, _, port = address.partition("//")[2].partition("/")[0].rpartition(":")
    sock.connect((host, int(port)))
    sock.setblocking(False)
    client = await connect(address, sock=sock, max_queue=1, ping_interval=None)
    await client.send(json.dumps({"type": "subscribe", "topic": topic}))
    client.transport.pause_reading()
    await asyncio.sleep(3600)


async def main(arguments: list[str]) -> None:
    url, token, topic, count, last, made = arguments
    address = f"{url.replace('http', 'ws', 1)}/ws?token={token}"
    idle = asyncio.create_task(never_reads(address, topic))
    subscribed = asyncio.Semaphore(0)
    reading = [
        asyncio.create_task(subscriber(address, topic, last, subscribed)) for _ in range(int(count))
    ]
    for _ in reading:
        await asyncio.wait_for(subscribed.acquire(), 120)
    Path(made).touch()
    counts = await asyncio.gather(*reading)
    idle.cancel()
    print(json.dumps({"least": min(counts), "most": max(counts)}), flush=True)


def yield_to_others() -> None:
    """They stand for other machines: what they take of this one should be missed by nobody."""
    os.nice(19)
    # Where sessions are weighed against each other, niceness counts within one alone.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


if __name__ == "__main__":
    yield_to_others()
    asyncio.run(main(sys.argv[1:]))
