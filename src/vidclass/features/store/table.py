"""How clips lie in a Lance table: columns, checks, and what Lance's errors mean.

Rows are always taken by number.  Lance's scanner would be as fast, but over a damaged file it can
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
_PLACE_IN_LANCE = re.compile(r",?\s*(location:\s*)?/\S+\.rs:\d+.*", re.DOTALL)


@dataclass(frozen=True)
class StoredClip:
    """One row.

    Attributes:
        key: The clip's key.
        video: The video as it was called then.
        clip: Its features.
        checksum: What `checksum_of` gave when it was stored.
    """

    key: str
    video: str
    clip: ClipFeatures
    checksum: int

    @property
    def whole(self) -> bool:
        """Every bit is as it was when it was stored."""
        return checksum_of(self.key, self.clip) == self.checksum


def checksum_of(key: str, clip: ClipFeatures) -> int:
    """CRC-32 of a clip's key, times and features."""
    sum_so_far = zlib.crc32(key.encode())
    for array in (clip.timestamps_s, clip.features):
        sum_so_far = zlib.crc32(np.ascontiguousarray(array).data, sum_so_far)
    return sum_so_far


def schema_of(width: int) -> pa.Schema:
    """The columns of a table of features of this width."""
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
    """Rows of clips: key to (video, features)."""
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
    """The clips in some rows.

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
    """Some rows, in this order; all columns unless some are named."""
    return table.take(rows, columns=list(columns) or None)


def open_table(path: Path) -> lance.LanceDataset:
    """A table of this format.

    Raises:
        StoreError: it cannot be read, or is of another format.
    """
    with reading_table(path):
        table = lance.dataset(str(path))
        schema = table.schema
    found = (schema.metadata or {}).get(_FORMAT_KEY, b"1").decode(errors="replace")
    if found != str(STORE_FORMAT):
        raise StoreError(
            f"the features in {path} are in store format {found}; this version of vidclass reads "
            f"format {STORE_FORMAT}. Use the version that wrote them, or name another folder with "
            "--store"
        )
    width = width_of(table)
    if width is None or not schema.equals(schema_of(width)):
        raise StoreError(
            f"{path} has other columns than a table of features: {schema.names}. Move it away and "
            "run the same command again"
        )
    return table


def width_of(table: lance.LanceDataset) -> int | None:
    """D, the width of the features; None where there are none."""
    names = table.schema.names
    kind = table.schema.field("features").type if "features" in names else None
    if kind is None or not pa.types.is_list(kind):
        return None
    vector = kind.value_type
    return int(vector.list_size) if pa.types.is_fixed_size_list(vector) else None


@contextmanager
def reading_table(path: Path) -> Iterator[None]:
    """Say what to do when Lance cannot read a table.

    Raises:
        StoreError: the block failed.
    """
    try:
        yield
    except BaseException as error:
        if not from_lance(error):
            raise
        raise StoreError(
            f"cannot read the features in {path}: {reason(error)}. Features can be made again: "
            "move that folder away, or remove it with `vidclass features prune --damaged`, and "
            "run the same command"
        ) from error


def from_lance(error: BaseException) -> bool:
    """Whether an error is Lance's own: it panics over some kinds of damage."""
    if isinstance(error, Exception):
        return not isinstance(error, VidclassError)
    return type(error).__name__ == "PanicException"


def reason(error: BaseException) -> str:
    """What Lance says, in one line and without the place in its source."""
    return " ".join(_PLACE_IN_LANCE.sub("", str(error)).split()) or type(error).__name__
