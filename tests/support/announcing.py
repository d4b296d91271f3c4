"""A sink that publishes the end of each test."""

from __future__ import annotations

import json
from typing import Any

from support.guests import folder_of_guests


def announcer(**settings: Any) -> str:
    """The configuration of a project whose runs have that sink."""
    module = json.dumps(str(folder_of_guests() / "announcer.wasm"))
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(
        ['sinks = ["announcer"]', "[sink.announcer]", f"module = {module}", *lines, ""]
    )
