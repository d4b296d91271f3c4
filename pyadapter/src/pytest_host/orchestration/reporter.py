"""What events report while they run."""

from __future__ import annotations

import logging
from typing import Any

_logger = logging.getLogger("orchestration.reporter")

#: Seconds between two looks at a queue that is empty.
_IDLE = 0.05


class ResultReporter:
    """Logs what is reported. Inherit from it to do something else in `on_result`."""

    def __init__(self, report_queue: Any) -> None:
        self.queue = report_queue

    def add_result(self, result: Any) -> None:
        """From any thread, or process."""
        self.queue.put_nowait(result)

    def monitor(self, kill: Any) -> None:
        """Calls `on_result` for all that is reported until `kill` is set, and what is left then."""
        while True:
            is_last = kill.is_set()
            while not self.queue.empty():
                self.on_result()
            if is_last:
                return
            kill.wait(_IDLE)

    def on_result(self) -> None:
        """Something was reported: takes it out of the queue, and logs it."""
        result = self.queue.get()
        level = logging.ERROR if "error" in str(result) else logging.INFO
        _logger.log(level, "%s", result)
