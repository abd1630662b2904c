"""Unpack an archive from anywhere into a new folder: all of it, inside it, or nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vidclass.datasets.archive_members import Member, archive_members
from vidclass.datasets.rar import RarTool, by_some_tool, listed_entries, rar_members
from vidclass.datasets.rar_headers import RAR5_MAGIC, is_rar
from vidclass.datasets.space import lacking_space
from vidclass.datasets.staging import move_into_place, staging_beside, why_taken
from vidclass.errors import ArchiveError

MAX_BYTES = 256 << 30
MAX_FILES = 2_000_000

# Room for tar headers and padding beside the contents, per member and per archive.
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

    The kind of archive is told by its content: .tar (plain, gzip, bzip2 or xz), .zip, or .rar if
    a tool for that is installed.  Members are written to a folder beside `folder`, which takes
    its place when all of them are right.  Only contents are taken over, no permissions, owners or
    dates.

    Args:
        path: The archive.
        folder: Where its members go.
        max_bytes: How much may be written, counted as it is written.
        max_files: How many members the archive may have, folders included.
        progress: Called with the bytes of the archive read so far and its size.

    Returns:
        The files, in the order of the archive.

    Raises:
        ArchiveError: the archive is damaged, too large or would write where it must not;
            no tool is installed that it needs; or `folder` cannot be written or is not empty.
    """
    if reason := why_taken(folder):
        raise ArchiveError(f"{folder} {reason}: name a new folder to unpack {path} into.")
    job = _Job(path, folder, max_bytes, max_files, progress or (lambda *_: None))
    try:
        with path.open("rb") as raw:
            head = raw.read(len(RAR5_MAGIC))
            parts = _from_rar(job, raw) if is_rar(head) else _from_tar_or_zip(job, raw)
        size_bytes = path.stat().st_size
    except OSError as error:
        raise ArchiveError(
            f"cannot unpack {path} into {folder}: {error.strerror or error}. Check that both "
            "can be reached, that there is space, and run the command again."
        ) from error
    job.progress(size_bytes, size_bytes)
    return [folder.joinpath(*names) for names in parts]


@dataclass(frozen=True)
class _Job:
    """What `extract_archive` was asked for."""

    path: Path
    folder: Path
    max_bytes: int
    max_files: int
    progress: Callable[[int, int | None], None]


def _from_tar_or_zip(job: _Job, raw: IO[bytes]) -> list[tuple[str, ...]]:
    raw.seek(0)
    # Hardly any archive holds less than its own size, and how much more is not known before.
    _require_space(job, job.path.stat().st_size)
    room = job.max_bytes + job.max_files * _HEADER_BYTES + _PADDING_BYTES
    return _write(job, raw, archive_members(job.path, raw, max_bytes=room))


def _from_rar(job: _Job, raw: IO[bytes]) -> list[tuple[str, ...]]:
    """Judge all names and sizes by the headers first, then have the contents printed."""
    entries = listed_entries(job.path, raw, max_files=job.max_files)
    listed = _Unpacking(job)
    for entry in entries:
        listed.take(Member(entry.name, entry.is_folder, iter(())), entry.size_bytes)
    _require_space(job, sum(entry.size_bytes for entry in entries))

    def attempt(tool: RarTool) -> list[tuple[str, ...]]:
        return _write(job, raw, rar_members(job.path, raw, entries, tool))

    return by_some_tool(job.path, attempt)


def _require_space(job: _Job, needed_bytes: int) -> None:
    if lack := lacking_space(job.folder, needed_bytes):
        raise ArchiveError(
            f"cannot unpack {job.path} into {job.folder}: {lack}. Free some space or choose "
            "another folder, and run the command again."
        )


def _write(job: _Job, raw: IO[bytes], members: Iterator[Member]) -> list[tuple[str, ...]]:
    """Write the members beside the folder, then let it take its place."""
    size_bytes = job.path.stat().st_size
    with staging_beside(job.folder) as staging, closing(_as_generator(members)) as source:
        content = staging / "content"
        content.mkdir()
        unpacking = _Unpacking(job)
        for member in source:
            for _ in unpacking.write(member, content):
                job.progress(min(raw.tell(), size_bytes), size_bytes)
        if not unpacking.files:
            raise ArchiveError(f"{job.path} holds no files: nothing was extracted.")
        move_into_place(content, job.folder)
    return unpacking.files


def _as_generator(members: Iterator[Member]) -> Generator[Member, None, None]:
    yield from members


class _Unpacking:
    """The state of one extraction: how much was written, and which names are taken."""

    def __init__(self, job: _Job) -> None:
        """Begin with nothing."""
        self.files: list[tuple[str, ...]] = []
        self._path = job.path
        self._max_bytes = job.max_bytes
        self._max_files = job.max_files
        self._bytes = 0
        self._members = 0
        self._taken: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}

    def take(self, member: Member, size_bytes: int = 0) -> tuple[str, ...]:
        """Take one member's name, and so many bytes; returns the parts of its path."""
        self._members += 1
        if self._members > self._max_files:
            raise ArchiveError(
                f"{self._path} has more than the {self._max_files} members allowed. "
                "If that is right and expected, raise max_files."
            )
        parts = self._checked_parts(member)
        self._take(member, parts)
        self._count(size_bytes)
        return parts

    def write(self, member: Member, content: Path) -> Iterator[None]:
        """Write one member into the folder `content`, with a pause after each chunk."""
        parts = self.take(member)
        place = content.joinpath(*parts)
        if member.is_folder:
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            for chunk in member.chunks:
                self._count(len(chunk))
                file.write(chunk)
                yield
        self.files.append(parts)

    def _count(self, size_bytes: int) -> None:
        self._bytes += size_bytes
        if self._bytes > self._max_bytes:
            raise ArchiveError(
                f"{self._path} unpacks to more than the {self._max_bytes} bytes allowed. "
                "If that is right and expected, raise max_bytes."
            )

    def _checked_parts(self, member: Member) -> tuple[str, ...]:
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

    def _take(self, member: Member, parts: tuple[str, ...]) -> None:
        """Take the name and those of the folders above, or refuse: no file is overwritten."""
        for depth in range(1, len(parts) + 1):
            spelled, is_file = parts[:depth], depth == len(parts) and not member.is_folder
            # Many file systems hold names equal that differ in case or in composed letters.
            key = tuple(unicodedata.normalize("NFC", part).casefold() for part in spelled)
            before, was_file = self._taken.setdefault(key, (spelled, False))
            first = before is spelled
            if first:
                self._taken[key] = (spelled, is_file)
            elif before != spelled or was_file or is_file:
                raise ArchiveError(
                    f"{self._path}: the members {'/'.join(before)!r} and {member.name!r} would "
                    "overwrite one another. Nothing was extracted; rename one of them in the "
                    "archive."
                )
