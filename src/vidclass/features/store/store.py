"""Stored features: a Lance table for each setting, appended to in whole transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock

import lance

from vidclass._core.files import cache_folder, making_folder, write_text
from vidclass.errors import ShapeError, StoreError
from vidclass.features.store.table import (
    STORE_FORMAT,
    decode,
    encode,
    from_lance,
    open_table,
    reading_table,
    reason,
    schema_of,
    take,
    width_of,
)
from vidclass.types import ClipFeatures

# Each append leaves a file.  Where there are more than `most` files of fewer clips than `clips`,
# they are joined into files of so many; in two steps, so that a clip is written three times at
# most, however many appends there are.
_JOIN_STEPS = ((64, 8), (1024, 32))  # (clips, most)
_JOIN_EVERY_APPENDS = 64
# Readers may still be at work on files that have been joined.
_KEEP_JOINED = timedelta(minutes=10)
_READ_CLIPS = 256


def default_store_folder() -> Path:
    """Where features are kept unless the user says otherwise."""
    return cache_folder() / "features"


def table_path(folder: Path, settings: str) -> Path:
    """Where the features of a setting lie; another store format has another name."""
    return folder / f"{settings}.v{STORE_FORMAT}.lance"


class FeatureStore:
    """The features of many clips under one setting, by key.

    A killed writer leaves the table as it was after its last append; two writers may append at
    once (Lance commits a version at a time and retries).  A key written twice counts once.
    """

    def __init__(self, folder: Path, *, settings: str, width: int, description: str) -> None:
        self._path = table_path(folder, settings)
        self._description = description
        self._schema = schema_of(width)
        self._width = width
        self._rows: dict[str, int] = {}
        self._seen_version = -1
        self._begun = False
        self._appends = 0
        self._reading = Lock()  # training and validation clips are read by a thread each

    def missing(self, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that are not stored.

        Raises:
            StoreError: the table cannot be read.
        """
        try:
            self._refresh()
        except StoreError:
            self._refresh()
        return set(keys) - self._rows.keys()

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        """The stored features of `keys`; keys that are not stored are left out.

        Raises:
            StoreError: the table cannot be read.
        """
        with self._reading:
            try:
                found = self._read(keys)
            except StoreError:
                # Another process may have joined files and removed those that were being read.
                found = self._read(keys)
        if found:
            self._note_use()
        return {key: found[key] for key in keys if key in found}

    def begin(self) -> None:
        """Put an empty table in place if there is none: better now than after the first clips.

        Lance's own way to create a table is to overwrite it: of two processes that begin at once
        one would lose its clips.

        Raises:
            StoreError: the folder cannot be written, or holds a table that is none of ours.
        """
        if self._begun:
            return
        try:
            if not self._path.exists():
                self._make()
        except Exception as error:
            raise self._unwritable(error) from error
        self._open()
        self._begun = True

    def _make(self) -> None:
        with making_folder(self._path) as temp:
            lance.write_dataset(self._schema.empty_table(), str(temp), mode="create")
            write_text(self._path.with_suffix(".json"), self._description)

    def append(self, clips: Mapping[str, tuple[str, ClipFeatures]]) -> None:
        """Add clips: key to (video, features), all of them or, on any failure, none.

        Raises:
            StoreError: the folder cannot be written.
            ShapeError: features are not as wide as the store's.
        """
        if not clips:
            return
        for key, (_, clip) in clips.items():
            if clip.features.shape[1] != self._width:
                raise ShapeError(
                    f"the features of clip {key} are {clip.features.shape[1]} wide, but those in "
                    f"{self._path} are {self._width} wide"
                )
        rows = encode(clips, self._schema)
        self.begin()
        try:
            lance.write_dataset(rows, str(self._path), mode="append")
        except BaseException as error:
            if not from_lance(error):
                raise
            raise self._unwritable(error) from error
        self._appends += 1
        if self._appends % _JOIN_EVERY_APPENDS == 0:
            self.compact()

    def compact(self) -> None:
        """Join the small files that many appends leave; readers go on undisturbed.

        This is upkeep: what stands in its way, a full disk or another process that does the same,
        is no error.
        """
        try:
            if not self._path.exists():
                return
            for clips, most in _JOIN_STEPS:
                table = self._open()
                if sum(part.metadata.num_rows < clips for part in table.get_fragments()) > most:
                    # Wide features of a few dozen clips at a time: memory stays bounded.
                    table.optimize.compact_files(target_rows_per_fragment=clips, batch_size=32)
                    table.cleanup_old_versions(older_than=_KEEP_JOINED)
        except BaseException as error:
            if not from_lance(error) and not isinstance(error, StoreError):
                raise

    def _read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        table = self._refresh()
        found: dict[str, ClipFeatures] = {}
        if table is None:
            return found
        # In the order of the table: twice as quick as in any other.
        known = sorted({key for key in keys if key in self._rows}, key=self._rows.__getitem__)
        for start in range(0, len(known), _READ_CLIPS):
            rows = [self._rows[key] for key in known[start : start + _READ_CLIPS]]
            with reading_table(self._path):
                stored = list(decode(take(table, rows)))
            for clip in stored:
                if not clip.whole:
                    raise StoreError(
                        f"the features of {clip.video} in {self._path} are damaged. Remove that "
                        "table with `vidclass features prune --damaged` and run the same command"
                    )
                found[clip.key] = clip.clip
        return found

    def _refresh(self) -> lance.LanceDataset | None:
        """The newest version of the table, with the map from keys to rows brought up to date."""
        with reading_table(self._path):
            there = self._path.exists()
        if not there:
            return None
        table = self._open()
        if table.version != self._seen_version:
            with reading_table(self._path):
                keys = take(table, list(range(table.count_rows())), "key")["key"].to_pylist()
            self._rows = {key: row for row, key in enumerate(keys)}
            self._seen_version = table.version
        return table

    def _open(self) -> lance.LanceDataset:
        table = open_table(self._path)
        if width_of(table) != self._width:
            raise StoreError(
                f"the features in {self._path} are {width_of(table)} wide, not {self._width}. Move "
                "that folder away and run the same command again"
            )
        return table

    def _note_use(self) -> None:
        # The time of this file says when the table was last of use.
        with suppress(OSError):
            write_text(self._path.with_suffix(".json"), self._description)

    def _unwritable(self, error: BaseException) -> StoreError:
        return StoreError(
            f"cannot write features to {self._path}: {reason(error)}. What was stored before is "
            "kept; free some disk space, or name another folder with --store"
        )
