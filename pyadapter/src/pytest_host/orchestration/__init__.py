"""Orchestrated tests: the host says what starts when, and it runs here, with fixtures.

Events run in threads; the test's own thread talks to the host and starts them.
"""
