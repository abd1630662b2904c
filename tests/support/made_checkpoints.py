"""A small writer of TensorFlow's checkpoint format, for what reads it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from vidclass.backbones.i3d.tf_checkpoint import DATA_SUFFIX


def masked(checksum: int) -> int:
    """Return a checksum as LevelDB stores it: rotated by 15 bits, with a constant added."""
    rotated = ((checksum >> 15) | (checksum << 17)) & 0xFFFFFFFF
    return (rotated + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def block(items: list[tuple[bytes, bytes]], *, snappy: bool = False) -> bytes:
    """Entries that share the beginnings of their keys, and the trailer."""
    body, before = b"", b""
    for key, value in items:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        body += varint(shared) + varint(len(key) - shared) + varint(len(value))
        body += key[shared:] + value
        before = key
    body += struct.pack("<II", 0, 1)
    kind = b"\0"
    if snappy:
        import pyarrow as pa

        body, kind = pa.Codec("snappy").compress(body, asbytes=True), b"\1"
    return body + kind + struct.pack("<I", masked(google_crc32c.value(body + kind)))


def write_checkpoint(
    prefix: Path,
    tensors: Mapping[str, NDArray[np.float32]],
    *,
    shards: int = 1,
    dtype: int = 1,
    snappy: bool = False,
) -> Path:
    data, items = b"", [(b"", field(1, shards) + field(2, 0))]
    for name, value in sorted(tensors.items()):
        raw = np.ascontiguousarray(value, "<f4").tobytes()
        shape = b"".join(field(2, field(1, size)) for size in value.shape)
        entry = field(1, dtype) + field(2, shape) + field(4, len(data)) + field(5, len(raw))
        entry += varint(6 << 3 | 5) + struct.pack("<I", masked(google_crc32c.value(raw)))
        items.append((name.encode(), entry))
        data += raw
    first = block(items, snappy=snappy)
    handle = varint(0) + varint(len(first) - 5)
    empty = block([])
    index = block([(b"\xff", handle)])
    footer = varint(len(first)) + varint(len(empty) - 5)
    footer += varint(len(first) + len(empty)) + varint(len(index) - 5)
    footer += b"\0" * (40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(first + empty + index + footer)
    prefix.with_name(prefix.name + DATA_SUFFIX).write_bytes(data)
    return prefix
