"""Pausing a test that runs, until somebody answers or the time is up.

The test's own thread waits; there is no other. The file protocol is that of
pytest-live-pause; with a host, answers come over its socket as well.
"""
