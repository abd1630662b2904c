"""One sweep at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vidclass.errors import RunError


@contextmanager
def only_one(file: Path) -> Iterator[None]:
    """Lock `file` until the block ends; the system frees the lock of a process that is killed.

    Raises:
        RunError: another process holds the lock, or the file cannot be written.
    """
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"another sweep is running in {file.parent}: wait for it, or name another folder"
        ) from error
    except OSError as error:
        raise RunError(f"cannot lock {file}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
