"""Folders that are this user's alone."""

from __future__ import annotations

import contextlib
import os
import stat

from . import real


class Unusable(Exception):
    """A folder that pauses cannot be kept in. The text says why, in one line."""


def make_top(path: str, *, named: bool) -> None:
    """The folder of all runs; `named` by the user, or the default below the temporary folder.

    One that is there may have any mode, since it may be a project's: nothing but
    `runs` is made in it.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        # The user may name a link; in a folder that others write to, it may be theirs.
        found = real.stat(path) if named else real.lstat(path)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    _check(path, found)
    sticky = found.st_mode & stat.S_ISVTX
    if found.st_mode & stat.S_IWOTH and not sticky:
        raise Unusable(f"{path}: everybody can write to it")


def make_private(path: str) -> None:
    """Mode 0700, and refused where it is somebody else's or a link."""
    try:
        with contextlib.suppress(FileExistsError):
            real.mkdir(path, 0o700)
        found = real.lstat(path)
        _check(path, found)
        if stat.S_IMODE(found.st_mode) != 0o700:
            real.chmod(path, 0o700)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None


def _check(path: str, found: os.stat_result) -> None:
    if not stat.S_ISDIR(found.st_mode):
        raise Unusable(f"{path}: not a folder")
    if found.st_uid != real.geteuid():
        raise Unusable(f"{path}: somebody else's folder")
