"""Tests of tests that say where they are, and wait."""

from __future__ import annotations

#: For suites: `announce` makes a file; `wait` goes on once somebody made another.
HELPERS = """
import ctypes, os, signal, sys, time
from pathlib import Path
import pytest

HERE = Path(__file__).parent

def announce(name):
    new = HERE / f"{name}.new"
    new.write_text(str(os.getpid()))
    new.rename(HERE / name)

def wait(name):
    end = time.monotonic() + 60
    while not (HERE / name).exists():
        assert time.monotonic() < end
        time.sleep(0.01)
"""
