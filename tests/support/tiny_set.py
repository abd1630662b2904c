"""A tiny set of clips, and one classifier that many tests share: made once a session."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.video.write import write_video

LABELS = ("dark", "light")
# A small network with random weights: quick, and good enough to tell dark from light.  In float32,
# so that every machine gives the same numbers.
QUICK = {"weights": "random", "size": 32, "frames": 5, "precision": "f32"}
QUICK_OPTIONS = [text for name, value in QUICK.items() for text in (f"--{name}", str(value))]


def scene(label: str, seed: int, *, frames: int = 8) -> list[NDArray[np.uint8]]:
    """Noise around a dark blue, or around a light orange."""
    rng = np.random.default_rng(seed)
    level = np.array([20, 30, 70] if label == "dark" else [230, 190, 120])
    noise = rng.integers(-15, 16, (frames, 6, 8, 1)).repeat(8, 1).repeat(8, 2)
    return list(np.clip(level + noise, 0, 255).astype(np.uint8))


def write_clip(path: Path, label: str, seed: int = 0, *, frames: int = 8) -> Path:
    write_video(path, scene(label, seed, frames=frames), fps=10)
    return path


def write_set(folder: Path, *, groups: int = 5, labels: Sequence[str] = LABELS) -> Path:
    """A folder of classes with one clip in each of some groups a class."""
    for label in labels:
        for group in range(groups):
            seed = 100 * labels.index(label) + group
            write_clip(folder / label / f"v_{label}_g{group:02}_c01.avi", label, seed)
    return folder


def command(*arguments: object) -> list[str]:
    """The command line, as another process."""
    return [sys.executable, "-m", "vidclass", *map(str, arguments)]
