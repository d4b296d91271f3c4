"""The names of pytest-live-pause, as pytest-host has them."""

from pytest_host import ResumeDecision, checkpoint

__all__ = ["ResumeDecision", "checkpoint"]
