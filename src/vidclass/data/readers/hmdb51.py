"""The split files of HMDB51: `brush_hair_test_split1.txt` and its kin.

Each is about one class and one of three splits; a line is `VIDEO.avi 1`, where 1 means training, 2
testing, and 0 neither.
"""

from __future__ import annotations

import re
from pathlib import Path

from vidclass._core.text import counted, listed
from vidclass.data.clip import clean_text
from vidclass.data.readers.cells import text_lines
from vidclass.data.readers.finding import Finder
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

_FILE = re.compile(r"(.+)_test_split(\d+)\.txt")
_MEANING = {"0": None, "1": "train", "2": "test"}
_BESIDE = ("testTrainMulti_7030_splits", "test_train_splits", "splits")


def accepts(path: Path) -> bool:
    """A folder with split files, or with a folder of them that is called as usual."""
    return path.is_dir() and _files_folder(path) is not None


def read(path: Path, options: ReadOptions) -> Rows:
    """The training and test clips of one official split, the first if none is named.

    Videos are looked for in the root, in `path` and beside the files, in class folders or without.

    Raises:
        ManifestError: there is no such split, or a line is not like that.
    """
    folder = _files_folder(path)
    if folder is None:
        raise ManifestError(f"{str(path)!r} has no files like brush_hair_test_split1.txt.")
    number = options.official_split or 1
    named = [(found[1], int(found[2]), file) for file, found in _split_files(folder)]
    splits = sorted({split for _, split, _ in named})
    if number not in splits:
        raise ManifestError(
            f"{str(folder)!r} has no files of the official split {number}; there are files of "
            f"{listed(map(str, splits))}."
        )
    finder = Finder((options.root or path, path, folder, folder.parent))
    columns: dict[str, list[str | None]] = {"video": [], "label": [], "split": []}
    unused = 0
    for label, split, file in named:
        for line, text in text_lines(file) if split == number else []:
            name, _, code = text.rpartition(" ")
            if not name or code not in _MEANING:
                raise ManifestError(
                    f"{file.name}, row {line} must be a video and 0, 1 or 2: {text!r}."
                )
            if _MEANING[code] is None:
                unused += 1
                continue
            columns["video"].append(finder.find(name.strip(), label=label))
            columns["label"].append(clean_text(label))
            columns["split"].append(_MEANING[code])
    notes = [f"official split {number} of {listed(map(str, splits))}."]
    if unused:
        notes.append(f"{counted(unused, 'clip')} not used by this split left out.")
    return Rows.from_columns(columns, notes)


def _files_folder(path: Path) -> Path | None:
    folders = [path, *(path / name for name in _BESIDE), *(path.parent / n for n in _BESIDE)]
    return next((f for f in folders if f.is_dir() and _split_files(f)), None)


def _split_files(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    return [
        (file, found) for file in sorted(folder.iterdir()) if (found := _FILE.fullmatch(file.name))
    ]
