"""Lance tables of clip features: columns, encoding, checksums, and Lance's errors.

Rows are always taken by number.  Lance's scanner would be as fast, but a damaged file can make it
end the whole process.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vidclass.errors import StoreError, VidclassError
from vidclass.types import ClipFeatures

# Changes with the columns or with their meaning.  Tables of different formats lie side by side.
STORE_FORMAT = 2
_FORMAT_KEY = b"vidclass_store_format"
_LANCE_LOCATION = re.compile(r",?\s*(location:\s*)?/\S+\.rs:\d+.*", re.DOTALL)


@dataclass(frozen=True)
class StoredClip:
    """One row of a table.

    Attributes:
        key: Key of the clip.
        video: Path of the video when the clip was stored.
        clip: Features of the clip.
        checksum: Result of `checksum_of` when the clip was stored.
    """

    key: str
    video: str
    clip: ClipFeatures
    checksum: int

    @property
    def intact(self) -> bool:
        """True if every bit is as it was when the clip was stored."""
        return checksum_of(self.key, self.clip) == self.checksum


def checksum_of(key: str, clip: ClipFeatures) -> int:
    """Return the CRC-32 of a clip's key, times and features."""
    checksum = zlib.crc32(key.encode())
    for array in (clip.timestamps_s, clip.features):
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return checksum


def schema_of(width: int) -> pa.Schema:
    """Return the columns of a table of features of this width."""
    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("video", pa.string()),
            pa.field("timestamps_s", pa.list_(pa.float64())),
            pa.field("features", pa.list_(pa.list_(pa.float16(), width))),
            pa.field("checksum", pa.uint32()),
        ],
        metadata={_FORMAT_KEY: str(STORE_FORMAT).encode()},
    )


def encode(clips: Mapping[str, tuple[str, ClipFeatures]], schema: pa.Schema) -> pa.Table:
    """Return the rows of clips by key, each a pair (video, features)."""
    values = [clip for _, clip in clips.values()]
    columns = [
        pa.array(list(clips), pa.string()),
        pa.array([video for video, _ in clips.values()], pa.string()),
        pa.array([clip.timestamps_s for clip in values], pa.list_(pa.float64())),
        _nested([clip.features for clip in values]),
        pa.array([checksum_of(key, clip) for key, (_, clip) in clips.items()], pa.uint32()),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _nested(arrays: list[NDArray[np.float16]]) -> pa.Array:
    flat = pa.array(np.concatenate([array.ravel() for array in arrays]), pa.float16())
    vectors = pa.FixedSizeListArray.from_arrays(flat, arrays[0].shape[1])
    offsets = np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), vectors)


def decode(rows: pa.Table) -> Iterator[StoredClip]:
    """Yield the clips of some rows.

    Raises:
        ShapeError: a row does not hold as many times as features.
        ValueError: a row is damaged in another way.
    """
    names = zip(rows["key"].to_pylist(), rows["video"].to_pylist(), strict=True)
    sums = rows["checksum"].to_pylist()
    for number, (key, video) in enumerate(names):
        vectors = rows["features"][number].values
        width = vectors.type.list_size
        # Copies: a view would keep all of the rows in memory.
        features = vectors.flatten().to_numpy(zero_copy_only=False).reshape(-1, width).copy()
        times = rows["timestamps_s"][number].values.to_numpy(zero_copy_only=False).copy()
        yield StoredClip(key, video, ClipFeatures(features, times), sums[number])


def take(table: lance.LanceDataset, rows: list[int], *columns: str) -> pa.Table:
    """Return some rows, in this order; all columns unless some are named."""
    return table.take(rows, columns=list(columns) or None)


def open_table(path: Path) -> lance.LanceDataset:
    """Open a table of this format.

    Raises:
        StoreError: it cannot be read, or is of another format.
    """
    with reading_table(path):
        table = lance.dataset(str(path))
        schema = table.schema
    number = (schema.metadata or {}).get(_FORMAT_KEY, b"1").decode(errors="replace")
    if number != str(STORE_FORMAT):
        raise StoreError(
            f"the features in {path} are in store format {number}; this version of vidclass reads "
            f"format {STORE_FORMAT}. Use the version that wrote them, or choose another "
            "`store_folder`"
        )
    width = width_of(table)
    if width is None or not schema.equals(schema_of(width)):
        raise StoreError(
            f"{path} has other columns than a table of features: {schema.names}. Move it away and "
            "run the same command again"
        )
    return table


def width_of(table: lance.LanceDataset) -> int | None:
    """Return D, the width of the features; None for another kind of table."""
    names = table.schema.names
    kind = table.schema.field("features").type if "features" in names else None
    if kind is None or not pa.types.is_list(kind):
        return None
    vector = kind.value_type
    return int(vector.list_size) if pa.types.is_fixed_size_list(vector) else None


@contextmanager
def reading_table(path: Path) -> Iterator[None]:
    """Turn Lance's errors into a StoreError that says what to do.

    Raises:
        StoreError: the block failed.
    """
    try:
        yield
    except BaseException as error:
        if not from_lance(error):
            raise
        raise StoreError(
            f"cannot read the features in {path}: {reason(error)}. Features can be extracted "
            "again: move that folder away, or remove it with `vidclass features prune`, and run "
            "the same command"
        ) from error


def from_lance(error: BaseException) -> bool:
    """Return whether an error comes from Lance, which panics over some kinds of damage."""
    if isinstance(error, Exception):
        return not isinstance(error, VidclassError)
    return type(error).__name__ == "PanicException"


def reason(error: BaseException) -> str:
    """Return Lance's message on one line, without the location in its source."""
    return " ".join(_LANCE_LOCATION.sub("", str(error)).split()) or type(error).__name__
