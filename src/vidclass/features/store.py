"""Stored features: a Lance table for each setting, appended to in whole transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa

from vidclass.errors import ShapeError, StoreError
from vidclass.files import cache_folder, making_folder, write_text
from vidclass.types import ClipFeatures


def default_store_folder() -> Path:
    """Where features are kept unless the user says otherwise."""
    return cache_folder() / "features"


class FeatureStore:
    """The features of many clips under one setting, by key.

    A killed writer leaves the table as it was after its last append; two writers may append at
    once (Lance commits a version at a time and retries).  A key written twice counts once.
    """

    def __init__(self, folder: Path, *, settings: str, width: int, description: str) -> None:
        self._uri = folder / f"{settings}.lance"
        self._description = description
        vector = pa.list_(pa.float16(), width)
        self._schema = pa.schema(
            [
                pa.field("key", pa.string(), nullable=False),
                pa.field("video", pa.string()),
                pa.field("timestamps_s", pa.list_(pa.float64())),
                pa.field("features", pa.list_(vector)),
            ]
        )
        self._width = width
        self._rows: dict[str, int] = {}
        self._seen_version = -1

    def missing(self, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that are not stored."""
        self._refresh()
        return set(keys) - self._rows.keys()

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        """The stored features of `keys`; keys that are not stored are left out.

        Raises:
            StoreError: the table cannot be read.
        """
        dataset = self._refresh()
        found = [key for key in dict.fromkeys(keys) if key in self._rows]
        if dataset is None or not found:
            return {}
        try:
            table = dataset.take([self._rows[key] for key in found])
        except Exception as error:
            raise self._unreadable(error) from error
        return {row["key"].as_py(): self._clip(row) for row in _rows(table)}

    def append(self, clips: Mapping[str, tuple[str, ClipFeatures]]) -> None:
        """Add clips: key to (video, features), all of them or, on any failure, none.

        Raises:
            StoreError: the folder cannot be written.
            ShapeError: features are not as wide as the store's.
        """
        if not clips:
            return
        values = [features for _, features in clips.values()]
        for key, value in zip(clips, values, strict=True):
            if value.features.shape[1] != self._width:
                raise ShapeError(
                    f"the features of clip {key} are {value.features.shape[1]} wide, but those in "
                    f"{self._uri} are {self._width} wide"
                )
        columns = [
            pa.array(list(clips), pa.string()),
            pa.array([video for video, _ in clips.values()], pa.string()),
            pa.array([value.timestamps_s for value in values], pa.list_(pa.float64())),
            self._nested([value.features for value in values]),
        ]
        table = pa.Table.from_arrays(columns, schema=self._schema)
        try:
            if not self._uri.exists():
                self._begin()
            lance.write_dataset(table, str(self._uri), mode="append")
        except Exception as error:
            raise StoreError(
                f"cannot write features to {self._uri}: {error}. What was stored before is kept; "
                "free some disk space, or name another folder with --store"
            ) from error

    def _begin(self) -> None:
        """Put an empty table in place, in one step.

        Lance's own way to create a table is to overwrite it: of two processes that begin at once
        one would lose its clips.
        """
        with making_folder(self._uri) as temp:
            lance.write_dataset(self._schema.empty_table(), str(temp), mode="create")
        write_text(self._uri.with_suffix(".json"), self._description)

    def _nested(self, arrays: Sequence[np.ndarray[Any, Any]]) -> pa.Array:
        flat = pa.array(np.concatenate([array.ravel() for array in arrays]), pa.float16())
        vectors = pa.FixedSizeListArray.from_arrays(flat, self._width)
        offsets = np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), vectors)

    def _clip(self, row: Mapping[str, Any]) -> ClipFeatures:
        vectors = row["features"].values
        flat = vectors.flatten().to_numpy(zero_copy_only=False)
        times = row["timestamps_s"].values.to_numpy(zero_copy_only=False)
        return ClipFeatures(flat.reshape(-1, self._width), times)

    def _refresh(self) -> lance.LanceDataset | None:
        """The newest version of the table, with the map from keys to rows brought up to date."""
        if not self._uri.exists():
            return None
        try:
            dataset = lance.dataset(str(self._uri))
            if dataset.version != self._seen_version:
                keys = dataset.to_table(columns=["key"])["key"].to_pylist()
                self._rows = {key: row for row, key in enumerate(keys)}
                self._seen_version = dataset.version
        except Exception as error:
            raise self._unreadable(error) from error
        return dataset

    def compact(self) -> None:
        """Join the small files that many appends leave; readers go on undisturbed."""
        dataset = self._refresh()
        if dataset is not None and len(dataset.get_fragments()) > 8:
            # When two processes join them at once one of them gives up, and nothing is lost.
            with suppress(OSError):
                dataset.optimize.compact_files()
                dataset.cleanup_old_versions(older_than=timedelta(days=1))

    def _unreadable(self, error: Exception) -> StoreError:
        return StoreError(
            f"cannot read the features in {self._uri}: {error}. Features can be made again: move "
            "that folder away and run the same command"
        )


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return [
        {name: table[name][index] for name in table.column_names} for index in range(len(table))
    ]
