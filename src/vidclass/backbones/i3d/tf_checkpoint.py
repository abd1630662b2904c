"""Read a TensorFlow checkpoint without TensorFlow: an index of tensors, and their bytes.

The index (`NAME.index`) is a LevelDB table whose values are protocol buffers; the numbers lie one
behind the other in `NAME.data-00000-of-00001`.  Nothing in either is ever executed.  Every block
of the index and every tensor has a CRC-32C, and all of them are checked.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.extras import require_extra
from vidclass.errors import WeightsError

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
_PLAIN, _SNAPPY = 0, 1
# Numbers of TensorFlow's DataType.
_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 3: np.dtype("<i4"), 9: np.dtype("<i8")}
_MOST_BYTES = 1 << 34
DATA_SUFFIX = ".data-00000-of-00001"


@dataclass(frozen=True)
class TensorEntry:
    """Location and type of one tensor.

    Attributes:
        shape: Its shape.
        dtype: Its data type.
        offset: Position of its first byte in the data file.
        size: Its size in bytes.
        checksum: CRC-32C of its bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    size: int
    checksum: int


class _DamagedError(Exception):
    """The bytes are not those of a checkpoint."""


def require_crc32c() -> None:
    """Raise a ConfigError that names the extra if the library for CRC-32C is not installed."""
    require_extra("google_crc32c", "i3d", needed_by="a TensorFlow checkpoint")


def _crc32c(data: bytes) -> int:
    import google_crc32c

    return int(google_crc32c.value(data))


def unmasked(stored: int) -> int:
    """Return a checksum from its form in LevelDB, which is rotated and has a constant added."""
    rotated = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def read_index(path: Path) -> dict[str, TensorEntry]:
    """Return the entry of every tensor that an index lists, by name.

    Args:
        path: The file `NAME.index`.

    Raises:
        ConfigError: the extra `i3d` is not installed.
        WeightsError: the file is missing, damaged, or of a checkpoint in several parts.
    """
    require_crc32c()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"cannot read the checkpoint's index {path}: {error.strerror}"
        ) from error
    try:
        return dict(_entries(data))
    except (_DamagedError, IndexError, ValueError, OverflowError, struct.error) as error:
        raise WeightsError(
            f"{path} is not a whole index of a TensorFlow checkpoint ({error}): fetch it again"
        ) from error


def read_tensors(prefix: Path) -> dict[str, NDArray[Any]]:
    """Return all tensors of a checkpoint by name.

    Args:
        prefix: Common path of its files, without `.index`.

    Raises:
        ConfigError: the extra `i3d` is not installed.
        WeightsError: a file is missing, or damaged: every tensor's checksum is compared.
    """
    entries = read_index(prefix.with_name(prefix.name + ".index"))
    path = prefix.with_name(prefix.name + DATA_SUFFIX)
    try:
        data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read the checkpoint's data {path}: {error}") from error
    return {name: _tensor(path, data, name, entry) for name, entry in entries.items()}


def _tensor(path: Path, data: NDArray[np.uint8], name: str, entry: TensorEntry) -> NDArray[Any]:
    if entry.offset + entry.size > len(data):
        raise WeightsError(
            f"{path} ends before its tensor {name!r}: it has {len(data)} bytes of "
            f"{entry.offset + entry.size}. Fetch it again"
        )
    content = data[entry.offset : entry.offset + entry.size].tobytes()
    if _crc32c(content) != entry.checksum:
        raise WeightsError(f"{path}: its tensor {name!r} is damaged. Fetch the file again")
    return np.frombuffer(content, entry.dtype).reshape(entry.shape)


def _entries(data: bytes) -> Iterator[tuple[str, TensorEntry]]:
    if len(data) < _FOOTER_BYTES or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise _DamagedError("its last bytes are not a table's")
    footer = data[-_FOOTER_BYTES:]
    _, position = _varint(footer, 0)
    _, position = _varint(footer, position)
    offset, position = _varint(footer, position)
    size, _ = _varint(footer, position)
    headers = 0
    for _, handle in _block_items(_block(data, offset, size)):
        start, after = _varint(handle, 0)
        length, _ = _varint(handle, after)
        for key, value in _block_items(_block(data, start, length)):
            if key:
                yield key.decode("utf-8"), _entry(value)
            else:
                headers += 1
                _require_one_part(value)
    if headers != 1:
        raise _DamagedError(f"it has {headers} headers")


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER_BYTES > len(data) - _FOOTER_BYTES:
        raise _DamagedError("a block ends outside")
    (stored,) = struct.unpack("<I", data[end + 1 : end + _TRAILER_BYTES])
    if _crc32c(data[offset : end + 1]) != unmasked(stored):
        raise _DamagedError("a block's checksum is wrong")
    if data[end] == _PLAIN:
        return data[offset:end]
    if data[end] != _SNAPPY:
        raise _DamagedError(f"a block has the unknown compression {data[end]}")
    import pyarrow as pa

    length, _ = _varint(data[offset:end], 0)
    try:
        plain: bytes = pa.Codec("snappy").decompress(
            data[offset:end], decompressed_size=length, asbytes=True
        )
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise _DamagedError(f"a block cannot be decompressed: {error}") from error
    return plain


def _block_items(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values; each key is stored as its difference from the one before."""
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise _DamagedError("a block is shorter than its own table")
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + unshared + length > end:
            raise _DamagedError("an entry ends outside its block")
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number stored in seven bits a byte, and the position behind it."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _DamagedError("a number has no end")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protocol buffer: number, and a whole number or bytes."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            number, position = _varint(message, position)
            yield tag >> 3, number
            continue
        if kind == 2:
            length, position = _varint(message, position)
        else:
            length = {1: 8, 5: 4}.get(kind, -1)
        if length < 0 or position + length > len(message):
            raise _DamagedError("a description ends too early")
        value = message[position : position + length]
        position += length
        yield tag >> 3, value if kind == 2 else int.from_bytes(value, "little")


def _require_one_part(message: bytes) -> None:
    """Check BundleHeaderProto: one part, in little-endian order."""
    header = dict(_fields(message))
    if header.get(1, 1) != 1:
        raise _DamagedError(f"the checkpoint is in {header[1]!r} parts, and only one is read")
    if header.get(2, 0) != 0:
        raise _DamagedError("its numbers are in big-endian order")


def _entry(message: bytes) -> TensorEntry:
    """Parse BundleEntryProto: dtype, shape, shard, offset, size, masked checksum."""
    facts: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    for number, value in _fields(message):
        if isinstance(value, int):
            facts[number] = value
        elif number == 2:
            shape = tuple(_dimensions(value))
    dtype = _DTYPES.get(facts.get(1, 0))
    if dtype is None:
        raise _DamagedError(f"a tensor has the unknown type {facts.get(1)}")
    size = facts.get(5, 0)
    if math.prod(shape) * dtype.itemsize != size or size > _MOST_BYTES or facts.get(3, 0) != 0:
        raise _DamagedError(f"a tensor of shape {shape} is said to have {size} bytes")
    return TensorEntry(shape, dtype, facts.get(4, 0), size, unmasked(facts.get(6, 0)))


def _dimensions(message: bytes) -> Iterator[int]:
    """Yield the sizes in a TensorShapeProto."""
    for number, value in _fields(message):
        if number == 2 and isinstance(value, bytes):
            size = dict(_fields(value)).get(1, 0)
            if not isinstance(size, int):
                raise _DamagedError("a size is no number")
            yield size
