"""Small pictures of clips: what is judged, and what is shown."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vidclass.data.clip import labels_in
from vidclass.data.manifest import Manifest
from vidclass.types import UInt8Array

STRIP_FRAMES = 3
MOST_PER_CLASS = 12
# Some 6 kB each as text: a page of 101 classes stays below 10 MB.
MOST_ON_PAGE = 900
THUMB_HEIGHT = 72
THUMB_WIDTHS = (24, 128)


def strip_of(frames: UInt8Array, *, aspect: float) -> bytes:
    """Frames (T,S,S,3), squeezed to squares, as a JPEG: beside one another and in true shape.

    Args:
        frames: The pictures.
        aspect: Width by height of the video as shown; extreme ones are tamed.
    """
    width = int(np.clip(round(THUMB_HEIGHT * aspect), *THUMB_WIDTHS))
    strip = Image.new("RGB", (width * len(frames), THUMB_HEIGHT))
    for number, frame in enumerate(frames):
        thumb = Image.fromarray(frame).resize((width, THUMB_HEIGHT), Image.Resampling.LANCZOS)
        strip.paste(thumb, (number * width, 0))
    buffer = io.BytesIO()
    strip.save(buffer, format="JPEG", quality=68, optimize=True)
    return buffer.getvalue()


def sheet_rows(manifest: Manifest) -> dict[str, list[int]]:
    """The clips that the contact sheet shows of each class: evenly spaced ones."""
    of_class: dict[str, list[int]] = {label: [] for label in manifest.labels}
    for row, label in enumerate(manifest.table["label"]):
        for name in labels_in(label):
            of_class[name].append(row)
    most = max(1, min(MOST_PER_CLASS, MOST_ON_PAGE // max(1, len(of_class))))
    return {label: _spread(rows, most) for label, rows in of_class.items()}


def _spread(rows: Sequence[int], most: int) -> list[int]:
    if len(rows) <= most:
        return list(rows)
    return [rows[int(number)] for number in np.linspace(0, len(rows) - 1, most).round()]
