"""Maintenance of the feature store: list tables, verify them, remove them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np

from vidclass.errors import ConfigError, StoreError
from vidclass.features.failures import RECORD_FILE, record_path
from vidclass.features.store.table import (
    STORE_FORMAT,
    StoredClip,
    decode,
    from_lance,
    open_table,
    reason,
    take,
)
from vidclass.types import Progress, no_progress

# Only names that the store writes: the folder may hold other things.
_TABLE = re.compile(r"(?P<settings>[0-9a-f]{32})(\.v(?P<format>\d+))?\.lance")
_LEFTOVER = re.compile(r"\.[0-9a-f]{32}(\.v\d+)?\.(lance\..+|\d+\.tmp\.json)")
_LEFTOVER_AGE = timedelta(days=1)
_KEY = re.compile(r"[0-9a-f]{32}")
_BLOCK_CLIPS = 64
_MAX_PROBLEMS = 5


@dataclass(frozen=True)
class StoredTable:
    """Stored features of one feature setting.

    Attributes:
        path: The table.
        settings: Fingerprint of everything that changes the features of a clip.
        format: Store format.
        config: Backbone, sampling and so on; empty if unknown.
        clips: Number of clips; None if the table cannot be opened.
        size_bytes: Size on disk.
        last_used: Time when clips were last read or added.
    """

    path: Path
    settings: str
    format: int
    config: dict[str, Any]
    clips: int | None
    size_bytes: int
    last_used: datetime

    @property
    def current(self) -> bool:
        """True if this version of vidclass reads the table."""
        return self.format == STORE_FORMAT


@dataclass(frozen=True)
class TableCheck:
    """Result of reading every clip of a table.

    Attributes:
        table: The table.
        intact: Number of different intact clips.
        duplicates: Number of further rows of these clips, which do no harm.
        problems: The first problems, a sentence each.
    """

    table: StoredTable
    intact: int
    duplicates: int
    problems: tuple[str, ...]


def stored_tables(folder: Path) -> list[StoredTable]:
    """Return every table in a folder, the last used first.

    Raises:
        StoreError: the folder cannot be listed.
    """
    tables = []
    for path in _entries(folder):
        name = _TABLE.fullmatch(path.name)
        if name and path.is_dir():
            tables.append(_read_table(path, name["settings"], int(name["format"] or 1)))
    return sorted(tables, key=lambda table: table.last_used, reverse=True)


def leftovers(folder: Path, *, now: datetime | None = None) -> list[Path]:
    """Return what killed processes left at least a day ago, so that no process still uses it.

    Failure records without a table count too.

    Raises:
        StoreError: the folder cannot be listed.
    """
    until = ((now or datetime.now(UTC)) - _LEFTOVER_AGE).timestamp()
    entries = _entries(folder)
    tables = {name["settings"] for path in entries if (name := _TABLE.fullmatch(path.name))}

    def is_leftover(name: str) -> bool:
        record = RECORD_FILE.fullmatch(name)
        return record["settings"] not in tables if record else bool(_LEFTOVER.fullmatch(name))

    return [path for path in entries if is_leftover(path.name) and path.lstat().st_mtime < until]


def verify_table(table: StoredTable, progress: Progress = no_progress) -> TableCheck:
    """Read every clip of a table.

    Args:
        table: A table of this store format.
        progress: Callback; reports stage `verify`, in clips.
    """
    try:
        dataset = open_table(table.path)
        count = dataset.count_rows()
    except BaseException as error:
        if not (from_lance(error) or isinstance(error, StoreError)):
            raise
        return TableCheck(table, 0, 0, (str(error),))
    keys: set[str] = set()
    problems: list[str] = []
    duplicates = 0
    for start in range(0, count, _BLOCK_CLIPS):
        stop = min(start + _BLOCK_CLIPS, count)
        for clip in _clips_or_problems(dataset, range(start, stop)):
            if isinstance(clip, str):
                problems.append(clip)
            elif clip.key in keys:
                duplicates += 1
            else:
                keys.add(clip.key)
        progress("verify", stop, count)
    shown = problems[:_MAX_PROBLEMS]
    if len(problems) > len(shown):
        shown.append(f"... and {len(problems) - len(shown)} more problems")
    return TableCheck(table, len(keys), duplicates, tuple(shown))


def tables_of_settings(tables: Sequence[StoredTable], fingerprint: str) -> list[StoredTable]:
    """Return the tables of the one feature setting whose fingerprint begins with `fingerprint`.

    Raises:
        ConfigError: no setting, or several, have such a fingerprint.
    """
    stored = sorted({table.settings for table in tables})
    matches = [settings for settings in stored if settings.startswith(fingerprint)]
    if len(matches) != 1 or not fingerprint:
        raise ConfigError(
            f"settings={fingerprint!r} fits {len(matches)} of the stored settings; there are "
            f"{', '.join(stored) or 'none'}"
        )
    return [table for table in tables if table.settings == matches[0]]


def size_of(path: Path) -> int:
    """Return the bytes in a file, or in all files under a folder."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    sizes = []
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                sizes.append(os.lstat(os.path.join(folder, name)).st_size)
            except FileNotFoundError:
                continue  # a process that merges files has just removed it
    return sum(sizes)


def remove(paths: Iterable[Path]) -> None:
    """Remove leftovers, and tables with their descriptions and failure records.

    A table is renamed to a leftover first, so that half of one never looks whole.

    Raises:
        StoreError: something cannot be removed.
    """
    for path in paths:
        try:
            if table := _TABLE.fullmatch(path.name):
                record_path(path.parent, table["settings"]).unlink(missing_ok=True)
                leftover = path.with_name(f".{path.name}.{os.getpid()}")
                path.with_suffix(".json").unlink(missing_ok=True)
                path.rename(leftover)
                path = leftover
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot remove {path}: {error.strerror}. Change its permissions, or remove it by "
                "hand"
            ) from error


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            f"cannot list the feature store {folder}: {error.strerror}. Choose another "
            "`store_folder`"
        ) from error


def _read_table(path: Path, settings: str, number: int) -> StoredTable:
    description = path.with_suffix(".json")
    try:
        config = json.loads(description.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    try:
        clips = lance.dataset(str(path)).count_rows()
    except BaseException as error:
        if not from_lance(error):
            raise
        clips = None
    times = [file.stat().st_mtime for file in (description, path / "_versions") if file.exists()]
    return StoredTable(
        path,
        settings,
        number,
        config if isinstance(config, dict) else {},
        clips,
        size_of(path),
        datetime.fromtimestamp(max(times, default=path.stat().st_mtime), UTC),
    )


def _clips_or_problems(dataset: lance.LanceDataset, rows: range) -> Iterator[StoredClip | str]:
    """Yield each clip of these rows, or a sentence about its damage."""
    try:
        block = take(dataset, list(rows))
    except BaseException as error:
        if not from_lance(error):
            raise
        yield f"rows {rows.start} to {rows.stop - 1} cannot be read: {reason(error)}"
        return
    for number, row in enumerate(rows):
        try:
            [clip] = decode(block.slice(number, 1))
        except Exception as error:
            yield f"row {row} is damaged: {reason(error)}"
            continue
        problem = _problem_of(clip)
        yield f"row {row}, the clip {clip.key} of {clip.video}: {problem}" if problem else clip


def _problem_of(stored: StoredClip) -> str:
    clip = stored.clip
    if not _KEY.fullmatch(stored.key):
        return "its key is not valid"
    if not stored.intact:
        return "its checksum does not match"
    if not np.isfinite(clip.features).all():
        return "its features are not all finite"
    if not np.isfinite(clip.timestamps_s).all() or (np.diff(clip.timestamps_s) < 0).any():
        return "its times do not increase"
    return ""
