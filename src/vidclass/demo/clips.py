"""Data set of the demo: video files of six motions, two pairs of which are reversals."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from vidclass._core.files import replacing
from vidclass.demo.appearance import Look
from vidclass.demo.scenes import FPS, blinking, growing, spinning, sunrise
from vidclass.errors import ConfigError
from vidclass.types import UInt8Array
from vidclass.video.write import write_video

MIN_S, MAX_S = 2.0, 7.9
MAX_THREADS = 4

Scene = Callable[[Look, np.random.Generator, int], list[UInt8Array]]


@dataclass(frozen=True)
class Motion:
    """A scene, the label of its film and, if it has a direction, the label of its reversal."""

    scene: Scene
    label: str
    backwards: str | None = None


MOTIONS = (
    Motion(growing, "Grow", "Shrink"),
    Motion(sunrise, "Sunrise", "Sunset"),
    Motion(spinning, "Spin"),
    Motion(blinking, "Blink"),
)
LABELS = tuple(label for m in MOTIONS for label in (m.label, m.backwards) if label)
REVERSAL_PAIRS = tuple((m.label, m.backwards) for m in MOTIONS if m.backwards)


def make_demo_clips(
    folder: Path,
    *,
    seed: int = 0,
    train_groups: int = 12,
    test_groups: int = 8,
    clips_per_group: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the demo's clips and their two tables into `folder`.

    It gets `train/` and `test/` with files named `v_<Label>_g<group>_c<clip>.avi` (MPEG-4,
    320x240, 25 frames a second, 2 to 8 s) and `train.csv` and `test.csv` with the columns
    `video_name,tag`.  Every group has its own colours, textures, shapes, camera and film grain,
    and is either in training or in test.

    In every group the clips of a pair of `REVERSAL_PAIRS` are the same films, forwards and
    backwards, bit for bit: no bag of frames can tell them apart, only their order can.

    Args:
        folder: Folder to write, created if missing; clips of an earlier call are replaced.
        seed: Seed of the clips; the same seed gives the same files.
        train_groups: Number of groups in training, at least 1.
        test_groups: Number of groups in test, at least 1; their numbers follow.
        clips_per_group: Clips of each label in each group, at least 1.
        progress: Callback; reports the number of finished clips and their total.

    Returns:
        `folder`.

    Raises:
        ConfigError: `seed` is negative, or another number or the sum of the groups is not
            between 1 and 99.
    """
    _require_counts(seed, train_groups, test_groups, clips_per_group)
    groups = range(1, train_groups + test_groups + 1)
    jobs = list(product(groups, range(1, clips_per_group + 1), range(len(MOTIONS))))
    total, done = len(LABELS) * len(groups) * clips_per_group, 0
    rows: dict[str, list[str]] = {"train": [], "test": []}

    def work(job: tuple[int, int, int]) -> tuple[str, list[str]]:
        split = "train" if job[0] <= train_groups else "test"
        return split, _write_films(folder / split, seed, *job)

    # Threads are enough: Pillow, NumPy and the encoder all work outside the interpreter's lock.
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MAX_THREADS)) as pool:
        for split, written in pool.map(work, jobs):
            rows[split] += written
            done += len(written)
            if progress is not None:
                progress(done, total)
    for split, lines in rows.items():
        with replacing(folder / f"{split}.csv") as temp:
            table = "\n".join(["video_name,tag", *sorted(lines), ""])
            temp.write_text(table, encoding="utf-8", newline="\n")
    return folder


def draw_films(seed: int, group: int, clip: int, motion: int) -> dict[str, list[UInt8Array]]:
    """Draw the films of one clip number: one, or the two directions of a pair.

    The number of frames is odd: the middle of each of T equal parts then lies inside a frame and
    never between two, so that evenly spaced frames of a film and of its reversal are equal.

    Args:
        seed: Seed of the whole data set.
        group: Number of the group.
        clip: Number of the clip in the group.
        motion: Index into `MOTIONS`.

    Returns:
        The frames of each film, (240,320,3) uint8 RGB, by label.
    """
    kind = MOTIONS[motion]
    look = Look.drawn(np.random.default_rng([seed, group]))
    rng = np.random.default_rng([seed, group, clip, motion])
    seconds = MIN_S + (MAX_S - MIN_S) * rng.random() ** 7  # mostly short, for speed
    count = 2 * round(seconds * FPS / 2) + 1
    film = list(_grained(kind.scene(look, rng, count), look.grain, rng))
    films = {kind.label: film}
    if kind.backwards:
        films[kind.backwards] = film[::-1]
    return films


def _write_films(folder: Path, seed: int, group: int, clip: int, motion: int) -> list[str]:
    """Write the films of one clip number; return their rows of the table."""
    rows = []
    for label, frames in draw_films(seed, group, clip, motion).items():
        name = f"v_{label}_g{group:02d}_c{clip:02d}.avi"
        # Key frames only: predicted frames lag behind the motion, which would reveal its direction.
        write_video(folder / name, frames, fps=FPS, key_every=1)
        rows.append(f"{name},{label}")
    return rows


def _grained(
    frames: list[UInt8Array], strength: float, rng: np.random.Generator
) -> Iterator[UInt8Array]:
    """Yield the frames with noise of the given standard deviation."""
    height, width, _ = frames[0].shape
    sheet = rng.normal(0, strength, (height + 64, width + 64, 3)).round().astype(np.int16)
    for frame in frames:
        # Each frame takes another part of one sheet: drawing new noise is far slower.
        y, x = rng.integers(64, size=2)
        noisy = frame + sheet[y : y + height, x : x + width]
        yield noisy.clip(0, 255).astype(np.uint8)


def _require_counts(seed: int, train_groups: int, test_groups: int, clips_per_group: int) -> None:
    if seed < 0:
        raise ConfigError(f"seed={seed!r} must be 0 or more")
    counts = {
        "train_groups": train_groups,
        "test_groups": test_groups,
        "clips_per_group": clips_per_group,
        "train_groups + test_groups": train_groups + test_groups,
    }
    for name, value in counts.items():
        if not 1 <= value <= 99:
            raise ConfigError(f"{name}={value!r} must be between 1 and 99")
