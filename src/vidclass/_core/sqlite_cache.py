"""Best-effort SQLite tables, for what can be computed again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

# Time to wait for a locked database.
BUSY_S = 5.0


class SqliteCache:
    """A SQLite table of a cache; any error disables it, and damage removes the file.

    Several processes may use it at once.

    Args:
        file: The database.
        table: Statement that creates the table if it is missing.
        fast: Do not wait for the disk.  A power cut may then damage the file.
    """

    def __init__(self, file: Path, table: str, *, fast: bool = False) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, timeout=BUSY_S, check_same_thread=False)
            if fast:
                self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(table)
        except (OSError, sqlite3.Error) as error:
            self._disable(error)

    def run(self, command: str, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Run a command once for each row of parameters, all or none; return its results."""
        if self._connection is None:
            return []
        try:
            with self._connection as connection:
                return [result for row in rows for result in connection.execute(command, row)]
        except sqlite3.Error as error:
            self._disable(error)
            return []

    def close(self) -> None:
        """Close the database."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _disable(self, error: Exception) -> None:
        self.close()
        # An operational error, such as a lock, may pass; any other means damage.
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        ):
            with suppress(OSError):
                self._file.unlink()
