"""The name of pytest-rt, for `pytest_plugins` and `-p`; its options are pytest-host's own."""

from pytest_live_pause._alone import refuse_beside

refuse_beside("pytest-rt")
