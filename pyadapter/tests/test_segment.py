from __future__ import annotations

import errno
import json
import os
import signal
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import segments

from pytest_host import segment
from pytest_host.segment import Segments

SIZE = 8192


def writer(folder: Path, *, unread_bytes: int = 1 << 20) -> Segments:
    return Segments(str(folder), "main-1", segment_bytes=SIZE, unread_bytes=unread_bytes)


def frame(number: int, size: int = 0) -> bytes:
    return json.dumps({"n": number, "x": "x" * size}).encode()


def numbers(folder: Path) -> list[int]:
    return [each["n"] for each in segments.read(folder, "main-1") if "n" in each]


@pytest.mark.parametrize("size", range(9))
def test_round_trip_of_every_padding(tmp_path: Path, size: int) -> None:
    out = writer(tmp_path)
    for number in range(3):
        out.append(frame(number, size))
    assert numbers(tmp_path) == [0, 1, 2]


def test_layout(tmp_path: Path) -> None:
    out = writer(tmp_path)
    out.append(b"{}")
    data = (tmp_path / "main-1.0.seg").read_bytes()
    assert len(data) == SIZE
    assert data[:16] == b"pyhseg\x00\x01" + struct.pack("<II", os.getpid(), 0)
    assert data[16:32] == struct.pack("<II", 2, zlib.crc32(b"{}")) + b"{}" + bytes(6)
    assert not any(data[32:])


def test_torn_frame_is_not_read(tmp_path: Path) -> None:
    out = writer(tmp_path)
    out.append(frame(0))
    out.append(frame(1))
    path = tmp_path / "main-1.0.seg"
    data = bytearray(path.read_bytes())
    data[data.index(b'"n": 1')] ^= 1
    path.write_bytes(data)
    assert numbers(tmp_path) == [0]


def test_goes_on_in_next_file(tmp_path: Path) -> None:
    out = writer(tmp_path)
    for number in range(100):
        out.append(frame(number, 500))
    assert numbers(tmp_path) == list(range(100))
    *full, last = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.split(".")[1]))
    assert len(full) > 5
    assert all(segments.goes_on(path) for path in full)
    assert not segments.goes_on(last)


def test_huge_frame_gets_a_file_of_its_size(tmp_path: Path) -> None:
    out = writer(tmp_path)
    for number, size in enumerate((10, 5 * SIZE, 10)):
        out.append(frame(number, size))
    assert numbers(tmp_path) == [0, 1, 2]
    assert (tmp_path / "main-1.1.seg").stat().st_size > 5 * SIZE
    assert (tmp_path / "main-1.2.seg").stat().st_size == SIZE


def test_bound_on_unread(tmp_path: Path) -> None:
    out = writer(tmp_path, unread_bytes=2 * SIZE)
    for number in range(100):
        out.append(frame(number, 500))
    kept = numbers(tmp_path)
    assert kept == list(range(len(kept)))
    assert out.left_out == 100 - len(kept) > 0
    assert len(list(tmp_path.iterdir())) == 2


def test_gap_is_told_once_the_host_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "_RETRY_AFTER", 0)
    out = writer(tmp_path, unread_bytes=2 * SIZE)
    for number in range(100):
        out.append(frame(number, 500))
    kept = len(numbers(tmp_path))
    (tmp_path / "main-1.0.seg").unlink()
    out.append(frame(100))
    gap, after = list(segments.payloads(tmp_path / "main-1.2.seg", 2))
    assert segments.goes_on(tmp_path / "main-1.1.seg")
    told = json.loads(gap)
    assert told.pop("t") > 0
    reason = told.pop("reason")
    assert reason == f"the host is {2 * SIZE} bytes behind"
    assert told == {"k": "gap", "first": kept, "count": 100 - kept}
    assert json.loads(after)["n"] == 100


def test_gap_is_told_at_the_end(tmp_path: Path) -> None:
    out = writer(tmp_path, unread_bytes=SIZE)
    out.append(frame(0))
    out.append(frame(1, SIZE))
    (tmp_path / "main-1.0.seg").unlink()
    out.close()
    (gap,) = map(json.loads, segments.payloads(tmp_path / "main-1.1.seg", 1))
    assert (gap["first"], gap["count"]) == (1, 1)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "_RETRY_AFTER", 0)
    full = True

    def reserve(fd: int, size: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(fd, size)

    monkeypatch.setattr(segment, "_reserve", reserve)
    out = writer(tmp_path)
    out.append(frame(0))
    out.append(frame(1))
    assert list(tmp_path.iterdir()) == []
    full = False
    out.append(frame(2))
    gap, after = segments.read(tmp_path, "main-1")
    assert (gap["first"], gap["count"], gap["reason"]) == (0, 2, "No space left on device")
    assert after["n"] == 2


def test_failing_disk_is_not_tried_for_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def reserve(fd: int, size: int) -> None:
        nonlocal tries
        tries += 1
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(segment, "_reserve", reserve)
    monkeypatch.setattr(segment, "_RETRY_AFTER", 60)
    out = writer(tmp_path)
    for number in range(100):
        out.append(frame(number))
    assert tries == 1
    assert out.left_out == 100


def test_folder_is_gone(tmp_path: Path) -> None:
    out = writer(tmp_path / "gone")
    out.append(frame(0))
    out.close()
    assert out.left_out == 1


@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.EINVAL])
def test_file_system_that_cannot_allocate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def allocate(fd: int, offset: int, size: int) -> None:
        raise OSError(error, "no")

    monkeypatch.setattr(segment._Real, "allocate", staticmethod(allocate))
    out = writer(tmp_path)
    out.append(frame(0))
    assert numbers(tmp_path) == [0]
    status = (tmp_path / "main-1.0.seg").stat()
    assert status.st_blocks * 512 >= status.st_size == SIZE


def test_space_is_allocated(tmp_path: Path) -> None:
    writer(tmp_path).append(frame(0))
    status = (tmp_path / "main-1.0.seg").stat()
    assert status.st_blocks * 512 >= status.st_size == SIZE


@pytest.mark.parametrize("after", ["payload", "publishing"])
def test_interrupted_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    out = writer(tmp_path)
    out.append(frame(0))
    publish = segment._pack_header

    def interrupt(*args: Any) -> None:
        if after == "publishing":
            publish(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(segment, "_pack_header", interrupt)
    with pytest.raises(KeyboardInterrupt):
        out.append(frame(1))
    monkeypatch.undo()
    out.append(frame(2))
    assert numbers(tmp_path) == ([0, 1, 2] if after == "publishing" else [0, 2])


def test_interrupted_roll_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = writer(tmp_path)
    out.append(frame(0))
    switch = Segments._switch

    def interrupt(self: Segments, incoming: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Segments, "_switch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        out.append(frame(1, SIZE))
    monkeypatch.setattr(Segments, "_switch", switch)
    out.append(frame(2, SIZE))
    out.append(frame(3))
    assert numbers(tmp_path) == [0, 2, 3]


def test_half_a_payload_is_wiped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a shorter frame leaves its rest where the next header is looked for."""

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    out = writer(tmp_path)
    for number, size in enumerate((500, 300, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(segment, "_pack_header", interrupt)
            with pytest.raises(KeyboardInterrupt):
                out.append(frame(-1, size))
        out.append(frame(number))
    assert numbers(tmp_path) == [0, 1, 2]
    assert b"-1" not in (tmp_path / "main-1.0.seg").read_bytes()


def test_interrupted_anywhere(tmp_path: Path) -> None:
    """A signal may come between any two instructions."""
    armed = False

    def interrupt(*_: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    out = writer(tmp_path)
    interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    try:
        for number in range(5000):
            payload = frame(number, 40)
            try:
                armed = True
                out.append(payload)
                armed = False
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    out.append(frame(5000))
    kept = numbers(tmp_path)
    assert kept == sorted(set(kept))
    assert kept[-1] == 5000
    assert interrupted
    assert len(kept) >= 5000 - interrupted


def test_survives_chdir_and_relative_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    out = Segments(".", "main-1", segment_bytes=SIZE, unread_bytes=1 << 20)
    out.append(frame(0))
    os.chdir("elsewhere")
    out.append(frame(1, SIZE))
    assert numbers(tmp_path) == [0, 1]


def test_forked_child_writes_nothing(tmp_path: Path) -> None:
    out = writer(tmp_path)
    out.append(frame(0))
    pid = os.fork()
    if pid == 0:
        out.drop()
        out.append(frame(1))
        out.append(frame(2, SIZE))
        os._exit(0)
    os.waitpid(pid, 0)
    out.append(frame(3))
    assert numbers(tmp_path) == [0, 3]
