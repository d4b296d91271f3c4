"""The host's socket while a test is paused, or orchestrated."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable

from ..attachment import Attachment
from ..connection import Message, Refused, Unavailable, wait_for
from . import real

#: Seconds between two looks for another core, how often there are any, and how long
#: one may take to start.
_REJOIN, _TRIES, _START = 0.5, 5, 3.0

#: Seconds after which a core that was there and is gone does not count as a try.
_STABLE = 10.0

#: Seconds for a line to be taken by a host that is alive.
_SEND = 5.0


class Channel:
    """What arrives and is not `wanted` is kept for those whom it is for."""

    def __init__(
        self,
        attachment: Attachment | None,
        start_core: Callable[[float], str],
        *wanted: str,
    ) -> None:
        self._wanted = wanted
        #: Takes a deadline and returns an address.
        self._start_core = start_core
        if attachment is not None and attachment.dropped:
            attachment = None  # the parent's, of this forked child
        #: None once the host is gone.
        self._attachment = attachment
        #: Goes on whatever becomes of the host.
        self.segments = None if attachment is None else attachment.segments
        self._others: list[Message] = []
        #: What had a host that is gone, and when to look for another one.
        self._gone: Attachment | None = None
        self._rejoin_at = 0.0
        self._tries = 0
        self._joined_at = real.monotonic()

    @property
    def is_open(self) -> bool:
        return self._attachment is not None

    def send(self, message: Message) -> None:
        if self._attachment is None:
            return
        try:
            self._attachment.connection.send_within(message, _SEND)
        except Unavailable:
            self._lose()

    @property
    def is_lost(self) -> bool:
        """There is no host, and there will be none."""
        return self._attachment is None and (self._gone is None or self._tries >= _TRIES)

    def receive(self, seconds: float, bell: int | None = None) -> Message | None:
        """The next message that is wanted, or `None` after so many seconds.

        Or once the file descriptor `bell` can be read.
        """
        end = real.monotonic() + seconds
        while self._attachment is not None:
            left = max(0.0, end - real.monotonic())
            try:
                if bell is not None:
                    self._attachment.connection.wait(left, bell)
                    left = 0.0
                message = self._attachment.connection.receive_within(left)
            except Unavailable:
                self._lose()
                if bell is not None:
                    return None  # whoever is that patient looks for another host first
                break
            if message is None or message["type"] in self._wanted:
                return message
            self._others.append(message)
        left = max(0.0, end - real.monotonic())
        if bell is not None:
            wait_for(left, bell)
        else:
            real_sleep(left)
        return None

    def _lose(self) -> None:
        now = real.monotonic()
        self._gone, self._attachment = self._attachment, None
        self._rejoin_at = now + _REJOIN
        if now - self._joined_at > _STABLE:
            self._tries = 0

    def rejoins(self) -> bool:
        """Whether another core has taken the run over, one that was started here or elsewhere."""
        gone, now = self._gone, real.monotonic()
        if gone is None or now < self._rejoin_at or self._tries >= _TRIES:
            return False
        self._rejoin_at = now + _REJOIN
        self._tries += 1
        for find in (_written_address, lambda _: self._start_core(real.monotonic() + _START)):
            # Its parts say what is wrong by these two; there is always the file protocol.
            with contextlib.suppress(Unavailable, Refused):
                gone.rejoin(find(gone), real.monotonic() + _START)
                self._attachment, self._gone = gone, None
                self._joined_at = real.monotonic()
                return True
        return False

    def close(self) -> None:
        if self._attachment is not None:
            self._attachment.connection.put_back(self._others)


def _written_address(attachment: Attachment) -> str:
    """Of the core that works on the run, as it has written it into the run's folder."""
    file = os.path.join(os.path.dirname(attachment.welcome.segments), "core")
    try:
        return str(json.loads(real.read_text(file))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"no core works on this run ({error})") from None


#: As it was before any test replaced it.
real_sleep = time.sleep
