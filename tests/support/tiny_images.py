"""Images that show a number, alone or as an image sequence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS = 8


def number_image(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a grey image (H,W,3) with `number` as eight bands, the highest bit on top."""
    width, height = size
    bits = (number >> np.arange(BITS)[::-1]) & 1
    rows = np.where(bits, 220, 30).astype(np.uint8)[np.arange(height) * BITS // height]
    return np.repeat(rows, width * 3).reshape(height, width, 3)


def write_images(
    folder: Path,
    *,
    name: str = "img_{:05}.jpg",
    numbers: Iterable[int] = range(1, 31),
    size: tuple[int, int] = (64, 48),
) -> Path:
    """Write an image sequence in which the image of each of these numbers shows that number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(number_image(number, size)).save(folder / name.format(number))
    return folder
