"""Cache folder, checksums, and atomic writing of files and folders."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

_CHUNK_BYTES = 1 << 20


def cache_folder() -> Path:
    """Return the cache folder: `VIDCLASS_CACHE`, or that of the user."""
    chosen = os.environ.get("VIDCLASS_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("vidclass")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint_of(parts: object) -> str:
    """Return a hash of JSON values, 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block succeeds.

    Until then the old file stays; if the block fails, the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: many writers choose their format by it.
    temp = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temp
        os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with replacing(path) as temp:
        temp.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def making_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` when the block succeeds.

    If another process has made `folder` in the meantime, theirs stays and ours is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as base:
        temp = Path(base) / folder.name
        temp.mkdir()
        yield temp
        try:
            os.rename(temp, folder)
        except OSError:
            if not folder.is_dir():
                raise
