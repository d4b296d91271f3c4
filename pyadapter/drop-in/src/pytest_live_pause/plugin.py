"""Where pytest-live-pause has its plugin; the options and fixtures are pytest-host's own."""

from pytest_live_pause._alone import refuse_beside

refuse_beside("pytest-live-pause")
