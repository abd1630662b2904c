"""Locate the videos and lists of other tools' annotations, and build rows from their clips."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vidclass._core.text import counted, listed, quoted
from vidclass.data.clip import LABEL_SEPARATOR, clean_text
from vidclass.data.media_files import is_image_sequence
from vidclass.data.readers.reader import ReadOptions
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError


class ClipRow(NamedTuple):
    """One row of a source; `video` is an absolute path."""

    video: str
    label: str
    split: str | None = None
    start_s: float | None = None
    stop_s: float | None = None
    fps: float | None = None
    group: str | None = None


def rows_from_clips(clips: Sequence[ClipRow], notes: Sequence[str] = ()) -> Rows:
    """Return the rows of clips, in their order."""
    columns = {name: [getattr(clip, name) for clip in clips] for name in ClipRow._fields}
    return Rows.from_columns(columns, notes)


@dataclass(frozen=True)
class VideoLocator:
    """Looks for the videos of a list in the folders `bases`, and in `subfolders` of these."""

    bases: tuple[Path, ...]
    subfolders: tuple[str, ...] = ()

    @classmethod
    def beside(
        cls, path: Path, options: ReadOptions, subfolders: Iterable[str] = ()
    ) -> VideoLocator:
        """Look in the root, beside the list, and beside the folder of the list."""
        bases = [options.root, path.parent, path.parent.parent]
        return cls(tuple(base for base in bases if base is not None), tuple(subfolders))

    def locate(self, *names: str, label: str = "", split: str | None = None) -> str:
        """Return the first path at which one of the names exists, else the first one tried.

        Each name is tried as it is, in the folder of its split, in `subfolders`, and in the folder
        named after its label.
        """
        words = split_folders(split)
        folders = ["", *words, *self.subfolders]
        folders += [f"{folder}_{word}" for folder in self.subfolders for word in words]
        candidates = (
            os.path.abspath(os.path.join(base, folder, name))
            for name in names
            for base in self.bases
            for folder in (*folders, label)
        )
        first = os.path.abspath(os.path.join(self.bases[0], names[0]))
        return next((path for path in candidates if os.path.exists(path)), first)


def split_folders(split: str | None) -> list[str]:
    """Return possible names of a folder for the clips of a split."""
    return [word for word, meaning in SPLIT_WORDS.items() if meaning == split]


def frame_rates(
    videos: Sequence[str], given: Sequence[float | None], fps: float | None
) -> list[float | None]:
    """Return frames per second of each video: None for a file; for an image sequence its own.

    Args:
        videos: Absolute paths, (N,).
        given: Rates in the source, (N,).
        fps: Rate of image sequences without one.

    Raises:
        ManifestError: an image sequence has no rate.
    """
    sequences = {video for video in set(videos) if is_image_sequence(Path(video))}
    rates = [
        (rate or fps) if video in sequences else None
        for video, rate in zip(videos, given, strict=True)
    ]
    missing = [
        video
        for video, rate in zip(videos, rates, strict=True)
        if rate is None and video in sequences
    ]
    if missing:
        unique = list(dict.fromkeys(missing))
        raise ManifestError(
            f"{counted(len(unique), 'image sequence')} without a frame rate: "
            f"{listed(quoted(unique))}. Images have no timestamps: give the frames a second with "
            "`fps`, or in a column 'fps'."
        )
    return rates


def required_fps(options: ReadOptions, reason: str) -> float:
    """Return the given frame rate.

    Args:
        options: Options of the reader.
        reason: Clause that says what needs the rate.

    Raises:
        ManifestError: no rate is given, or it is not a positive number.
    """
    if options.fps is None:
        raise ManifestError(f"{reason}: give the frames a second, like fps=25.")
    if not (math.isfinite(options.fps) and options.fps > 0):
        raise ManifestError(f"fps={options.fps} must be more than 0.")
    return options.fps


def class_name(text: str, where: str) -> str:
    """Normalize the name of one class.

    Raises:
        ManifestError: it is empty, or has the bar that separates classes.
    """
    name = clean_text(text)
    if not name:
        raise ManifestError(f"{where}: the name of a class is empty.")
    if LABEL_SEPARATOR in name:
        raise ManifestError(
            f"{where}: the class {name!r} has a bar, which stands between several classes of one "
            "clip: rename it."
        )
    return name


def list_files(folder: Path) -> list[Path]:
    """Return the files of a folder by name, without hidden ones; [] if it cannot be listed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    files = [folder / name for name in names if not name.startswith(".")]
    return [file for file in files if os.path.isfile(file)]


def split_in_name(path: Path) -> str | None:
    """Return the split that a word of a file's name stands for, or None.

    >>> split_in_name(Path("k400_val_list.txt")), split_in_name(Path("constraints.txt"))
    ('validation', None)
    """
    words = re.split(r"[^a-z]+", path.stem.lower())
    splits = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    return splits.pop() if len(splits) == 1 else None


def files_by_split(folder: Path, accepts: Callable[[Path], bool]) -> dict[str, list[Path]]:
    """Return the accepted files of a folder by the split in their names."""
    files: dict[str, list[Path]] = {}
    for file in list_files(folder):
        split = split_in_name(file)
        if split is not None and accepts(file):
            files.setdefault(split, []).append(file)
    return files


def single_file(files: Sequence[Path], split: str) -> Path:
    """Return the only file of a split.

    Raises:
        ManifestError: there are several.
    """
    if len(files) > 1:
        names = listed(quoted(file.name for file in files))
        raise ManifestError(
            f"{str(files[0].parent)!r} has {len(files)} lists for {split}: {names}. Keep one, or "
            "give one list as the source."
        )
    return files[0]
