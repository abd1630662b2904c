"""What a .rar file says it holds: names, sizes and checksums, of RAR 4 and RAR 5, trusting nothing.

Only headers are read here, so that an archive can be judged before any tool touches it.
"""

from __future__ import annotations

import io
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vidclass.errors import ArchiveError

RAR4_MAGIC = b"Rar!\x1a\x07\x00"
RAR5_MAGIC = b"Rar!\x1a\x07\x01\x00"
_MOST_HEADER_BYTES = 1 << 21  # what RAR 5 allows

# RAR 4: types and flags of blocks.
_MAIN4, _FILE4, _END4 = 0x73, 0x74, 0x7B
_VOLUME4, _LOCKED4 = 0x0001, 0x0080
_SPLIT4, _ENCRYPTED4, _LARGE4, _UNICODE4, _FOLDER4, _HAS_DATA4 = 3, 4, 0x100, 0x200, 0xE0, 0x8000
_UNIX4 = 3
# RAR 5: the same.
_MAIN5, _FILE5, _LOCKED5, _END5 = 1, 2, 4, 5
_EXTRA5, _DATA5, _SPLIT5 = 1, 2, 8 | 16
_FOLDER5, _TIME5, _CRC5, _NO_SIZE5 = 1, 2, 4, 8
_ENCRYPTION_RECORD5, _REDIRECTION_RECORD5 = 1, 5

_LINK = "link or a reference to another file"


@dataclass(frozen=True)
class RarEntry:
    """A plain file or a folder; `crc32` is None where the archive has another checksum.

    `name` is as the archive gives it, unchecked; `packed_until` is where its data ends.
    """

    name: str
    is_folder: bool
    size_bytes: int
    crc32: int | None
    packed_until: int


def is_rar(head: bytes) -> bool:
    """Whether a file that begins so is a .rar file."""
    return head.startswith((RAR4_MAGIC, RAR5_MAGIC))


def rar_entries(path: Path, raw: IO[bytes]) -> Iterator[RarEntry]:
    """Every file and folder, in the order of the archive.

    Raises:
        ArchiveError: it is damaged, encrypted, one of several volumes, or holds a link.
    """
    raw.seek(0)
    magic = raw.read(len(RAR5_MAGIC))
    entries = _entries5 if magic == RAR5_MAGIC else _entries4
    raw.seek(len(RAR5_MAGIC if magic == RAR5_MAGIC else RAR4_MAGIC))
    try:
        yield from entries(path, raw)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ArchiveError(
            f"{path} is damaged or cut off: a header in it cannot be read ({error}). Remove it "
            "and fetch it again."
        ) from error


def _refused(path: Path, name: str, kind: str) -> ArchiveError:
    return ArchiveError(
        f"{path}: {name!r} is a {kind}; only plain files and folders are extracted. "
        "Ask whoever made the archive for one without it."
    )


def _require_plain(path: Path, *, volume: bool = False, locked: bool = False) -> None:
    if volume or locked:
        what = "is encrypted" if locked else "is one of several volumes"
        raise ArchiveError(f"{path} {what}: only a whole archive without a password is extracted.")


def _take(raw: IO[bytes], count: int) -> bytes:
    if not 0 <= count <= _MOST_HEADER_BYTES:
        raise ValueError(f"a header of {count} bytes")
    data = raw.read(count)
    if len(data) != count:
        raise ValueError("the file ends within it")
    return data


def _skip_to(raw: IO[bytes], until: int) -> None:
    if raw.seek(0, io.SEEK_END) < until:
        raise ValueError("the file ends within the data that follow it")
    raw.seek(until)


def _entries4(path: Path, raw: IO[bytes]) -> Iterator[RarEntry]:
    # What was made before RAR 3 ends without a mark.
    while fixed := raw.read(7):
        fixed += _take(raw, 7 - len(fixed))
        crc, kind, flags, size = struct.unpack("<HBHH", fixed)
        body = _take(raw, size - 7)
        if zlib.crc32(fixed[2:] + body) & 0xFFFF != crc:
            raise ValueError("its checksum is wrong")
        if kind == _END4:
            _require_plain(path, volume=bool(flags & 1))
            return
        packed = struct.unpack_from("<I", body)[0] if flags & _HAS_DATA4 or kind == _FILE4 else 0
        if kind == _MAIN4:
            _require_plain(path, volume=bool(flags & _VOLUME4), locked=bool(flags & _LOCKED4))
            packed = 0
        if flags & _LARGE4 and flags & _HAS_DATA4:
            packed += struct.unpack_from("<I", body, 25)[0] << 32
        until = raw.tell() + packed
        if kind == _FILE4:
            yield _entry4(path, body, flags, until)
        _skip_to(raw, until)


def _entry4(path: Path, body: bytes, flags: int, until: int) -> RarEntry:
    _, size, system, crc, _, _, _, name_bytes, mode = struct.unpack_from("<IIBIIBBHI", body)
    start = 25
    if flags & _LARGE4:
        size += struct.unpack_from("<I", body, 29)[0] << 32
        start = 33
    if len(body) < start + name_bytes:
        raise ValueError("its name ends outside it")
    name = _name4(body[start : start + name_bytes], unicode=bool(flags & _UNICODE4))
    name = name.replace("\\", "/")  # RAR 4 has backslashes between folders, wherever it was made
    _require_plain(path, volume=bool(flags & _SPLIT4), locked=bool(flags & _ENCRYPTED4))
    if system == _UNIX4 and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(path, name, _LINK if stat.S_ISLNK(mode) else "special file")
    is_folder = flags & _FOLDER4 == _FOLDER4
    return RarEntry(name, is_folder, 0 if is_folder else size, crc, until)


def _name4(data: bytes, *, unicode: bool) -> str:
    plain, zero, packed = data.partition(b"\0")
    if not unicode:
        return data.decode("utf-8", "surrogateescape")
    return _unpacked_name4(plain, packed) if zero else plain.decode("utf-8", "surrogateescape")


def _unpacked_name4(plain: bytes, packed: bytes) -> str:
    """A name in UTF-16 that is told as what differs from its plain letters.

    Two bits a step say where the next character comes from: one byte, one byte in the common
    page, two bytes, or a run of the plain name.
    """
    page, steps = packed[0] << 8, io.BytesIO(packed[1:])
    name: list[int] = []
    while codes := steps.read(1):
        for shift in (6, 4, 2, 0):
            first = steps.read(1)
            if not first:
                break
            code, value = codes[0] >> shift & 3, first[0]
            if code == 0:
                name.append(value)
            elif code == 1:
                name.append(value | page)
            elif code == 2:
                name.append(value | _take(steps, 1)[0] << 8)
            else:
                moved = value & 0x80
                plus = _take(steps, 1)[0] if moved else 0
                run = plain[len(name) : len(name) + (value & 0x7F) + 2]
                name += [(c + plus & 0xFF) | page if moved else c for c in run]
    return struct.pack(f"<{len(name)}H", *name).decode("utf-16-le", "surrogatepass")


def _entries5(path: Path, raw: IO[bytes]) -> Iterator[RarEntry]:
    while True:
        crc = struct.unpack("<I", _take(raw, 4))[0]
        start = raw.tell()
        size = _number(raw)
        length = raw.tell() - start + size
        raw.seek(start)
        data = _take(raw, length)
        if zlib.crc32(data) != crc:
            raise ValueError("its checksum is wrong")
        header = io.BytesIO(data[length - size :])
        kind, flags = _number(header), _number(header)
        extra = _number(header) if flags & _EXTRA5 else 0
        until = raw.tell() + (_number(header) if flags & _DATA5 else 0)
        if kind == _LOCKED5:
            _require_plain(path, locked=True)
        if kind == _MAIN5 or flags & _SPLIT5:
            _require_plain(path, volume=bool(flags & _SPLIT5 or _number(header) & 1))
        if kind == _END5:
            return
        if kind == _FILE5:
            records = data[length - extra :] if extra else b""
            yield _entry5(path, header, records, until)
        _skip_to(raw, until)


def _entry5(path: Path, header: IO[bytes], records: bytes, until: int) -> RarEntry:
    flags, size, _ = _number(header), _number(header), _number(header)
    _take(header, 4 if flags & _TIME5 else 0)
    crc = struct.unpack("<I", _take(header, 4))[0] if flags & _CRC5 else None
    _number(header), _number(header)  # how it is packed, and the system it comes from
    name = _take(header, _number(header)).decode("utf-8", "surrogateescape")
    if flags & _NO_SIZE5:
        raise ValueError(f"{name!r} has no size")
    rest = io.BytesIO(records)
    while rest.tell() < len(records):
        record = io.BytesIO(_take(rest, _number(rest)))
        kind = _number(record)
        _require_plain(path, locked=kind == _ENCRYPTION_RECORD5)
        if kind == _REDIRECTION_RECORD5:
            raise _refused(path, name, _LINK)
    is_folder = bool(flags & _FOLDER5)
    return RarEntry(name, is_folder, 0 if is_folder else size, crc, until)


def _number(data: IO[bytes]) -> int:
    """A number of RAR 5: seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = _take(data, 1)[0]
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value
    raise ValueError("a number in it does not end")
