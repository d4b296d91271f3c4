"""The variables that these tests are told by.

pytest-host takes its own out of the environment as soon as pytest configures itself, before xdist
starts its workers; so what they say is kept under another name on import, which is before that.
"""

from __future__ import annotations

import os

_KEPT = "E2E_"


def _keep(name: str) -> str:
    value = os.environ.get(name) or os.environ.get(_KEPT + name, "")
    os.environ[_KEPT + name] = value
    return value


#: More interpreters to run what depends on pytest's version with, as PATH lists folders.
PYTHONS = _keep("PYTEST_HOST_TEST_PYTHONS")
#: Where the components of tests/fixtures/guests are, if not in target/guests/fixtures.
GUESTS = _keep("PYTEST_HOST_TEST_GUESTS")
#: How many examples a property test tries, if more than for CI.
EXAMPLES = _keep("PYTEST_HOST_TEST_EXAMPLES")
#: How many moments a core is killed at, if more than for CI.
MOMENTS = _keep("PYTEST_HOST_TEST_MOMENTS")
#: How many events go through a core, if more than for CI.
EVENTS = _keep("PYTEST_HOST_TEST_EVENTS")
#: How often a run is timed, if more than for CI.
RUNS = _keep("PYTEST_HOST_TEST_RUNS")
#: The program that makes requests from the API's description.
SCHEMATHESIS = _keep("PYTEST_HOST_TEST_SCHEMATHESIS")
#: Whether orchestrated tests are run for a minute, and how exact they are is asserted.
MINUTE = _keep("PYTEST_HOST_TEST_MINUTE")

#: Folders of tools that build sinks, as a path has them; the environment of `cargo build` for
#: guests as pairs in JSON; and where it leaves what it builds.
TOOLS = _keep("PYTEST_HOST_TEST_TOOLS")
CARGO = _keep("PYTEST_HOST_TEST_CARGO")
TARGET = _keep("PYTEST_HOST_TEST_TARGET")
