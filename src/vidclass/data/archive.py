"""Unpack an archive from anywhere into a new folder: all of it, inside it, or nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from vidclass.data.archive_members import Member, archive_members
from vidclass.data.staging import move_into_place, staging_beside, why_taken
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

    The kind of archive is told by its content: .tar (plain, gzip, bzip2 or xz) or .zip.  Members
    are written to a folder beside `folder`, which takes its place when all of them are right.
    Only contents are taken over, no permissions, owners or dates.

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
            or `folder` cannot be written or is not empty.
    """
    if reason := why_taken(folder):
        raise ArchiveError(f"{folder} {reason}: name a new folder to unpack {path} into.")
    report = progress or (lambda *_: None)
    try:
        with path.open("rb") as raw, staging_beside(folder) as staging:
            size_bytes = path.stat().st_size
            unpacking = _Unpacking(path, staging / "content", max_bytes, max_files)
            room = max_bytes + max_files * _HEADER_BYTES + _PADDING_BYTES
            for member in archive_members(path, raw, max_bytes=room):
                for _ in unpacking.write(member):
                    report(min(raw.tell(), size_bytes), size_bytes)
            if not unpacking.files:
                raise ArchiveError(f"{path} holds no files: nothing was extracted.")
            move_into_place(unpacking.content, folder)
    except OSError as error:
        raise ArchiveError(
            f"cannot unpack {path} into {folder}: {error.strerror or error}. Check that both "
            "can be reached, that there is space, and run the command again."
        ) from error
    report(size_bytes, size_bytes)
    return [folder.joinpath(*parts) for parts in unpacking.files]


class _Unpacking:
    """The state of one extraction: what was written, and which names are taken."""

    def __init__(self, path: Path, content: Path, max_bytes: int, max_files: int) -> None:
        """Make the empty folder `content`."""
        content.mkdir()
        self.content = content
        self.files: list[tuple[str, ...]] = []
        self._path = path
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._bytes = 0
        self._members = 0
        self._taken: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}

    def write(self, member: Member) -> Iterator[None]:
        """Write one member, with a pause after each chunk."""
        self._members += 1
        if self._members > self._max_files:
            raise ArchiveError(
                f"{self._path} has more than the {self._max_files} members allowed. "
                "If that is right and expected, raise max_files."
            )
        parts = self._checked_parts(member)
        self._take(member, parts)
        place = self.content.joinpath(*parts)
        if member.is_folder:
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            for chunk in member.chunks:
                self._bytes += len(chunk)
                if self._bytes > self._max_bytes:
                    raise ArchiveError(
                        f"{self._path} unpacks to more than the {self._max_bytes} bytes allowed. "
                        "If that is right and expected, raise max_bytes."
                    )
                file.write(chunk)
                yield
        self.files.append(parts)

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
