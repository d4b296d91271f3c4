"""A plugin and what stands in for it cannot both be there: they have files of the same names."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest


def refuse_beside(distribution: str) -> None:
    """Raises `pytest.UsageError` where the plugin itself is installed."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return
    raise pytest.UsageError(
        f"{distribution} and pytest-host-drop-in are both installed; "
        f"pip uninstall {distribution}, then "
        "pip install --force-reinstall --no-deps pytest-host-drop-in"
    )
