"""Small pictures of clips: what is judged, and what is shown."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidclass.data.manifest import Manifest
from vidclass.data.rows import labels_in
from vidclass.types import UInt8Array

STRIP_FRAMES = 3
MOST_PER_CLASS = 12
# Some 6 kB each as text: a page of 101 classes stays below 10 MB.
MOST_ON_PAGE = 900
THUMB_HEIGHT = 72
THUMB_WIDTHS = (24, 128)

# As FFmpeg's blackdetect has it: a pixel is dark below a tenth of white, and a picture is black
# when 98 % of it are.
DARK_LEVEL = 25
BLACK_SHARE = 0.98
# Levels of 255 that a coarse picture may change by in any place and still be the same one:
# compression makes two or three of nothing.
SAME_LEVELS = 4


class Judge:
    """Told of the frames of one clip, says whether it is black or frozen."""

    def __init__(self) -> None:
        self.looked_at = 0
        self._black = self._frozen = True
        self._first: NDArray[np.int16] | None = None

    def see(self, grey: UInt8Array) -> None:
        """Take one more frame, coarse and grey: (H,W) uint8, of one size for the whole clip."""
        self.looked_at += 1
        self._black = self._black and bool((grey <= DARK_LEVEL).mean() >= BLACK_SHARE)
        levels = grey.astype(np.int16)
        if self._first is None:
            self._first = levels
        self._frozen = self._frozen and bool(np.abs(levels - self._first).max() <= SAME_LEVELS)

    @property
    def black(self) -> bool:
        """Every frame was black."""
        return self.looked_at > 0 and self._black

    @property
    def frozen(self) -> bool:
        """There were two frames at least, all of them the same."""
        return self.looked_at > 1 and self._frozen


def coarse_grey(frames: UInt8Array, side: int) -> UInt8Array:
    """Frames (T,H,W,3) RGB as (T,side,side) grey, each pixel the mean of a block."""
    pictures = [Image.fromarray(frame).convert("L") for frame in frames]
    small = [picture.resize((side, side), Image.Resampling.BOX) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in small])


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
