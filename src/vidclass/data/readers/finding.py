"""What the readers of other tools' annotations share: where videos and lists lie, and rows."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vidclass._core.text import counted, listed, quoted
from vidclass.data.clip import LABEL_SEPARATOR, clean_text, join_labels, labels_in
from vidclass.data.media_files import is_image_sequence
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError


class Found(NamedTuple):
    """One row of a source; `video` is an absolute path."""

    video: str
    label: str
    split: str | None = None
    start_s: float | None = None
    stop_s: float | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Finder:
    """Where the videos of a list may lie: in `bases`, or in `folders` of these."""

    bases: tuple[Path, ...]
    folders: tuple[str, ...] = ()

    @classmethod
    def beside(cls, path: Path, options: ReadOptions, folders: Iterable[str] = ()) -> Finder:
        """In `--root`, beside the list, and beside the folder of the list."""
        bases = [options.root, path.parent, path.parent.parent]
        return cls(tuple(base for base in bases if base is not None), tuple(folders))

    def find(self, *names: str, label: str = "", split: str | None = None) -> str:
        """The first place where one of the names is, else the first where it could have been.

        It is looked for as it is, in the folder of its split, in `folders`, and in the folder
        that is called like its label.
        """
        words = split_folders(split)
        folders = ["", *words, *self.folders]
        folders += [f"{folder}_{word}" for folder in self.folders for word in words]
        places = (
            os.path.abspath(os.path.join(base, folder, name))
            for name in names
            for base in self.bases
            for folder in (*folders, label)
        )
        first = os.path.abspath(os.path.join(self.bases[0], names[0]))
        return next((place for place in places if os.path.exists(place)), first)


def split_folders(split: str | None) -> list[str]:
    """How a folder for the clips of this split may be called."""
    return [word for word, meaning in SPLIT_WORDS.items() if meaning == split]


def rates_of(
    videos: Sequence[str], given: Sequence[float | None], fps: float | None
) -> list[float | None]:
    """Frames a second of each row: None for a file; as given, else `fps`, for a frame folder.

    Raises:
        ManifestError: a folder of frames has no rate.
    """
    folders = {video for video in set(videos) if is_image_sequence(Path(video))}
    rates = [
        (rate or fps) if video in folders else None
        for video, rate in zip(videos, given, strict=True)
    ]
    without = [
        video
        for video, rate in zip(videos, rates, strict=True)
        if rate is None and video in folders
    ]
    if without:
        unique = list(dict.fromkeys(without))
        raise ManifestError(
            f"{counted(len(unique), 'folder')} of frames without a frame rate: "
            f"{listed(quoted(unique))}. Pictures have no clock: say how many were taken a second, "
            "with --fps or in a column `fps`."
        )
    return rates


def rows_of(found: Sequence[Found], options: ReadOptions, notes: Sequence[str] = ()) -> Rows:
    """Rows in the order of the source.

    With `options.multi_label` rows that differ only in the label become one with all labels; else
    they stay, for the check that refuses contradictions.
    """
    if options.multi_label:
        labels: dict[Found, list[str]] = {}
        for row in found:
            labels.setdefault(row._replace(label=""), []).extend(labels_in(row.label))
        found = [row._replace(label=join_labels(several)) for row, several in labels.items()]
    columns = {name: [getattr(row, name) for row in found] for name in Found._fields}
    return Rows.from_columns(columns, notes)


def class_name(text: str, where: str) -> str:
    """The cleaned name of one class.

    Raises:
        ManifestError: it is empty or would be taken for several.
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


def given_fps(options: ReadOptions, why: str) -> float:
    """The `--fps` that was given.

    Raises:
        ManifestError: none was, or it is no rate; `why` is the clause that says who needs it.
    """
    if options.fps is None:
        raise ManifestError(f"{why}: give the frames a second with --fps, like --fps 25.")
    if not (math.isfinite(options.fps) and options.fps > 0):
        raise ManifestError(f"--fps must be more than 0, received: {options.fps}.")
    return options.fps


def files_in(folder: Path) -> list[Path]:
    """The files of a folder by name, hidden ones left out; none if it cannot be listed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    files = [folder / name for name in names if not name.startswith(".")]
    return [file for file in files if os.path.isfile(file)]


def split_of(path: Path) -> str | None:
    """The split that one word of a file's name stands for.

    >>> split_of(Path("k400_val_list.txt")), split_of(Path("constraints.txt"))
    ('validation', None)
    """
    words = re.split(r"[^a-z]+", path.stem.lower())
    splits = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    return splits.pop() if len(splits) == 1 else None


def only_one(files: Sequence[Path], split: str) -> Path:
    """The single file of a split.

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
