"""Unpack an archive from anywhere into a new folder: all of it, inside it, or nothing."""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.filesize import decimal

from vidclass.datasets.archive_members import Member, archive_members, too_large
from vidclass.datasets.rar import (
    RarEntry,
    RarTool,
    is_rar,
    rar_entries,
    rar_members,
    with_some_tool,
)
from vidclass.errors import ArchiveError

MAX_BYTES = 256 << 30
MAX_FILES = 2_000_000

# Tar headers and padding beside the contents, per member and per archive.
_HEADER_BYTES = 1 << 13
_PADDING_BYTES = 1 << 20


def extract_archive(
    path: Path,
    folder: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[Path]:
    """Unpack `path` into `folder`, which must be empty or not there yet.

    The format is recognised by its content: .tar (plain, gzip, bzip2 or xz), .zip, or .rar if
    a tool for that is installed.  Members are written to a folder beside `folder`, which replaces
    it when all of them are right.  Only contents are taken over, no permissions, owners or dates.

    Args:
        path: The archive.
        folder: Where its members go.
        max_bytes: Limit of the bytes written, counted while writing.
        max_files: Limit of the number of members, folders included.
        progress: Called with the bytes of the archive read so far and its size.

    Returns:
        The files, in the order of the archive.

    Raises:
        ArchiveError: the archive is damaged, too large or would write where it must not;
            no tool is installed that it needs; or `folder` cannot be written or is not empty.
    """
    if reason := occupied_reason(folder):
        raise ArchiveError(f"{folder} {reason}: name a new folder to unpack {path} into.")
    job = _Job(path, folder, max_bytes, max_files, progress or (lambda *_: None))
    try:
        with path.open("rb") as raw:
            files = _from_rar(job, raw) if is_rar(raw) else _from_tar_or_zip(job, raw)
        size_bytes = path.stat().st_size
    except OSError as error:
        raise ArchiveError(
            f"cannot unpack {path} into {folder}: {error.strerror or error}. Check that both "
            "can be reached, that there is space, and run the command again."
        ) from error
    job.progress(size_bytes, size_bytes)
    return [folder.joinpath(*parts) for parts in files]


@contextmanager
def staging_beside(folder: Path) -> Iterator[Path]:
    """Make an empty folder on the same disk as `folder`; remove it with its contents at the end.

    Once `folder` is there and not empty, staging folders that killed processes left are removed
    too: a process that still works on the same folder could not replace it any more.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".unpacking", dir=folder.parent)
    try:
        yield Path(staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if occupied_reason(folder):
            # mkdtemp puts eight characters without a dot between prefix and suffix.
            pattern = f".{glob.escape(folder.name)}.{'?' * 8}.unpacking"
            for stale in folder.parent.glob(pattern):
                shutil.rmtree(stale, ignore_errors=True)


def occupied_reason(folder: Path) -> str:
    """Return why `folder` cannot be created, as the end of a sentence; '' if it can."""
    if not folder.is_dir():
        return "is there already and no folder" if os.path.lexists(folder) else ""
    if any(folder.iterdir()):
        return "is there already and not empty"
    # Replacing it would leave the shell that works in it in a folder that is no more.
    return "is the current folder" if folder.samefile(Path.cwd()) else ""


def move_into_place(content: Path, folder: Path) -> None:
    """Move the finished `content` to `folder` in one step; `folder` may be there if empty."""
    if folder.is_dir():
        folder.rmdir()  # os.replace onto a folder works on POSIX only
    os.replace(content, folder)


def space_shortage(folder: Path, needed_bytes: int) -> str:
    """Return a clause that says how much space is missing on the disk of `folder`; '' if none is.

    The folder need not be there yet.
    """
    nearest = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
    )
    free_bytes = shutil.disk_usage(nearest).free
    if needed_bytes <= free_bytes:
        return ""
    return f"it takes {decimal(needed_bytes)} and {decimal(free_bytes)} are free there"


@dataclass(frozen=True)
class _Job:
    """Arguments of one call of `extract_archive`."""

    path: Path
    folder: Path
    max_bytes: int
    max_files: int
    progress: Callable[[int, int | None], None]


def _from_tar_or_zip(job: _Job, raw: IO[bytes]) -> list[tuple[str, ...]]:
    raw.seek(0)
    # Hardly any archive holds less than its own size, and how much more is not known before.
    _require_space(job, job.path.stat().st_size)
    max_stream_bytes = job.max_bytes + job.max_files * _HEADER_BYTES + _PADDING_BYTES
    return _write(job, raw, archive_members(job.path, raw, max_bytes=max_stream_bytes))


def _from_rar(job: _Job, raw: IO[bytes]) -> list[tuple[str, ...]]:
    """Check all names and sizes by the headers first, then have the contents printed."""
    checked = _Extraction(job)

    def check(entry: RarEntry) -> None:
        checked.claim(Member(entry.name, entry.is_folder, iter(())), entry.size_bytes)

    entries = rar_entries(job.path, raw, check=check)
    _require_space(job, sum(entry.size_bytes for entry in entries))

    def attempt(tool: RarTool) -> list[tuple[str, ...]]:
        return _write(job, raw, rar_members(job.path, raw, entries, tool))

    return with_some_tool(job.path, attempt)


def _require_space(job: _Job, needed_bytes: int) -> None:
    if shortage := space_shortage(job.folder, needed_bytes):
        raise ArchiveError(
            f"cannot unpack {job.path} into {job.folder}: {shortage}. Free some space or choose "
            "another folder, and run the command again."
        )


def _write(job: _Job, raw: IO[bytes], members: Iterator[Member]) -> list[tuple[str, ...]]:
    """Write the members beside the folder, then move them to it."""
    size_bytes = job.path.stat().st_size
    with staging_beside(job.folder) as staging, closing(_as_generator(members)) as source:
        content = staging / "content"
        content.mkdir()
        extraction = _Extraction(job)
        for member in source:
            for _ in extraction.write(member, content):
                job.progress(min(raw.tell(), size_bytes), size_bytes)
        if not extraction.files:
            raise ArchiveError(f"{job.path} holds no files: nothing was extracted.")
        move_into_place(content, job.folder)
    return extraction.files


def _as_generator(members: Iterator[Member]) -> Generator[Member, None, None]:
    yield from members


class _Extraction:
    """State of one extraction: the bytes written, and the names that are taken."""

    def __init__(self, job: _Job) -> None:
        self.files: list[tuple[str, ...]] = []
        self._path = job.path
        self._max_bytes = job.max_bytes
        self._max_files = job.max_files
        self._bytes = 0
        self._members = 0
        self._taken: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}

    def claim(self, member: Member, size_bytes: int = 0) -> tuple[str, ...]:
        """Check a member's name, count it and its bytes, and return the parts of its path."""
        self._members += 1
        if self._members > self._max_files:
            raise ArchiveError(
                f"{self._path} has more than the {self._max_files} members allowed. "
                "If that is right and expected, raise `max_files`."
            )
        parts = self._safe_parts(member)
        self._claim_names(member, parts)
        self._count(size_bytes)
        return parts

    def write(self, member: Member, content: Path) -> Iterator[None]:
        """Write one member into the folder `content`, with a pause after each chunk."""
        parts = self.claim(member)
        target = content.joinpath(*parts)
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in member.chunks:
                self._count(len(chunk))
                file.write(chunk)
                yield
        self.files.append(parts)

    def _count(self, size_bytes: int) -> None:
        self._bytes += size_bytes
        if self._bytes > self._max_bytes:
            raise too_large(self._path, self._max_bytes)

    def _safe_parts(self, member: Member) -> tuple[str, ...]:
        name = member.name
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/"):
            raise self._escape(name, "is an absolute path")
        if ".." in parts:
            raise self._escape(name, "climbs out of its folder")
        if "\\" in name or any(re.match("[A-Za-z]:", part) for part in parts):
            raise self._escape(name, "has a backslash or a drive letter")
        if any(unicodedata.category(character) == "Cc" for character in name):
            raise self._escape(name, "has a control character")
        if not parts and not member.is_folder:
            raise self._escape(name, "names no file")
        return parts

    def _escape(self, name: str, problem: str) -> ArchiveError:
        return ArchiveError(
            f"{self._path}: the member {name!r} {problem}. Nothing was extracted; "
            "ask whoever made the archive for one with plain relative names."
        )

    def _claim_names(self, member: Member, parts: tuple[str, ...]) -> None:
        """Claim the name and those of the folders above, or refuse: no file is overwritten."""
        for depth in range(1, len(parts) + 1):
            spelling, is_file = parts[:depth], depth == len(parts) and not member.is_folder
            # Many file systems hold names equal that differ in case or in composed letters.
            key = tuple(unicodedata.normalize("NFC", part).casefold() for part in spelling)
            before, was_file = self._taken.setdefault(key, (spelling, False))
            if before is spelling:
                self._taken[key] = (spelling, is_file)
            elif before != spelling or was_file or is_file:
                raise ArchiveError(
                    f"{self._path}: the members {'/'.join(before)!r} and {member.name!r} would "
                    "overwrite one another. Nothing was extracted; rename one of them in the "
                    "archive."
                )
