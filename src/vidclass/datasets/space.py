"""Room on a disk, looked at before the work."""

from __future__ import annotations

import shutil
from pathlib import Path


def lacking_space(folder: Path, needed_bytes: int) -> str:
    """What is said when `folder` has not so much room, as a clause; empty if it has.

    The folder need not be there yet.
    """
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free_bytes = shutil.disk_usage(place).free
    if needed_bytes <= free_bytes:
        return ""
    return f"it takes {in_bytes(needed_bytes)} and {in_bytes(free_bytes)} are free there"


def in_bytes(count: float) -> str:
    """A number of bytes for people to read.

    >>> in_bytes(999), in_bytes(6_932_971_618)
    ('999 B', '6.9 GB')
    """
    if count < 1000:
        return f"{count} B"
    units = iter(("kB", "MB", "GB", "TB"))
    unit = "B"
    while count >= 1000 and unit != "TB":
        count, unit = count / 1000, next(units)
    return f"{count:.1f} {unit}"
