"""Folders of numbered pictures: videos that someone has taken apart."""

from __future__ import annotations

import os
import re
from pathlib import Path

PICTURE_EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL | re.ASCII)


def is_frame_folder(path: Path) -> bool:
    """Whether a folder holds nothing but pictures that are numbered, all alike but for that.

    Hidden files do not count, nor do files such as `Thumbs.db`; a sub-folder does, and so does a
    video: then it is a folder of other things.
    """
    if not os.path.isdir(path):  # unlike Path.is_dir, false for names that no file can have
        return False
    kinds: set[tuple[str, str, str]] = set()
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            stem, extension = os.path.splitext(entry.name)
            if entry.is_dir():
                return False
            if extension.lower() not in PICTURE_EXTENSIONS:
                continue
            numbered = _NUMBERED.fullmatch(stem)
            if numbered is None:
                return False
            kinds.add((numbered[1], numbered[3], extension.lower()))
    return len(kinds) == 1
