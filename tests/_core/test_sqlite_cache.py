"""A SQLite cache keeps rows between processes, and no error of it is raised."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from vidclass._core import sqlite_cache
from vidclass._core.sqlite_cache import SqliteCache

TABLE = "CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY)"


def insert(file: Path, *words: str) -> None:
    with closing(SqliteCache(file, TABLE)) as cache:
        cache.run("INSERT OR REPLACE INTO words VALUES (?)", [(word,) for word in words])


def read(file: Path) -> list[str]:
    with closing(SqliteCache(file, TABLE, fast=True)) as cache:
        return [word for (word,) in cache.run("SELECT word FROM words ORDER BY word", [()])]


def test_rows_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "cache.sqlite"
    insert(file, "b", "a")
    insert(file, "a")
    assert read(file) == ["a", "b"]


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "cache.sqlite"
    file.write_text("no database, but long enough to be read as one" * 100)
    assert read(file) == []
    assert not file.exists()
    insert(file, "a")
    assert read(file) == ["a"]


def test_a_locked_file_is_kept_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_cache, "BUSY_S", 0.01)
    file = tmp_path / "cache.sqlite"
    insert(file, "a")
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        insert(file, "b")
        assert read(file) == []
    assert read(file) == ["a"]


def test_a_folder_that_cannot_be_made_disables_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    insert(tmp_path / "file" / "cache.sqlite", "a")
    assert read(tmp_path / "file" / "cache.sqlite") == []
