"""The contents of a .rar file, by whatever tool of the system can print them.

No free library unpacks RAR by itself.  A tool only ever prints contents to a pipe, in the order of
the archive: names come from the headers, and what is written where is decided here, by the same
rules as for every other archive.  Each file must have the size and the checksum of its header.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from vidclass.datasets.archive_members import CHUNK_BYTES, Member
from vidclass.datasets.rar_headers import RarEntry, rar_entries
from vidclass.errors import ArchiveError

# What prints the contents of an archive and nothing else, most welcome first.
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
class RarTool:
    """A program that prints the contents of a .rar file."""

    name: str
    command: tuple[str, ...]


class _ToolFailedError(Exception):
    """A tool did not print what the headers announce; another one may."""


def rar_tools() -> list[RarTool]:
    """The tools that are installed."""
    found = []
    for name, options in _COMMANDS.items():
        program = shutil.which(name)
        if program is None and name == "bsdtar":
            program = _tar_that_is_bsdtar()
        if program is not None:
            found.append(RarTool(name, (program, *options)))
    return found


def require_rar_tool(path: Path) -> list[RarTool]:
    """The tools that are installed, of which there must be one.

    Raises:
        ArchiveError: there is none; the message says how to get one.
    """
    tools = rar_tools()
    if not tools:
        names = ", ".join(_COMMANDS)
        raise ArchiveError(
            f"{path.name} is a RAR archive, and no tool that unpacks these is installed ({names}). "
            f"{_INSTALL}. Then run the same command again."
        )
    return tools


def by_some_tool(path: Path, attempt: Callable[[RarTool], _T]) -> _T:
    """What `attempt` makes of the first tool that can read `path`.

    Raises:
        ArchiveError: there is no tool, or none can read it.
    """
    told = []
    for tool in require_rar_tool(path):
        try:
            return attempt(tool)
        except _ToolFailedError as error:
            told.append(f"{tool.name}: {error}")
    raise ArchiveError(
        f"{path} is damaged, or packed in a way that these tools do not know ({'; '.join(told)}). "
        f"{_INSTALL}; else remove the archive and fetch it again."
    )


def listed_entries(path: Path, raw: IO[bytes], *, max_files: int) -> list[RarEntry]:
    """Every file and folder, as the headers tell; one more than `max_files` at most.

    Raises:
        ArchiveError: the archive is damaged, encrypted, one of several volumes, or holds a link.
    """
    return list(islice(rar_entries(path, raw), max_files + 1))


def rar_members(
    path: Path, raw: IO[bytes], entries: list[RarEntry], tool: RarTool
) -> Iterator[Member]:
    """Every member in its order; the chunks of one must be used up before the next is asked for.

    Args:
        path: The archive.
        raw: The same, open: its position tells how far the work is.
        entries: What its headers tell.
        tool: What prints its contents.
    """
    with tempfile.TemporaryFile() as told, _printing(path, tool, told) as process:
        output = process.stdout
        if output is None:
            raise _ToolFailedError("it has no output")
        raw.seek(0)
        for entry in entries:
            chunks = _contents(entry, output, told)
            yield Member(entry.name, entry.is_folder, _moving(raw, entry, chunks))
        if output.read(1):
            raise _ToolFailedError("it prints more than the headers announce")
        # Where every file has the right checksum, a tool may say what it likes.
        unproven = any(entry.crc32 is None for entry in entries if not entry.is_folder)
        if process.wait() and unproven:
            raise _ToolFailedError(_last_line(told) or f"it ended with {process.returncode}")


def _moving(raw: IO[bytes], entry: RarEntry, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass the chunks on, and move through the packed data as fast as they come."""
    start, done = raw.tell(), 0
    for chunk in chunks:
        done += len(chunk)
        raw.seek(start + (entry.packed_until - start) * done // entry.size_bytes)
        yield chunk
    raw.seek(entry.packed_until)


def _contents(entry: RarEntry, output: IO[bytes], told: IO[bytes]) -> Iterator[bytes]:
    missing, crc = entry.size_bytes, 0
    while missing:
        chunk = output.read(min(CHUNK_BYTES, missing))
        if not chunk:
            why = _last_line(told) or "it prints less than the headers announce"
            raise _ToolFailedError(f"at {entry.name!r}, {why}")
        missing -= len(chunk)
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if entry.crc32 not in (None, crc) and not entry.is_folder:
        raise _ToolFailedError(f"the checksum of {entry.name!r} is wrong")


@contextmanager
def _printing(path: Path, tool: RarTool, told: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The running tool; killed at the end, whatever ended it."""
    try:
        # An absolute path cannot be taken for an option.  Names are not asked for, but a tool
        # that cannot show one in the user's language may stop at it.
        process = subprocess.Popen(  # noqa: S603 - no shell, and a program we know
            [*tool.command, str(path.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except OSError as error:
        raise _ToolFailedError(f"it cannot be started ({error.strerror})") from error
    with process:
        try:
            yield process
        finally:
            process.kill()


def _last_line(told: IO[bytes]) -> str:
    told.seek(0)
    lines = told.read(1 << 16).decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _tar_that_is_bsdtar() -> str | None:
    """The `tar` of Windows and macOS, which is bsdtar under another name."""
    program = shutil.which("tar")
    if program is None:
        return None
    try:
        told = subprocess.run(  # noqa: S603 - no shell, and a program we know
            [program, "--version"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return program if told.stdout.startswith(b"bsdtar") else None
