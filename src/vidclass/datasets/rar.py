"""Read .rar archives: the headers by `rarfile`, the contents by a tool of the system.

No free library unpacks RAR by itself.  A tool only ever prints contents to a pipe, in the order of
the archive: names come from the headers, and where each file is written is decided by the caller,
by the same rules as for every other archive.  Each file must have the size and the checksum of
its header.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import rarfile

from vidclass.datasets.archive_members import CHUNK_BYTES, Member, not_plain
from vidclass.errors import ArchiveError

# rarfile would unpack compressed comments with a tool while it reads headers, before any of them
# is checked: let every comment be too long for it.
rarfile.RAR_MAX_COMMENT = -1

_LONGEST_NUMBER_BYTES = 10  # RAR 5 packs 64 bits into groups of seven

_VOLUME_FLAGS = {
    rarfile.RAR_BLOCK_MAIN: rarfile.RAR_MAIN_VOLUME,
    rarfile.RAR_BLOCK_FILE: rarfile.RAR_FILE_SPLIT_BEFORE | rarfile.RAR_FILE_SPLIT_AFTER,
    rarfile.RAR_BLOCK_ENDARC: rarfile.RAR_ENDARC_NEXT_VOLUME,
}

# Commands that print the contents of an archive and nothing else, in the order of preference.
_COMMANDS = {
    "bsdtar": ("-xOf",),
    "unar": ("-quiet", "-output-directory", "-"),
    "7zz": ("x", "-so"),
    "7z": ("x", "-so"),
    "unrar": ("p", "-inul"),
}
_INSTALL = (
    "Install one: `apt install libarchive-tools unar` on Debian or Ubuntu, `brew install unar` on "
    "macOS; Windows 10 and later have one, as its `tar`"
)

_T = TypeVar("_T")


@dataclass(frozen=True)
class RarEntry:
    """Header of a plain file or a folder; `crc32` is None where it has another checksum.

    `name` is as the archive gives it, unchecked; `packed_until` is where its data ends.
    """

    name: str
    is_folder: bool
    size_bytes: int
    crc32: int | None
    packed_until: int


@dataclass(frozen=True)
class RarTool:
    """A program that prints the contents of a .rar file."""

    name: str
    command: tuple[str, ...]


class _ToolFailedError(Exception):
    """A tool did not print what the headers announce; another one may."""


def is_rar(raw: IO[bytes]) -> bool:
    """Return whether an open file is a .rar archive, by its first bytes."""
    return bool(rarfile.get_rar_version(raw))


def rar_entries(
    path: Path, raw: IO[bytes], *, check: Callable[[RarEntry], object] = lambda _: None
) -> list[RarEntry]:
    """Return every file and folder in the order of the archive, from its headers alone.

    Args:
        path: The archive's name, for messages.
        raw: The archive, open.
        check: Called with each entry once its header is read; ends the reading by an error.

    Raises:
        ArchiveError: the archive is damaged, encrypted, one of several volumes, or holds a link.
    """
    version = rarfile.get_rar_version(raw)
    listing = _Listing(path, raw.seek(0, os.SEEK_END), version, check)
    try:
        # A file object, and `part_only`: no other volume is looked for.
        archive = rarfile.RarFile(
            _HeaderFile(raw), info_callback=listing.add, errors="strict", part_only=True
        )
        # rarfile ends at a block of RAR 5 that it does not know, as if that were the end.
        if version == rarfile.RAR_V5 and not listing.is_whole:
            raise ValueError("it is of an unknown type")
    except (rarfile.Error, IndexError, OverflowError, ValueError) as error:
        raise ArchiveError(
            f"{path} is damaged or cut off: a header in it cannot be read ({error}). Remove it "
            "and fetch it again."
        ) from error
    if archive.needs_password():
        raise _not_whole(path, "is encrypted")
    return listing.entries


class _HeaderFile:
    """The archive as rarfile reads it, with a limit to numbers, which it reads byte by byte."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._single_bytes = 0
        self.seek, self.tell = raw.seek, raw.tell

    def read(self, size: int) -> bytes:
        self._single_bytes = self._single_bytes + 1 if size == 1 else 0
        if self._single_bytes >= _LONGEST_NUMBER_BYTES:
            raise ValueError("a number in it does not end")
        return self._raw.read(size)


class _Listing:
    """Entries of an archive, each header of which is checked as soon as it is read."""

    def __init__(
        self, path: Path, size_bytes: int, version: int, check: Callable[[RarEntry], object]
    ) -> None:
        self.entries: list[RarEntry] = []
        self.is_whole = False
        self._path = path
        self._size_bytes = size_bytes
        self._version = version
        self._require_sound = check

    def add(self, header: Any) -> None:
        """Take the next header of any type."""
        if header.data_offset + header.add_size > self._size_bytes:
            raise ValueError("the file ends within the data that follow it")
        if header.needs_password():
            raise _not_whole(self._path, "is encrypted")
        if header.flags & _VOLUME_FLAGS.get(header.type, 0):
            raise _not_whole(self._path, "is one of several volumes")
        if header.type == rarfile.RAR_BLOCK_FILE:
            entry = self._entry(header)
            self._require_sound(entry)
            self.entries.append(entry)
        self.is_whole = header.type == rarfile.RAR_BLOCK_ENDARC

    def _entry(self, header: Any) -> RarEntry:
        name = header.filename
        if not header.flags & rarfile.RAR_FILE_UNICODE:
            # rarfile guesses the encoding of such a name; this keeps every byte.
            name = header.orig_filename.decode("utf-8", "surrogateescape")
            # RAR 4 has backslashes between folders, wherever it was made.
            name = name.replace("\\", "/") if self._version == rarfile.RAR_V3 else name
        if header.file_redir or header.is_symlink():
            raise not_plain(self._path, name, "link or a reference to another file")
        mode = header.mode if header.host_os == rarfile.RAR_OS_UNIX else 0
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise not_plain(self._path, name, "special file")
        if getattr(header, "file_flags", 0) & rarfile.RAR5_FILE_FLAG_UNKNOWN_SIZE:
            raise ValueError(f"{name!r} has no size")
        is_folder = header.is_dir()
        return RarEntry(
            name.rstrip("/") if is_folder else name,
            is_folder,
            0 if is_folder else header.file_size,
            header.CRC,
            header.data_offset + header.add_size,
        )


def _not_whole(path: Path, problem: str) -> ArchiveError:
    return ArchiveError(f"{path} {problem}: only a whole archive without a password is extracted.")


def rar_tools() -> list[RarTool]:
    """Return the tools that are installed, in the order of preference."""
    tools = []
    for name, options in _COMMANDS.items():
        program = shutil.which(name)
        if program is None and name == "bsdtar":
            program = _tar_that_is_bsdtar()
        if program is not None:
            tools.append(RarTool(name, (program, *options)))
    return tools


def require_rar_tool(name: str) -> None:
    """Require that some tool is installed that can unpack the archive `name`.

    Raises:
        ArchiveError: there is none; the message says how to get one.
    """
    if not rar_tools():
        raise ArchiveError(
            f"{name} is a RAR archive, and no tool that unpacks these is installed "
            f"({', '.join(_COMMANDS)}). {_INSTALL}. Then run the same command again."
        )


def with_some_tool(path: Path, attempt: Callable[[RarTool], _T]) -> _T:
    """Return the result of `attempt` with the first tool that can read `path`.

    Raises:
        ArchiveError: there is no tool, or none can read it.
    """
    require_rar_tool(path.name)
    problems = []
    for tool in rar_tools():
        try:
            return attempt(tool)
        except _ToolFailedError as error:
            problems.append(f"{tool.name}: {error}")
    raise ArchiveError(
        f"{path} is damaged, or packed in a way that these tools do not know "
        f"({'; '.join(problems)}). {_INSTALL}; else remove the archive and fetch it again."
    )


def rar_members(
    path: Path, raw: IO[bytes], entries: list[RarEntry], tool: RarTool
) -> Iterator[Member]:
    """Yield every member in its order; use up the chunks of one before asking for the next.

    Args:
        path: The archive.
        raw: The same, open; its position is moved to show how far the work is.
        entries: Its files and folders, from `rar_entries`.
        tool: Program that prints its contents.
    """
    with tempfile.TemporaryFile() as stderr, _running(path, tool, stderr) as process:
        output = process.stdout
        if output is None:
            raise _ToolFailedError("it has no output")
        raw.seek(0)
        for entry in entries:
            chunks = _contents(entry, output, stderr)
            yield Member(entry.name, entry.is_folder, _moving(raw, entry, chunks))
        if output.read(1):
            raise _ToolFailedError("it prints more than the headers announce")
        # Where every file has the right checksum, the exit code of a tool does not matter.
        unproven = any(entry.crc32 is None for entry in entries if not entry.is_folder)
        if process.wait() and unproven:
            raise _ToolFailedError(_last_line(stderr) or f"it ended with {process.returncode}")


def _moving(raw: IO[bytes], entry: RarEntry, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks, and move through the packed data as fast as they come."""
    start, done = raw.tell(), 0
    for chunk in chunks:
        done += len(chunk)
        raw.seek(start + (entry.packed_until - start) * done // entry.size_bytes)
        yield chunk
    raw.seek(entry.packed_until)


def _contents(entry: RarEntry, output: IO[bytes], stderr: IO[bytes]) -> Iterator[bytes]:
    missing_bytes, crc32 = entry.size_bytes, 0
    while missing_bytes:
        chunk = output.read(min(CHUNK_BYTES, missing_bytes))
        if not chunk:
            why = _last_line(stderr) or "it prints less than the headers announce"
            raise _ToolFailedError(f"at {entry.name!r}, {why}")
        missing_bytes -= len(chunk)
        crc32 = zlib.crc32(chunk, crc32)
        yield chunk
    if entry.crc32 not in (None, crc32) and not entry.is_folder:
        raise _ToolFailedError(f"the checksum of {entry.name!r} is wrong")


@contextmanager
def _running(path: Path, tool: RarTool, stderr: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the tool; kill it at the end, whatever ended it."""
    try:
        # An absolute path cannot be taken for an option.  Names are not asked for, but a tool
        # that cannot show one in the user's language may stop at it.
        process = subprocess.Popen(  # noqa: S603 - no shell, and one of the programs above
            [*tool.command, str(path.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except OSError as error:
        raise _ToolFailedError(f"it cannot be started ({error.strerror})") from error
    with process:
        try:
            yield process
        finally:
            process.kill()


def _last_line(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    lines = stderr.read(1 << 16).decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _tar_that_is_bsdtar() -> str | None:
    """Return the `tar` of Windows and macOS, which is bsdtar under another name."""
    program = shutil.which("tar")
    if program is None:
        return None
    try:
        version = subprocess.run(  # noqa: S603 - no shell, and the program found above
            [program, "--version"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return program if version.stdout.startswith(b"bsdtar") else None
