"""pytest's side of pytest-host: reports a run to the native host.

The plugin is `pytest_host.plugin`. Nothing here is an interface for others.
"""
