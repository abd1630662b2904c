"""Make a folder beside its place, then move it there: half of it must never look whole."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staging_beside(folder: Path) -> Iterator[Path]:
    """An empty folder on the same disk as `folder`, removed at the end with all in it.

    Once `folder` is there and not empty, what killed processes left of their staging is removed
    too: whoever still works on the same folder has lost, since it can no longer be replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".unpacking", dir=folder.parent)
    try:
        yield Path(staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if why_taken(folder):
            _sweep(folder)


def why_taken(folder: Path) -> str:
    """What speaks against making `folder` anew, as the end of a sentence; empty if nothing."""
    if not folder.is_dir():
        return "is there already and no folder" if os.path.lexists(folder) else ""
    if any(folder.iterdir()):
        return "is there already and not empty"
    # Replacing it would leave the shell that works in it in a folder that is no more.
    return "is the current folder" if folder.samefile(Path.cwd()) else ""


def move_into_place(content: Path, folder: Path) -> None:
    """Give the finished `content` its place in one step; `folder` may be there if empty."""
    if folder.is_dir():
        folder.rmdir()  # os.replace onto a folder works on POSIX only
    os.replace(content, folder)


def _sweep(folder: Path) -> None:
    # mkdtemp puts eight characters without a dot between prefix and suffix.
    pattern = f".{glob.escape(folder.name)}.{'?' * 8}.unpacking"
    for left in folder.parent.glob(pattern):
        shutil.rmtree(left, ignore_errors=True)
