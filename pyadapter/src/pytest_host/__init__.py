"""pytest's side of pytest-host: reports a run to the native host.

The plugin is `pytest_host.plugin`. For tests there are `checkpoint` and what it returns;
nothing else here is an interface for others.
"""

from .pauses.api import checkpoint
from .pauses.decision import ResumeDecision

__all__ = ["ResumeDecision", "checkpoint"]
