"""The command `pytest_relay_run`."""

from __future__ import annotations

import argparse
from typing import NoReturn

from pytest_live_pause.cli import become

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main() -> NoReturn:
    """Becomes `host serve`, for clients that know of no token."""
    parser = argparse.ArgumentParser(
        prog="pytest_relay_run",
        description="host serve, for clients that know of no token: "
        "whoever reaches it can run anything.",
    )
    # The published one listens to everybody.
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (8000)")
    options = parser.parse_args()
    host = f"[{options.host}]" if ":" in options.host else options.host
    host = "127.0.0.1" if host == "localhost" else host
    local = options.host in _LOOPBACK
    allow = "--allow-unauthenticated" if local else "--allow-remote-unauthenticated"
    become(["serve", "--listen", f"{host}:{options.port}", allow])


if __name__ == "__main__":
    main()
