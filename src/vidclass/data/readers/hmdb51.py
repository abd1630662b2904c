"""The split files of HMDB51, such as `brush_hair_test_split1.txt`.

Each is about one class and one of three splits; a line is `VIDEO.avi 1`, where 1 means training, 2
testing, and 0 neither.
"""

from __future__ import annotations

import re
from pathlib import Path

from vidclass._core.text import counted, listed
from vidclass.data.clip import clean_text
from vidclass.data.readers.locate import ClipRow, VideoLocator, rows_from_clips
from vidclass.data.readers.reader import OFFICIAL_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.text import text_lines
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

_FILE = re.compile(r"(.+)_test_split(\d+)\.txt")
_SPLIT_OF_CODE = {"0": None, "1": "train", "2": "test"}
_LISTS_FOLDERS = ("testTrainMulti_7030_splits", "test_train_splits", "splits")


def accepts(path: Path) -> bool:
    """Return whether a folder has split files, or a folder of them under one of the usual names."""
    return path.is_dir() and _lists_folder(path) is not None


def read(path: Path, options: ReadOptions) -> Rows:
    """Read the training and test clips of one official split, by default the first.

    Videos are looked for in the root, in `path` and beside the files, in class folders or without.

    Raises:
        ManifestError: there is no such split, or a line is not valid.
    """
    folder = _lists_folder(path)
    if folder is None:
        raise ManifestError(f"{str(path)!r} has no files like brush_hair_test_split1.txt.")
    number = options.official_split or 1
    files = [(match[1], int(match[2]), file) for file, match in _split_files(folder)]
    splits = {split for _, split, _ in files}
    numbers = listed(map(str, sorted(splits)))
    if number not in splits:
        raise ManifestError(
            f"{str(folder)!r} has no files of the official split {number}; there are files of "
            f"{numbers}."
        )
    locator = VideoLocator((options.root or path, path, folder, folder.parent))
    clips = []
    unused = 0
    for label, split, file in files:
        for line, text in text_lines(file) if split == number else []:
            name, _, code = text.rpartition(" ")
            if not name or code not in _SPLIT_OF_CODE:
                raise ManifestError(
                    f"{file.name}, row {line} must be a video and 0, 1 or 2: {text!r}."
                )
            if _SPLIT_OF_CODE[code] is None:
                unused += 1
                continue
            video = locator.locate(name.strip(), label=label)
            clips.append(ClipRow(video, clean_text(label), _SPLIT_OF_CODE[code]))
    notes = [f"official split {number} of {numbers}."]
    if unused:
        notes.append(f"{counted(unused, 'clip')} not used by this split left out.")
    return rows_from_clips(clips, notes)


def _lists_folder(path: Path) -> Path | None:
    parents = (path, path.parent)
    folders = [path, *(parent / name for parent in parents for name in _LISTS_FOLDERS)]
    return next((folder for folder in folders if folder.is_dir() and _split_files(folder)), None)


def _split_files(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    return [
        (file, match) for file in sorted(folder.iterdir()) if (match := _FILE.fullmatch(file.name))
    ]


READER = Reader(
    "hmdb51", "the split files of HMDB51 (CLASS_test_split1.txt)", accepts, read, OFFICIAL_OPTIONS
)
