"""The journals that a project's runs leave, looked at and damaged from outside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from support.project import Project


def runs(project: Project) -> list[str]:
    """Oldest first."""
    return sorted(path.name for path in (project.folder / ".pytest_host" / "runs").iterdir())


def journal_of(project: Project, run: str) -> Path:
    return project.folder / ".pytest_host" / "runs" / run / "journal.db"


def has_started(journal: Path, test: str) -> bool:
    """Whether it is recorded that the test has."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT 1 FROM events WHERE event LIKE '%TestStarted%' AND event LIKE ?", [f"%{test}%"]
        )
        return found.fetchone() is not None


def left(journal: Path) -> dict[str, int]:
    """How many events each sink has never been offered, or waits for."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT name, (SELECT max(seq) FROM events) - cursor"
            " + (SELECT count(*) FROM pending WHERE sink = name) FROM sinks"
        )
        return dict(found.fetchall())


def offered(journal: Path) -> dict[str, int]:
    """Up to which event each sink was offered them."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT name, cursor FROM sinks").fetchall())


def last(journal: Path) -> int:
    """The number of the last event."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        (seq,) = connection.execute("SELECT max(seq) FROM events").fetchone()
        return int(seq)


def damage(journal: Path) -> None:
    """Nothing but its header is left."""
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = journal.read_bytes()
    journal.write_bytes(content[:100] + b"x" * (len(content) - 100))


def make_newer(journal: Path) -> None:
    """As a later version of the host may write it."""
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version = 99")
