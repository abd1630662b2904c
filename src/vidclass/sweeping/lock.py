"""One sweep at a time in a folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from vidclass.errors import RunError


@contextmanager
def only_one(file: Path) -> Iterator[None]:
    """Hold a lock until the block ends; the system takes it back from a process that is killed.

    SQLite's locks work alike on every system, so the lock is that of an empty database.

    Raises:
        RunError: another process holds it, or the file cannot be written.
    """
    with closing(_locked(file)):
        yield


def _locked(file: Path) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(file, timeout=0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        if not isinstance(error, sqlite3.OperationalError):
            raise RunError(f"{file} is not what a sweep wrote: remove it") from error
        if "locked" in str(error):
            raise RunError(
                f"another sweep is running in {file.parent}: wait for it, or name another folder"
            ) from error
        raise RunError(f"cannot lock {file}: {error}") from error
    return connection
