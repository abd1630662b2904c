"""The official lists of UCF101: `trainlist01.txt` to `testlist03.txt`.

A line of a training list is `Diving/v_Diving_g08_c01.avi 26`, of a test list the same without the
number; `classInd.txt` gives the number of each class (`26 Diving`).
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from vidclass._core.text import listed, quoted
from vidclass.data.clip import clean_text
from vidclass.data.readers.locate import ClipRow, VideoLocator, rows_from_clips
from vidclass.data.readers.reader import OFFICIAL_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.text import text_lines
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

_CLASSES = "classInd.txt"
_LIST = re.compile(r"(train|test)list0?(\d+)\.txt")
_LISTS_FOLDER = "ucfTrainTestlist"
# The folder in the archive of the videos.
_VIDEOS = "UCF-101"


def accepts(path: Path) -> bool:
    """Return whether a folder has the lists, or a folder `ucfTrainTestlist` of them."""
    return path.is_dir() and _lists_folder(path) is not None


def read(path: Path, options: ReadOptions) -> Rows:
    """Read the training and test clips of one official split, by default the first.

    Videos are looked for in the root, in `path` and beside the lists, in class folders or without.

    Raises:
        ManifestError: there is no such split, or a list is not valid.
    """
    folder = _lists_folder(path)
    if folder is None:
        raise ManifestError(f"{str(path)!r} has no {_CLASSES} with training lists beside it.")
    number = options.official_split or 1
    files = {
        (match[1], int(match[2])): file
        for file in sorted(folder.iterdir())
        if (match := _LIST.fullmatch(file.name))
    }
    numbers = listed(map(str, sorted({split for _, split in files})))
    if not {("train", number), ("test", number)} <= set(files):
        raise ManifestError(
            f"{str(folder)!r} has no training and test list for the official split {number}; there "
            f"are lists for {numbers}."
        )
    classes = _class_names(folder / _CLASSES)
    bases = (options.root or path, path, folder, folder.parent)
    locator = VideoLocator((*bases, *(base / _VIDEOS for base in bases)))
    clips = []
    for split in ("train", "test"):
        file = files[split, number]
        for line, text in text_lines(file):
            name, label = _parse_line(text, classes, f"{file.name}, row {line}")
            video = locator.locate(PurePosixPath(name).name, label=label)
            clips.append(ClipRow(video, clean_text(label), split))
    return rows_from_clips(clips, [f"official split {number} of {numbers}."])


def _lists_folder(path: Path) -> Path | None:
    for folder in (path, path / _LISTS_FOLDER, path.parent / _LISTS_FOLDER):
        if (folder / _CLASSES).is_file() and any(folder.glob("trainlist*.txt")):
            return folder
    return None


def _class_names(file: Path) -> dict[str, str]:
    """Return the class of each number, from lines like `26 Diving`."""
    classes = {}
    for line, text in text_lines(file):
        number, _, name = text.partition(" ")
        if not number.isdecimal() or not name.strip():
            raise ManifestError(f"{file.name}, row {line} must be a number and a class: {text!r}.")
        classes[number] = name.strip()
    return classes


def _parse_line(text: str, classes: dict[str, str], where: str) -> tuple[str, str]:
    """Return path and class of a line; its folder and its number must name the same class."""
    name, _, number = text.partition(" ")
    label = PurePosixPath(name).parent.name
    names = set(classes.values())
    if label not in names:
        raise ManifestError(
            f"{where}: {name!r} must be CLASS/VIDEO with a class of {_CLASSES}, such as "
            f"{listed(quoted(sorted(names)), most=2)}."
        )
    number = number.strip()
    if number and classes.get(number) != label:
        raise ManifestError(
            f"{where}: {name!r} has the class number {number!r}, which is "
            f"{classes.get(number)!r} in {_CLASSES}."
        )
    return name, label


READER = Reader(
    "ucf101",
    "the official lists of UCF101 (classInd.txt, trainlist01.txt, testlist01.txt)",
    accepts,
    read,
    OFFICIAL_OPTIONS,
)
