"""Small archives, and helpers that unpack them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.datasets.archive import extract_archive
from vidclass.errors import ArchiveError

TREE = {
    "train.csv": b"video_name,tag\na.avi,Punch\n",
    "train/a.avi": bytes(range(256)) * 40,
    "test/deep/b.avi": b"b" * 512,
    "test/empty.avi": b"",
}


def tar_bytes(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def zip_bytes(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def special(name: str, kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


MAKERS: dict[str, Callable[[], bytes]] = {
    "tar": lambda: tar_bytes(*TREE.items()),
    "tar.gz": lambda: gzip.compress(tar_bytes(*TREE.items())),
    "tar.bz2": lambda: bz2.compress(tar_bytes(*TREE.items())),
    "tar.xz": lambda: lzma.compress(tar_bytes(*TREE.items())),
    "zip": lambda: zip_bytes(*TREE.items()),
}


def unpack(tmp_path: Path, data: bytes, **limits: int) -> list[Path]:
    path = tmp_path / "some.archive"
    path.write_bytes(data)
    return extract_archive(path, tmp_path / "out", **limits)


def refuse(tmp_path: Path, data: bytes, match: str, **limits: int) -> None:
    """Assert that the archive is refused with this message, and leaves no trace."""
    with pytest.raises(ArchiveError, match=match):
        unpack(tmp_path, data, **limits)
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.archive"]
