"""Annotation lists of MMAction2 and PySlowFast: a line per clip, classes as numbers from 0.

```
some/path/clip_1.mp4 0
some/path/clip_2.mp4,3
several/classes.mp4 3 5
folder/of/images 163 3
```

A line is a video and the numbers of its classes, or an image sequence, its number of frames, and
the numbers of its classes; blanks, tabs or commas stand between them.  MMAction2 documents this
under "Prepare Dataset: Action Recognition" (`VideoDataset`, `RawframeDataset`), PySlowFast under
`slowfast/datasets/DATASET.md`.  Lists of frames with an offset are not told apart from two classes:
a note says so where it could be one.  A name may have blanks, but that of a folder must not end in
a blank and a number.

The names of the classes come from the file `labels`, or from the one file beside the list that is
called `label_map*.txt`, `classes.txt` or `labels.txt`, or else from the one `*.json` there that
maps names to numbers.  Text has one name per line, the first of them number 0, or lines like
`3 Name` with the number before the name; JSON is `{"Name": 3}` or `["Name", ...]`.  Without such a
file the numbers themselves are the names, and a note says so.

A folder with lists for train and validation or test, like `k400_train_list.txt`, gives splits;
`official_split=N` selects among several lists for one split by `split_N` in their names.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidclass._core.text import listed, quoted
from vidclass.data.clip import join_labels
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.data.readers.locate import (
    ClipRow,
    VideoLocator,
    class_name,
    files_by_split,
    list_files,
    required_fps,
    rows_from_clips,
    single_file,
)
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.text import (
    first_line,
    load_json,
    read_head,
    read_text,
    require_valid,
    short_repr,
)
from vidclass.data.rows import SPLITS, Rows
from vidclass.errors import ManifestError

EXTENSIONS = frozenset({".txt", ".csv"})
FOLDERS = ("videos", "rawframes")
LABEL_FILE_NAMES = ("label_map*.txt", "classes.txt", "labels.txt")

_MAX_DIGITS = 9
_NUMBERED_NAME = re.compile(r"(\d{1,9})[\s,;:]+(\S.*)")
_LARGEST_LABEL_MAP_BYTES = 1 << 20


@dataclass(frozen=True)
class _Line:
    """A line of a list; `frames` is None for a video file."""

    row: int
    path: str
    frames: int | None
    classes: tuple[int, ...]


def accepts(path: Path) -> bool:
    """Return whether the first line is a clip, or a folder has such a list for train."""
    if os.path.isdir(path):
        return "train" in files_by_split(path, _is_list)
    return _is_list(path)


def read(path: Path, options: ReadOptions) -> Rows:
    """Read the clips of one list, or of a folder's lists with their splits.

    Raises:
        ManifestError: a line is no clip, a number has no name, a list is empty, or an image
            sequence has no rate.
    """
    if not os.path.isdir(path):
        return _read_lists([(path, None)], options)
    lists = files_by_split(path, _is_list)
    chosen = [
        (single_file(_of_official_split(lists[split], options), split), split)
        for split in SPLITS
        if split in lists
    ]
    return _read_lists(chosen, options)


def _read_lists(lists: Sequence[tuple[Path, str | None]], options: ReadOptions) -> Rows:
    names = ClassNames.beside(lists[0][0].parent, options)
    clips: list[ClipRow] = []
    notes = [names.note]
    for path, split in lists:
        lines = _lines(path)
        names.require_names(path, [(line.row, number) for line in lines for number in line.classes])
        fps = None
        if any(line.frames is not None for line in lines):
            fps = required_fps(options, f"{path.name} lists image sequences")
        locator = VideoLocator.beside(path, options, FOLDERS)
        for line in lines:
            label = join_labels(names.name(number) for number in line.classes)
            video = locator.locate(line.path, label=label, split=split)
            clips.append(ClipRow(video, label, split, fps=None if line.frames is None else fps))
        notes += _offset_notes(path, lines)
    return rows_from_clips(clips, notes)


def _lines(path: Path) -> list[_Line]:
    lines: list[_Line] = []
    invalid: list[str] = []
    for row, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        line = _parse_line(row, text)
        if line is None:
            invalid.append(f"row {row} has {short_repr(text.strip())}")
        else:
            lines.append(line)
    rule = "a line must be a video and the number of its class, or a folder, its frames and that"
    require_valid(path, rule, invalid)
    if not lines:
        raise ManifestError(f"{path.name} is empty: it must have a line per clip.")
    return lines


def _parse_line(row: int, text: str) -> _Line | None:
    """Return the line, or None if it is no clip; numbers come first, as a path may have blanks."""
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


def _offset_notes(path: Path, lines: Sequence[_Line]) -> list[str]:
    """Return a note if the second of two classes could be the class, and the first an offset."""
    sequences = [line for line in lines if line.frames is not None]
    if not sequences or any(len(line.classes) != 2 for line in sequences):
        return []
    return [
        f"{path.name}: three numbers after every folder are read as its frames and two classes. "
        "If they are offset, frames and class, take the offset out."
    ]


def _is_list(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and _parse_line(1, first_line(path)) is not None


def _of_official_split(files: list[Path], options: ReadOptions) -> list[Path]:
    """Return the files with `split_N` in the name, if one of several official splits is chosen."""
    if options.official_split is None or len(files) == 1:
        return files
    pattern = re.compile(rf"split[_-]?0*{options.official_split}(?!\d)", re.IGNORECASE)
    return [file for file in files if pattern.search(file.stem)] or files


@dataclass(frozen=True)
class ClassNames:
    """Names of classes by number; `file` is where they come from, None if there is none."""

    names: Mapping[int, str]
    file: Path | None

    @classmethod
    def beside(cls, folder: Path, options: ReadOptions) -> ClassNames:
        """Read the names from `options.labels`, else from a file in the folder of the lists.

        Raises:
            ManifestError: the file is not valid, or several could be meant.
        """
        file = options.labels or _label_file(folder)
        return cls({} if file is None else _read_names(file), file)

    @property
    def note(self) -> str:
        """Sentence that says where the names come from."""
        if self.file is None:
            return (
                "classes are called by their numbers: no file with their names was found. Give "
                "one, a name per line, with `labels`."
            )
        return f"names of classes taken from {self.file.name!r}."

    def name(self, number: int) -> str:
        """Return the name of a class that `require_names` has checked."""
        return str(number) if self.file is None else self.names[number]

    def require_names(self, path: Path, used: Iterable[tuple[int, int]]) -> None:
        """Require names for the numbers in a list, given as pairs of row and number.

        Raises:
            ManifestError: a number has none.
        """
        if self.file is None:
            return
        rule = f"{self.file.name!r} names the classes {min(self.names)} to {max(self.names)}"
        unknown = [f"row {row} has {n}" for row, n in used if n not in self.names]
        require_valid(path, rule, unknown)


def _label_file(folder: Path) -> Path | None:
    files = list_files(folder)
    texts = [
        file
        for file in files
        if any(fnmatch.fnmatch(file.name.lower(), pattern) for pattern in LABEL_FILE_NAMES)
    ]
    candidates = texts or [file for file in files if _is_label_map(file)]
    if len(candidates) > 1:
        names = listed(quoted(file.name for file in candidates))
        raise ManifestError(
            f"several files in {str(folder)!r} could name the classes: {names}. Choose one with "
            "`labels`."
        )
    return candidates[0] if candidates else None


def _is_label_map(file: Path) -> bool:
    """Return whether a small JSON file maps names to whole numbers."""
    if file.suffix.lower() != ".json":
        return False
    try:
        value = json.loads(read_head(file, _LARGEST_LABEL_MAP_BYTES))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and bool(value) and all(type(n) is int for n in value.values())


def _read_names(file: Path) -> dict[int, str]:
    pairs = _names_in_json(file) if file.suffix.lower() == ".json" else _names_in_text(file)
    if not pairs:
        raise ManifestError(f"{file.name} names no classes: write one name per line.")
    for noun, counts in (
        ("number", Counter(str(number) for number, _ in pairs)),
        ("name", Counter(name for _, name in pairs)),
    ):
        twice = [text for text, count in counts.items() if count > 1]
        if twice:
            raise ManifestError(f"{file.name} has a {noun} twice: {listed(quoted(twice))}.")
    return dict(pairs)


def _names_in_text(file: Path) -> list[tuple[int, str]]:
    lines = [line.strip() for line in read_text(file).rstrip().split("\n")]
    if lines == [""]:
        return []
    matches = [_NUMBERED_NAME.fullmatch(line) for line in lines]
    pairs = [(int(match[1]), match[2]) for match in matches if match is not None]
    # A class may be called "2 people": numbers count only if every line has the next one.
    first = pairs[0][0] if pairs else 0
    if [number for number, _ in pairs] != list(range(first, first + len(lines))):
        pairs = list(enumerate(lines))
    rows = enumerate(pairs, start=1)
    return [(n, class_name(name, f"{file.name}, row {row}")) for row, (n, name) in rows]


def _names_in_json(file: Path) -> list[tuple[int, str]]:
    value = load_json(file)
    names: Sequence[tuple[object, object]]
    if isinstance(value, list):
        names = list(enumerate(value))
    elif isinstance(value, dict):
        names = [(number, name) for name, number in value.items()]
    else:
        raise ManifestError(
            f"{file.name} must be a JSON object or list, received: {short_repr(value)}."
        )
    pairs = []
    for entry, (number, name) in enumerate(names, start=1):
        where = f"{file.name}, entry {entry}"
        text = str(number) if type(number) in (int, str) else ""
        if not (isinstance(name, str) and re.fullmatch(r"[0-9]{1,9}", text)):
            raise ManifestError(
                f"{where} must be a name and a whole number from 0, received: {short_repr(name)} "
                f"and {short_repr(number)}."
            )
        # PySlowFast's file for Kinetics has quotation marks inside the names.
        pairs.append((int(text), class_name(name.strip().strip('"'), where)))
    return pairs


READER = Reader(
    "mmaction2",
    "lists of MMAction2 or PySlowFast (path and number of the class)",
    accepts,
    read,
    TABLE_OPTIONS | {"labels", "official_split"},
)
