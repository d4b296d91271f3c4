"""The command `pytest-live-pause`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from pytest_host.connection import Unavailable
from pytest_host.launch import find_binary


def main() -> NoReturn:
    """Becomes `host pause …`, whose arguments are the same."""
    become(["pause", *sys.argv[1:]])


def become(args: Sequence[str]) -> NoReturn:
    """Becomes the host's own command."""
    try:
        binary = find_binary(os.environ)
    except Unavailable as error:
        sys.exit(f"pytest-host-drop-in: {error}")
    os.execv(binary, [binary, *args])


if __name__ == "__main__":
    main()
