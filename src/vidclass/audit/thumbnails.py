"""Thumbnails of clips, and which clips a contact sheet shows."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vidclass.data.clip import labels_in
from vidclass.types import UInt8Array

THUMBNAIL_FRAMES = 3
MOST_PER_CLASS = 12
# Some 6 kB each as text: a page of 101 classes stays below 10 MB.
MOST_ON_PAGE = 900
THUMBNAIL_HEIGHT = 72
THUMBNAIL_WIDTHS = (24, 128)


def thumbnail_strip(frames: UInt8Array, *, aspect: float) -> bytes:
    """Return frames (T,S,S,3), scaled to squares, side by side in true shape as a JPEG.

    Args:
        frames: The frames.
        aspect: Width divided by height of the video as shown; clipped to usable widths.
    """
    width = int(np.clip(round(THUMBNAIL_HEIGHT * aspect), *THUMBNAIL_WIDTHS))
    strip = Image.new("RGB", (width * len(frames), THUMBNAIL_HEIGHT))
    size = (width, THUMBNAIL_HEIGHT)
    for index, frame in enumerate(frames):
        thumbnail = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
        strip.paste(thumbnail, (index * width, 0))
    buffer = io.BytesIO()
    strip.save(buffer, format="JPEG", quality=68, optimize=True)
    return buffer.getvalue()


def contact_sheet_rows(labels: Sequence[str]) -> dict[str, list[int]]:
    """Return the evenly spaced rows that the contact sheet shows of each class; labels (N,)."""
    rows_by_class: defaultdict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        for name in labels_in(label):
            rows_by_class[name].append(row)
    most = max(1, min(MOST_PER_CLASS, MOST_ON_PAGE // max(1, len(rows_by_class))))
    return {label: _evenly_spaced(rows, most) for label, rows in sorted(rows_by_class.items())}


def _evenly_spaced(rows: Sequence[int], most: int) -> list[int]:
    if len(rows) <= most:
        return list(rows)
    return [rows[int(index)] for index in np.linspace(0, len(rows) - 1, most).round()]
