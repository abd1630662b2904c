"""The official lists of UCF101: `trainlist01.txt` to `testlist03.txt`.

A line of a training list is `Diving/v_Diving_g08_c01.avi 26`, of a test list the same without the
number, which `classInd.txt` (`26 Diving`) gives to each class.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from vidclass._core.text import listed, quoted
from vidclass.data.clip import clean_text
from vidclass.data.readers.cells import text_lines
from vidclass.data.readers.finding import Finder
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

_CLASSES = "classInd.txt"
_LIST = re.compile(r"(train|test)list0?(\d+)\.txt")
_BESIDE = "ucfTrainTestlist"
# What the archive of the videos unpacks to.
_VIDEOS = "UCF-101"


def accepts(path: Path) -> bool:
    """A folder with the lists, or with a folder `ucfTrainTestlist` of them."""
    return path.is_dir() and _lists_folder(path) is not None


def read(path: Path, options: ReadOptions) -> Rows:
    """The training and test clips of one official split, the first if none is named.

    Videos are looked for in the root, in `path` and beside the lists, in class folders or without.

    Raises:
        ManifestError: there is no such split, or a list is not like that.
    """
    lists = _lists_folder(path)
    if lists is None:
        raise ManifestError(f"{str(path)!r} has no {_CLASSES} with training lists beside it.")
    number = options.official_split or 1
    files = {
        (found[1], int(found[2])): file
        for file in sorted(lists.iterdir())
        if (found := _LIST.fullmatch(file.name))
    }
    splits = sorted({split for _, split in files})
    if not {("train", number), ("test", number)} <= set(files):
        raise ManifestError(
            f"{str(lists)!r} has no training and test list for the official split {number}; there "
            f"are lists for {listed(map(str, splits))}."
        )
    classes = _class_names(lists / _CLASSES)
    bases = (options.root or path, path, lists, lists.parent)
    finder = Finder((*bases, *(base / _VIDEOS for base in bases)))
    columns: dict[str, list[str | None]] = {"video": [], "label": [], "split": []}
    for split in ("train", "test"):
        file = files[split, number]
        for line, text in text_lines(file):
            name, label = _clip(text, classes, f"{file.name}, row {line}")
            columns["video"].append(finder.find(PurePosixPath(name).name, label=label))
            columns["label"].append(clean_text(label))
            columns["split"].append(split)
    return Rows.from_columns(columns, [f"official split {number} of {listed(map(str, splits))}."])


def _lists_folder(path: Path) -> Path | None:
    for folder in (path, path / _BESIDE, path.parent / _BESIDE):
        if (folder / _CLASSES).is_file() and any(folder.glob("trainlist*.txt")):
            return folder
    return None


def _class_names(file: Path) -> dict[str, str]:
    """The class of each number, from lines like `26 Diving`."""
    classes = {}
    for line, text in text_lines(file):
        number, _, name = text.partition(" ")
        if not number.isdecimal() or not name.strip():
            raise ManifestError(f"{file.name}, row {line} must be a number and a class: {text!r}.")
        classes[number] = name.strip()
    return classes


def _clip(text: str, classes: dict[str, str], where: str) -> tuple[str, str]:
    """Path and class of a line; its folder and its number must name the same class."""
    name, _, number = text.partition(" ")
    label = PurePosixPath(name).parent.name
    known = set(classes.values())
    if label not in known:
        raise ManifestError(
            f"{where}: {name!r} must be CLASS/VIDEO with a class of {_CLASSES}, such as "
            f"{listed(quoted(sorted(known)), most=2)}."
        )
    number = number.strip()
    if number and classes.get(number) != label:
        raise ManifestError(
            f"{where}: {name!r} has the class number {number!r}, which is "
            f"{classes.get(number)!r} in {_CLASSES}."
        )
    return name, label
