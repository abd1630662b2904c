"""Recognize video files and image sequences by name; imports no table library."""

from __future__ import annotations

import os
import re
from pathlib import Path

_VIDEO_NAMES = "3gp asf avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv y4m"
VIDEO_EXTENSIONS = frozenset(f".{name}" for name in _VIDEO_NAMES.split())
IMAGE_EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL | re.ASCII)


def is_image_sequence(path: Path) -> bool:
    """Return whether a folder is an image sequence: images whose names differ only in a number.

    Hidden files and other files such as `Thumbs.db` are ignored; sub-folders are not allowed.
    """
    if not os.path.isdir(path):  # unlike Path.is_dir, false for names that no file can have
        return False
    patterns: set[tuple[str, str, str]] = set()
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            stem, extension = os.path.splitext(entry.name)
            if entry.is_dir():
                return False
            if extension.lower() not in IMAGE_EXTENSIONS:
                continue
            match = _NUMBERED.fullmatch(stem)
            if match is None:
                return False
            patterns.add((match[1], match[3], extension.lower()))
    return len(patterns) == 1
