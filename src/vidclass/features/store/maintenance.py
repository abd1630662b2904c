"""Look after stored features: what there is, whether it is whole, what may go."""

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

# What the store makes, and nothing else: the folder may hold other things.
_TABLE = re.compile(r"(?P<settings>[0-9a-f]{32})(\.v(?P<format>\d+))?\.lance")
_LEFTOVER = re.compile(r"\.[0-9a-f]{32}(\.v\d+)?\.(lance\..+|\d+\.tmp\.json)")
_LEFT_FOR_GOOD = timedelta(days=1)
_KEY = re.compile(r"[0-9a-f]{32}")
_CLIPS_AT_A_TIME = 64
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class StoredTable:
    """The features of one setting.

    Attributes:
        path: The table.
        settings: The fingerprint of all that changes the features of a clip.
        format: The store format.
        config: Backbone, sampling and so on; empty where they are not known.
        clips: How many there are; None where the table cannot be opened.
        size_bytes: On disk.
        last_used: When clips were last read or added.
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
        """This version of vidclass reads it."""
        return self.format == STORE_FORMAT


@dataclass(frozen=True)
class TableCheck:
    """What a look at every clip of a table showed.

    Attributes:
        table: The table.
        sound: How many different clips are whole.
        duplicates: How many more rows there are of them, which is no damage.
        problems: What is wrong, a sentence each; the first few.
    """

    table: StoredTable
    sound: int
    duplicates: int
    problems: tuple[str, ...]


def stored_tables(folder: Path) -> list[StoredTable]:
    """Every table in a folder, the one used last first.

    Raises:
        StoreError: the folder cannot be listed.
    """
    found = []
    for path in _entries(folder):
        name = _TABLE.fullmatch(path.name)
        if name and path.is_dir():
            found.append(_look_at(path, name["settings"], int(name["format"] or 1)))
    return sorted(found, key=lambda table: table.last_used, reverse=True)


def leftovers(folder: Path, *, now: datetime | None = None) -> list[Path]:
    """What killed processes left behind, if it is a day old: until then one may be at work.

    Remembered failures whose table is gone count too.

    Raises:
        StoreError: the folder cannot be listed.
    """
    until = ((now or datetime.now(UTC)) - _LEFT_FOR_GOOD).timestamp()
    entries = _entries(folder)
    tables = {name["settings"] for path in entries if (name := _TABLE.fullmatch(path.name))}

    def is_left(name: str) -> bool:
        record = RECORD_FILE.fullmatch(name)
        return record["settings"] not in tables if record else bool(_LEFTOVER.fullmatch(name))

    return [path for path in entries if is_left(path.name) and path.lstat().st_mtime < until]


def check_table(table: StoredTable, progress: Progress = no_progress) -> TableCheck:
    """Read every clip of a table.

    Args:
        table: One of this store format.
        progress: Told of the stage `verify`, in clips.
    """
    try:
        opened = open_table(table.path)
        count = opened.count_rows()
    except BaseException as error:
        if not (from_lance(error) or isinstance(error, StoreError)):
            raise
        return TableCheck(table, 0, 0, (str(error),))
    keys: set[str] = set()
    problems: list[str] = []
    duplicates = 0
    for start in range(0, count, _CLIPS_AT_A_TIME):
        stop = min(start + _CLIPS_AT_A_TIME, count)
        for found in _clips(opened, range(start, stop)):
            if isinstance(found, str):
                problems.append(found)
            elif found.key in keys:
                duplicates += 1
            else:
                keys.add(found.key)
        progress("verify", stop, count)
    told = problems[:_MOST_PROBLEMS]
    if len(problems) > len(told):
        told.append(f"... and {len(problems) - len(told)} more problems")
    return TableCheck(table, len(keys), duplicates, tuple(told))


def with_settings(tables: Sequence[StoredTable], fingerprint: str) -> list[StoredTable]:
    """The tables of the one setting whose fingerprint begins so.

    Raises:
        ConfigError: there is none, or there are several.
    """
    known = sorted({table.settings for table in tables})
    fitting = [settings for settings in known if settings.startswith(fingerprint)]
    if len(fitting) != 1 or not fingerprint:
        raise ConfigError(
            f"settings={fingerprint!r} fits {len(fitting)} of the stored settings; there are "
            f"{', '.join(known) or 'none'}"
        )
    return [table for table in tables if table.settings == fitting[0]]


def size_of(path: Path) -> int:
    """Bytes in a file, or in all files under a folder."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    sizes = []
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                sizes.append(os.lstat(os.path.join(folder, name)).st_size)
            except FileNotFoundError:
                continue  # a process that joins files has just removed it
    return sum(sizes)


def remove(paths: Iterable[Path]) -> None:
    """Remove tables, with what describes them and the failures remembered there, and leftovers.

    A table first takes the name of a leftover, so that half of one never looks whole.

    Raises:
        StoreError: something cannot be removed.
    """
    for path in paths:
        try:
            if table := _TABLE.fullmatch(path.name):
                record_path(path.parent, table["settings"]).unlink(missing_ok=True)
                gone = path.with_name(f".{path.name}.{os.getpid()}")
                path.with_suffix(".json").unlink(missing_ok=True)
                path.rename(gone)
                path = gone
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot remove {path}: {error.strerror}. Change its rights, or remove it by hand"
            ) from error


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            f"cannot look into the store {folder}: {error.strerror}. Name another one with --store"
        ) from error


def _look_at(path: Path, settings: str, number: int) -> StoredTable:
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


def _clips(table: lance.LanceDataset, rows: range) -> Iterator[StoredClip | str]:
    """Each clip of these rows, or what is wrong with it."""
    try:
        found = take(table, list(rows))
    except BaseException as error:
        if not from_lance(error):
            raise
        yield f"rows {rows.start} to {rows.stop - 1} cannot be read: {reason(error)}"
        return
    for number, row in enumerate(rows):
        try:
            [clip] = decode(found.slice(number, 1))
        except Exception as error:
            yield f"row {row} is damaged: {reason(error)}"
            continue
        problem = _problem_of(clip)
        yield f"row {row}, the clip {clip.key} of {clip.video}: {problem}" if problem else clip


def _problem_of(stored: StoredClip) -> str:
    clip = stored.clip
    if not _KEY.fullmatch(stored.key):
        return "its key is none"
    if not stored.whole:
        return "its checksum does not fit"
    if not np.isfinite(clip.features).all():
        return "its features are not all finite"
    if not np.isfinite(clip.timestamps_s).all() or (np.diff(clip.timestamps_s) < 0).any():
        return "its times do not rise"
    return ""
