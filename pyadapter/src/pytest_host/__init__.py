"""pytest's side of pytest-host: reports a run to the native host.

The plugin is `pytest_host.plugin`. For tests there are `checkpoint` and what it returns,
and `ResultReporter`; nothing else here is an interface for others.
"""

from .orchestration.reporter import ResultReporter
from .pauses.api import checkpoint
from .pauses.decision import ResumeDecision

__all__ = ["ResultReporter", "ResumeDecision", "checkpoint"]
