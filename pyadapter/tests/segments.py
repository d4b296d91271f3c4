"""Reader of segments, as the host has one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_host.segment import FILE_HEADER, FRAME_HEADER, GOES_ON, MAGIC

Frame = dict[str, Any]


def payloads(path: Path, number: int = 0) -> Iterator[bytes]:
    """Payloads of one file up to its mark, its end, or the first torn frame."""
    data = path.read_bytes()
    magic, _pid, n = FILE_HEADER.unpack_from(data)
    assert (magic, n) == (MAGIC, number)
    offset = FILE_HEADER.size
    while offset < len(data):
        size, checksum = FRAME_HEADER.unpack_from(data, offset)
        if size in (0, GOES_ON):
            return
        payload = data[offset + 8 : offset + 8 + size]
        if zlib.crc32(payload) != checksum:
            return
        yield payload
        offset += 8 + size + (-size & 7)
        assert offset <= len(data) - 8


def goes_on(path: Path) -> bool:
    """Whether the file ends with the mark."""
    data = path.read_bytes()
    offset = FILE_HEADER.size
    for payload in payloads(path, int(path.name.split(".")[-2])):
        offset += 8 + len(payload) + (-len(payload) & 7)
    size, _ = FRAME_HEADER.unpack_from(data, offset)
    return bool(size == GOES_ON)


def read(folder: Path, process: str) -> list[Frame]:
    """All frames of one process, in order."""
    frames = []
    number = 0
    while (path := folder / f"{process}.{number}.seg").exists():
        frames += [json.loads(payload.decode("utf-8")) for payload in payloads(path, number)]
        number += 1
    return frames


def processes(folder: Path) -> list[str]:
    """The session's process first, then the workers by name."""
    names = {path.name.split(".")[0] for path in folder.glob("*.seg")}
    return sorted(names, key=lambda name: (not name.startswith("main-"), name))
