"""A WebSocket client that does nothing by itself: it answers no ping and reads when told to."""

from __future__ import annotations

import os
import socket
import struct
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class PlainSocket:
    """Frames as they are; nothing that is sent here is longer than 125 bytes."""

    def __init__(self, url: str, path: str, token: str, buffer: int | None = None) -> None:
        address = urlsplit(url)
        self._socket = socket.socket()
        if buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.settimeout(30)
        self._socket.connect((address.hostname, address.port))
        self._file = self._socket.makefile("rb")
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {address.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
            f"Authorization: Bearer {token}",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        self.status = self._file.readline().decode().strip()
        while self._file.readline().strip():
            pass

    def send(self, payload: str | bytes, kind: int = TEXT) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        assert len(data) < 126
        self._socket.sendall(bytes([0x80 | kind, 0x80 | len(data)]) + mask + masked)

    def receive(self) -> tuple[int, bytes]:
        """The next frame; its kind and what it holds. Nothing at all where the connection ended."""
        head = self._file.read(2)
        if len(head) < 2:
            return 0, b""
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._file.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._file.read(8))
        return head[0] & 0x0F, self._file.read(length)

    def pings(self, count: int) -> list[tuple[int, bytes]]:
        """Reads until so many pings came; answers with what else there was."""
        others = []
        while count:
            frame = self.receive()
            assert frame[0], "it was cut off"
            if frame[0] == PING:
                count -= 1
            else:
                others.append(frame)
        return others

    def closing(self) -> tuple[int, str]:
        """Reads to the end: code and reason of the close frame, or 0 where none came."""
        try:
            while (frame := self.receive())[0]:
                if frame[0] == CLOSE:
                    (code,) = struct.unpack(">H", frame[1][:2])
                    return code, frame[1][2:].decode()
        except ConnectionError:
            pass
        return 0, ""

    def end(self) -> None:
        self._file.close()
        self._socket.close()
