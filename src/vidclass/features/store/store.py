"""Feature store: a Lance table for each feature setting, appended to in transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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

_READ_CLIPS = 256


@dataclass(frozen=True)
class Compaction:
    """Settings of merging the small files that appends leave, one each.

    Attributes:
        every_appends: Number of appends between two compactions of a writer.
        steps: Pairs (clips, files): more than `files` files of fewer than `clips` clips are merged
            into files of that many clips.  With two steps a clip is written three times at most,
            however many appends there are.
        keep_merged: Time before merged files are removed; readers may still use them.
    """

    every_appends: int = 64
    steps: tuple[tuple[int, int], ...] = ((64, 8), (1024, 32))
    keep_merged: timedelta = timedelta(minutes=10)


DEFAULT_COMPACTION = Compaction()


def default_store_folder() -> Path:
    """Return the folder of the feature store in the cache."""
    return cache_folder() / "features"


def table_path(folder: Path, settings: str) -> Path:
    """Return the path of the table of a feature setting, which names the store format."""
    return folder / f"{settings}.v{STORE_FORMAT}.lance"


class FeatureStore:
    """Features of many clips under one feature setting, by key.

    A killed writer leaves the table as it was after its last append; two writers may append at
    once (Lance commits one version at a time and retries).  A key written twice counts once.

    Args:
        folder: Folder of the store.
        settings: Fingerprint of the feature setting.
        width: D, the width of the features.
        description: Text that describes the setting, written beside the table.
        compaction: When small files are merged.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: str,
        width: int,
        description: str,
        compaction: Compaction = DEFAULT_COMPACTION,
    ) -> None:
        self.folder = folder
        self._path = table_path(folder, settings)
        self._description = description
        self._schema = schema_of(width)
        self._width = width
        self._compaction = compaction
        self._rows: dict[str, int] = {}
        self._seen_version = -1
        self._begun = False
        self._appends = 0
        self._reading = Lock()  # one thread reads training clips, another validation clips

    def missing(self, keys: Sequence[str]) -> set[str]:
        """Return the keys that are not stored.

        Raises:
            StoreError: the table cannot be read.
        """
        try:
            self._refresh()
        except StoreError:
            self._refresh()
        return set(keys) - self._rows.keys()

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        """Return the stored features by key, without the keys that are not stored.

        Raises:
            StoreError: the table cannot be read.
        """
        with self._reading:
            try:
                clips = self._read(keys)
            except StoreError:
                # Another process may have merged files and removed those that were being read.
                clips = self._read(keys)
        if clips:
            self._record_use()
        return {key: clips[key] for key in keys if key in clips}

    def begin(self) -> None:
        """Create the table if there is none, before any work whose results could not be written.

        Lance creates a table by overwriting it: of two processes that did so at once, one would
        lose its clips.  So an empty table is written elsewhere and renamed.

        Raises:
            StoreError: the folder cannot be written, or another kind of table is there.
        """
        if self._begun:
            return
        try:
            if not self._path.exists():
                self._create()
        except Exception as error:
            raise self._unwritable(error) from error
        self._open()
        self._begun = True

    def _create(self) -> None:
        with making_folder(self._path) as temp:
            lance.write_dataset(self._schema.empty_table(), str(temp), mode="create")
            write_text(self._path.with_suffix(".json"), self._description)

    def append(self, clips: Mapping[str, tuple[str, ClipFeatures]]) -> None:
        """Add clips by key, each a pair (video, features): all of them or, on a failure, none.

        Raises:
            StoreError: the folder cannot be written.
            ShapeError: features have another width than the store.
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
        if self._appends % self._compaction.every_appends == 0:
            self.compact()

    def compact(self) -> None:
        """Merge the small files that many appends leave; readers are not disturbed.

        This is best effort: a full disk, or another process that compacts too, is no error.
        """
        try:
            if not self._path.exists():
                return
            for clips, max_files in self._compaction.steps:
                table = self._open()
                small = sum(part.metadata.num_rows < clips for part in table.get_fragments())
                if small > max_files:
                    # Wide features of a few dozen clips at a time: memory stays bounded.
                    table.optimize.compact_files(target_rows_per_fragment=clips, batch_size=32)
                    table.cleanup_old_versions(older_than=self._compaction.keep_merged)
        except BaseException as error:
            if not from_lance(error) and not isinstance(error, StoreError):
                raise

    def _read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        table = self._refresh()
        clips: dict[str, ClipFeatures] = {}
        if table is None:
            return clips
        # Reading in the order of the table is twice as fast.
        rows = sorted({self._rows[key] for key in keys if key in self._rows})
        for start in range(0, len(rows), _READ_CLIPS):
            with reading_table(self._path):
                stored = list(decode(take(table, rows[start : start + _READ_CLIPS])))
            for clip in stored:
                if not clip.intact:
                    raise StoreError(
                        f"the features of {clip.video} in {self._path} are damaged. Remove that "
                        "table with `vidclass features prune` and run the same command"
                    )
                clips[clip.key] = clip.clip
        return clips

    def _refresh(self) -> lance.LanceDataset | None:
        """Open the newest version of the table and update the map from keys to rows."""
        with reading_table(self._path):
            exists = self._path.exists()
        if not exists:
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

    def _record_use(self) -> None:
        # The modification time of this file tells when the table was last used.
        with suppress(OSError):
            write_text(self._path.with_suffix(".json"), self._description)

    def _unwritable(self, error: BaseException) -> StoreError:
        return StoreError(
            f"cannot write features to {self._path}: {reason(error)}. What was stored before is "
            "kept; free some disk space, or choose another `store_folder`"
        )
