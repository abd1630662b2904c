"""Iterate over the members of a .tar (plain, gzip, bzip2, xz) or .zip file without trusting it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from vidclass.errors import ArchiveError

CHUNK_BYTES = 1 << 18

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,  # an encrypted zip, an unknown zip method, endless chains of tar headers
    ValueError,
)

_DECOMPRESSORS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}

_T = TypeVar("_T")


@dataclass(frozen=True)
class Member:
    """A plain file or a folder in an archive; `name` is as the archive gives it, unchecked."""

    name: str
    is_folder: bool
    chunks: Iterator[bytes]


def archive_members(path: Path, raw: IO[bytes], *, max_bytes: int) -> Iterator[Member]:
    """Yield every member in its order; use up the chunks of one before asking for the next.

    Args:
        path: The archive's name, for messages.
        raw: The archive, open at its beginning.
        max_bytes: Limit of what a tar may decompress to, its headers and padding included.

    Raises:
        ArchiveError: no archive, damaged or cut off, or a member is neither file nor folder.
    """
    head = raw.read(6)
    raw.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _with_archive_errors(path, _zip_members(path, raw))
    for magic, decompress in _DECOMPRESSORS.items():
        if head.startswith(magic):
            return _with_archive_errors(path, _tar_members(path, decompress(raw), max_bytes))
    return _with_archive_errors(path, _tar_members(path, raw, max_bytes))


def not_plain(path: Path, name: str, kind: str) -> ArchiveError:
    """Return the error for a member of the archive `path` that is neither file nor folder."""
    return ArchiveError(
        f"{path}: {name!r} is a {kind}; only plain files and folders are extracted. "
        "Ask whoever made the archive for one without it."
    )


def too_large(path: Path, max_bytes: int) -> ArchiveError:
    """Return the error for an archive that unpacks to more than `max_bytes`."""
    return ArchiveError(
        f"{path} unpacks to more than the {max_bytes} bytes allowed. "
        "If that is right and expected, raise `max_bytes`."
    )


def _with_archive_errors(path: Path, items: Iterator[_T]) -> Iterator[_T]:
    """Yield the items; whatever a library raises while it makes them means a bad archive."""
    try:
        yield from items
    except _DAMAGE as error:
        raise ArchiveError(
            f"{path} is damaged, cut off, or no .tar, .tar.gz, .tar.bz2, .tar.xz or .zip file "
            f"that can be read ({error or type(error).__name__}). Remove it and fetch it again."
        ) from error


def _zip_members(path: Path, raw: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "symbolic link" if kind == stat.S_IFLNK else "special file"
                raise not_plain(path, info.orig_filename, what)
            # orig_filename: `filename` has lost what follows a zero byte, and its backslashes.
            chunks = _zip_chunks(archive, info)
            yield Member(info.orig_filename, info.is_dir(), _with_archive_errors(path, chunks))


def _zip_chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _tar_members(path: Path, stream: IO[bytes], max_bytes: int) -> Iterator[Member]:
    forward = ForwardReader(path, stream, max_bytes)
    with tarfile.open(fileobj=cast(IO[bytes], forward), mode="r:") as archive:
        for info in archive:
            if not (info.isreg() or info.isdir()):
                what = "symbolic link" if info.issym() else "hard link" if info.islnk() else ""
                raise not_plain(path, info.name, what or "device or other special file")
            chunks = _tar_chunks(archive, info)
            yield Member(info.name, info.isdir(), _with_archive_errors(path, chunks))
    # tarfile takes a cut or a bad header between two members for the end.
    if forward.last_read != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends without the mark that ends a tar file")
    # The checksum of a compressed stream is compared only when its end is read.
    while forward.read(CHUNK_BYTES):
        pass


def _tar_chunks(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(info)
    while file is not None and (chunk := file.read(CHUNK_BYTES)):
        yield chunk


class ForwardReader:
    """File object for tarfile in bounded memory: only reads on, never back, and counts bytes."""

    def __init__(self, path: Path, stream: IO[bytes], max_bytes: int) -> None:
        """Start at the beginning of `stream`."""
        self.last_read = b""
        self._path = path
        self._stream = stream
        self._max_bytes = max_bytes
        self._position = 0

    def tell(self) -> int:
        """Return the number of bytes read so far."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes; refuse a header that claims to be huge."""
        if not 0 <= size <= 4 * CHUNK_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self.last_read = self._stream.read(size)
        self._position += len(self.last_read)
        if self._position > self._max_bytes:
            raise too_large(self._path, self._max_bytes)
        return self.last_read

    def seek(self, position: int, whence: int = 0) -> int:
        """Read on to `position`."""
        if whence != 0 or position < self._position:
            raise tarfile.ReadError(f"a jump from byte {self._position} back to {position}")
        while self._position < position:
            if not self.read(min(CHUNK_BYTES, position - self._position)):
                break
        return self._position

    def close(self) -> None:
        """Do nothing: whoever opened the stream closes it."""
