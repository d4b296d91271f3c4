"""The host's socket while a test is paused."""

from __future__ import annotations

import time

from ..attachment import Attachment
from ..connection import Message, Unavailable
from . import real

#: Seconds for a line to be taken by a host that is alive.
_SEND = 5.0


class Channel:
    """What arrives and is not about pauses is kept for those whom it is for."""

    def __init__(self, attachment: Attachment | None) -> None:
        if attachment is not None and attachment.dropped:
            attachment = None  # the parent's, of this forked child
        #: None once the host is gone.
        self._attachment = attachment
        #: Goes on whatever becomes of the host.
        self.segments = None if attachment is None else attachment.segments
        self._others: list[Message] = []

    @property
    def is_open(self) -> bool:
        return self._attachment is not None

    def send(self, message: Message) -> None:
        if self._attachment is None:
            return
        try:
            self._attachment.connection.send_within(message, _SEND)
        except Unavailable:
            self._attachment = None

    def receive(self, seconds: float) -> Message | None:
        """The next message about pauses, or `None` after so many seconds."""
        end = real.monotonic() + seconds
        while self._attachment is not None:
            left = max(0.0, end - real.monotonic())
            try:
                message = self._attachment.connection.receive_within(left)
            except Unavailable:
                self._attachment = None
                break
            if message is None or message["type"] in ("ask", "look"):
                return message
            self._others.append(message)
        real_sleep(max(0.0, end - real.monotonic()))
        return None

    def close(self) -> None:
        if self._attachment is not None:
            self._attachment.connection.put_back(self._others)


#: As it was before any test replaced it.
real_sleep = time.sleep
