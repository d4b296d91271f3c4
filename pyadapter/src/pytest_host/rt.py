"""What pytest-rt has besides options that are settings."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import pytest

#: What `--rt-return-job` writes, in the folder that pytest was started in.
JOB_FILE = "testgr_last_job.txt"

#: Tests leave a screenshot here, `pytest.t_screen = …`; it becomes the property
#: of this name.
SCREEN = "t_screen"

_pytest_names: dict[str, Any] = vars(pytest)


def conftest_settings(config: pytest.Config) -> list[dict[str, Any]]:
    """`endpoint` and `show_errors` of the root conftest, as the protocol's `defaults`."""
    found = {
        file: vars(plugin)
        for plugin in config.pluginmanager.get_plugins()
        if isinstance(plugin, ModuleType)
        and os.path.basename(file := plugin.__file__ or "") == "conftest.py"
        # A fixture may have that name, too.
        and isinstance(vars(plugin).get("endpoint"), str)
    }
    if not found:
        return []
    root = min(found, key=lambda file: (file.count(os.sep), file))
    settings = {"url": found[root]["endpoint"]}
    if "show_errors" in found[root]:
        settings["show_errors"] = bool(found[root]["show_errors"])
    origin = os.path.relpath(root, config.invocation_params.dir)
    return [{"sink": "rt", "origin": origin, "settings": settings}]


def screen() -> Any:
    """What the test that runs has left so far, if anything."""
    return _pytest_names.get(SCREEN)


def forget_screen() -> None:
    """Before the next test. The name stays, since code of the user's may look at it."""
    if _pytest_names.get(SCREEN):
        _pytest_names[SCREEN] = ""
