"""Partial file of a download, kept so that another run can resume it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import IO, Any, Self

from vidclass.errors import DownloadError

CHUNK_BYTES = 1 << 18


class PartFile:
    """`<target>.part`, and beside it `<target>.part.json` with the origin of the bytes.

    A part file is never truncated: starting anew removes it and creates another.  So two
    processes with the same target cannot punch holes in what the other one has written.

    Attributes:
        size_bytes: The number of bytes received so far.
        total_bytes: The size of the whole file, if the server gave it.
        validator: The ETag or date by which the server recognises this version of the file.
        resumed_from_bytes: Where the last connection continued; 0 if it brought the whole file.
    """

    def __init__(self, target: Path, url: str) -> None:
        """Set the file names; nothing is read before the `with` block."""
        self.path = target.with_name(target.name + ".part")
        self.note_path = target.with_name(target.name + ".part.json")
        self.resumed_from_bytes = 0
        self._target = target
        self._url = url
        self._file: IO[bytes] | None = None
        self.total_bytes: int | None = None
        self.validator: str | None = None
        self._reset()

    def __enter__(self) -> Self:
        """Resume the bytes that an earlier run left, if they are of the same URL."""
        note = self._read_note()
        if note.get("url") != self._url or not self.path.is_file():
            return self
        self._file = self.path.open("r+b")
        while chunk := self._file.read(CHUNK_BYTES):
            self._count(chunk)
        self.validator, self.total_bytes = note.get("validator"), note.get("total_bytes")
        self.resumed_from_bytes = self.size_bytes
        if self.total_bytes is not None and self.size_bytes > self.total_bytes:
            self.discard()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file; it stays for the next run."""
        self._close()

    @property
    def is_whole(self) -> bool:
        """True once all announced bytes have been received."""
        return self.size_bytes == self.total_bytes

    @property
    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the bytes received so far."""
        return self._hash.hexdigest()

    def restart(self, *, validator: str | None, total_bytes: int | None) -> None:
        """Drop all bytes and begin with the first one of this version of the file."""
        self.discard()
        self.validator, self.total_bytes = validator, total_bytes
        note = {"url": self._url, "validator": validator, "total_bytes": total_bytes}
        self.note_path.write_text(json.dumps(note), encoding="utf-8")
        self._file = self.path.open("xb")

    def append(self, chunk: bytes) -> None:
        """Write the next bytes and add them to the hash."""
        if self._file is None:
            raise DownloadError(f"{self.path}: {len(chunk)} bytes came before the download began")
        self._file.write(chunk)
        self._count(chunk)

    def discard(self) -> None:
        """Remove the file and its note."""
        self._close()
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)
        self.resumed_from_bytes = 0
        self._reset()

    def finish(self) -> None:
        """Rename the whole file to its target, in one step.

        Raises:
            DownloadError: another process changed the part file meanwhile.
        """
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._close()
        stored_bytes = self.path.stat().st_size if self.path.exists() else 0
        if stored_bytes != self.size_bytes:
            raise DownloadError(
                f"{self.path} holds {stored_bytes} bytes instead of {self.size_bytes}: another "
                "process is downloading the same file. Wait for it, then run the command again."
            )
        os.replace(self.path, self._target)
        self.note_path.unlink(missing_ok=True)

    def _read_note(self) -> dict[str, Any]:
        try:
            note = json.loads(self.note_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def _reset(self) -> None:
        self.size_bytes = 0
        self.total_bytes = self.validator = None
        self._hash = hashlib.sha256()

    def _count(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
