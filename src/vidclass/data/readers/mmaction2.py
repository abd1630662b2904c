"""MMAction2's and PySlowFast's annotation lists: a line per clip, classes as numbers from 0.

```
some/path/clip_1.mp4 0
some/path/clip_2.mp4,3
several/classes.mp4 3 5
folder/of/pictures 163 3
```

A line is a video and the numbers of its classes, or a folder of frame pictures, how many there
are, and the numbers of its classes; blanks, tabs or commas stand between them.  MMAction2 documents
this under "Prepare Dataset: Action Recognition" (`VideoDataset`, `RawframeDataset`), PySlowFast
under `slowfast/datasets/DATASET.md`.  Lists of frames with an offset are not told apart from two
classes: a note says so where it could be one.  A name may have blanks, but that
of a folder must not end in a blank and a number.

The names of the classes come from `--labels` or from a file beside the list: see `class_names`.
A folder with lists for train and validation or test, like `k400_train_list.txt`, gives splits;
several lists for one split are told apart by `split_N` in their names and `--split N`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidclass.data.clip import join_labels
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.data.readers.class_names import ClassNames
from vidclass.data.readers.finding import (
    Finder,
    Found,
    files_in,
    given_fps,
    only_one,
    rows_of,
    split_of,
)
from vidclass.data.readers.options import ReadOptions
from vidclass.data.readers.strict import first_line, read_text, refuse, shown
from vidclass.data.rows import SPLITS, Rows
from vidclass.errors import ManifestError

EXTENSIONS = frozenset({".txt", ".csv"})
FOLDERS = ("videos", "rawframes")

_MAX_DIGITS = 9


@dataclass(frozen=True)
class _Line:
    """A clip; `frames` is None for a video file."""

    row: int
    path: str
    frames: int | None
    classes: tuple[int, ...]


def accepts(path: Path) -> bool:
    """A list whose first line is a clip, or a folder with such a list for train."""
    if os.path.isdir(path):
        return "train" in _lists(path)
    return _is_list(path)


def read(path: Path, options: ReadOptions) -> Rows:
    """The clips of one list, or of a folder's lists with their splits.

    Raises:
        ManifestError: a line is no clip, a number has no name, a list is empty, or frame pictures
            have no rate.
    """
    if not os.path.isdir(path):
        return _read_lists([(path, None)], options)
    lists = _lists(path)
    chosen = [
        (only_one(_of_split(lists[split], options), split), split)
        for split in SPLITS
        if split in lists
    ]
    return _read_lists(chosen, options)


def _read_lists(lists: Sequence[tuple[Path, str | None]], options: ReadOptions) -> Rows:
    names = ClassNames.of(lists[0][0].parent, options)
    found: list[Found] = []
    notes = [names.note]
    for path, split in lists:
        lines = _lines(path)
        names.check(path, [(line.row, number) for line in lines for number in line.classes])
        if any(line.frames is not None for line in lines):
            fps = given_fps(options, f"{path.name} lists folders of frame pictures")
        finder = Finder.beside(path, options, FOLDERS)
        for line in lines:
            label = join_labels(names.name(number) for number in line.classes)
            video = finder.find(line.path, label=label, split=split)
            found.append(Found(video, label, split, fps=None if line.frames is None else fps))
        notes += _perhaps_offsets(path, lines)
    return rows_of(found, options, notes)


def _lines(path: Path) -> list[_Line]:
    lines: list[_Line] = []
    wrong: list[str] = []
    for row, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        line = _parsed(row, text)
        if line is None:
            wrong.append(f"row {row} has {shown(text.strip())}")
        else:
            lines.append(line)
    rule = "a line must be a video and the number of its class, or a folder, its frames and that"
    refuse(path, rule, wrong)
    if not lines:
        raise ManifestError(f"{path.name} is empty: it must have a line per clip.")
    return lines


def _parsed(row: int, text: str) -> _Line | None:
    """The line, or None if it is no clip.  The path may have blanks, so numbers are taken first."""
    parts = re.split(r"([\s,]+)", text.strip())
    numbers: list[int] = []
    while len(parts) > 2 and parts[-1].isascii() and parts[-1].isdigit():
        if len(parts[-1]) > _MAX_DIGITS:
            return None
        numbers.append(int(parts[-1]))
        del parts[-2:]
    numbers.reverse()
    path = "".join(parts).strip('"').strip()
    if not path or not numbers:
        return None
    if Path(path).suffix.lower() in VIDEO_EXTENSIONS:
        return _Line(row, path, None, tuple(numbers))
    return _Line(row, path, numbers[0], tuple(numbers[1:])) if len(numbers) > 1 else None


def _perhaps_offsets(path: Path, lines: Sequence[_Line]) -> list[str]:
    frames = [line for line in lines if line.frames is not None]
    if not frames or any(len(line.classes) != 2 for line in frames):
        return []
    return [
        f"{path.name}: three numbers after every folder are read as its frames and two classes. "
        "If they are offset, frames and class, take the offset out."
    ]


def _is_list(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and _parsed(1, first_line(path)) is not None


def _lists(folder: Path) -> dict[str, list[Path]]:
    lists: dict[str, list[Path]] = {}
    for file in files_in(folder):
        split = split_of(file)
        if split is not None and _is_list(file):
            lists.setdefault(split, []).append(file)
    return lists


def _of_split(files: list[Path], options: ReadOptions) -> list[Path]:
    """Those with `split_N` in the name, if one of several official splits was asked for."""
    if options.official_split is None or len(files) == 1:
        return files
    pattern = re.compile(rf"split[_-]?0*{options.official_split}(?!\d)", re.IGNORECASE)
    return [file for file in files if pattern.search(file.stem)] or files
