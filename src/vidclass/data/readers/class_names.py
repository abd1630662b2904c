"""The names of classes that a list gives as numbers.

They come from `--labels`, or from the one file beside the list that is called `label_map*.txt`,
`classes.txt` or `labels.txt`, or else from the one `*.json` there that maps names to numbers.
Text has one name per line, the first of them number 0, or lines like `3 Name` with the number
before the name; JSON is `{"Name": 3}` or `["Name", ...]`.  Without such a file the numbers
themselves are the names, and a note says so.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidclass._core.text import listed, quoted
from vidclass.data.readers.finding import class_name, files_in
from vidclass.data.readers.options import ReadOptions
from vidclass.data.readers.strict import head_of, load_json, read_text, refuse, shown
from vidclass.errors import ManifestError

FILE_NAMES = ("label_map*.txt", "classes.txt", "labels.txt")

_NUMBERED = re.compile(r"(\d{1,9})[\s,;:]+(\S.*)")
_LARGEST_MAP_BYTES = 1 << 20


@dataclass(frozen=True)
class ClassNames:
    """Names by number; `file` is where they come from, None where there was none."""

    names: Mapping[int, str]
    file: Path | None

    @classmethod
    def of(cls, folder: Path, options: ReadOptions) -> ClassNames:
        """The names for the lists in `folder`.

        Raises:
            ManifestError: the file cannot be used, or several could be meant.
        """
        file = options.labels or _beside(folder)
        return cls({} if file is None else _read(file), file)

    @property
    def note(self) -> str:
        """Where the names come from."""
        if self.file is None:
            return (
                "classes are called by their numbers: no file with their names was found. Give "
                "one, a name per line, with --labels."
            )
        return f"names of classes taken from {self.file.name!r}."

    def name(self, number: int) -> str:
        """The name of a class that was checked."""
        return str(number) if self.file is None else self.names[number]

    def check(self, path: Path, used: Iterable[tuple[int, int]]) -> None:
        """See that all numbers in a list have names; `used` are pairs of row and number.

        Raises:
            ManifestError: some have none.
        """
        if self.file is None:
            return
        rule = f"{self.file.name!r} names the classes {min(self.names)} to {max(self.names)}"
        unknown = [f"row {row} has {n}" for row, n in used if n not in self.names]
        refuse(path, rule, unknown)


def _beside(folder: Path) -> Path | None:
    files = files_in(folder)
    texts = [
        file
        for file in files
        if any(fnmatch.fnmatch(file.name.lower(), pattern) for pattern in FILE_NAMES)
    ]
    found = texts or [file for file in files if _is_map(file)]
    if len(found) > 1:
        names = listed(quoted(file.name for file in found))
        raise ManifestError(
            f"several files in {str(folder)!r} could name the classes: {names}. Choose one with "
            "--labels."
        )
    return found[0] if found else None


def _is_map(file: Path) -> bool:
    """Whether a small JSON file maps names to whole numbers."""
    if file.suffix.lower() != ".json":
        return False
    try:
        value = json.loads(head_of(file, _LARGEST_MAP_BYTES))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and bool(value) and all(type(n) is int for n in value.values())


def _read(file: Path) -> dict[int, str]:
    pairs = _from_json(file) if file.suffix.lower() == ".json" else _from_text(file)
    if not pairs:
        raise ManifestError(f"{file.name} names no classes: write one name per line.")
    for what, counts in (
        ("number", Counter(str(number) for number, _ in pairs)),
        ("name", Counter(name for _, name in pairs)),
    ):
        twice = [text for text, count in counts.items() if count > 1]
        if twice:
            raise ManifestError(f"{file.name} has a {what} twice: {listed(quoted(twice))}.")
    return dict(pairs)


def _from_text(file: Path) -> list[tuple[int, str]]:
    lines = [line.strip() for line in read_text(file).rstrip().split("\n")]
    if lines == [""]:
        return []
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    pairs = [(int(match[1]), match[2]) for match in numbered if match is not None]
    # A class may be called "2 people": numbers count only if every line has the next one.
    first = pairs[0][0] if pairs else 0
    if [number for number, _ in pairs] != list(range(first, first + len(lines))):
        pairs = list(enumerate(lines))
    rows = enumerate(pairs, start=1)
    return [(n, class_name(name, f"{file.name}, row {row}")) for row, (n, name) in rows]


def _from_json(file: Path) -> list[tuple[int, str]]:
    value = load_json(file)
    names: Sequence[tuple[object, object]]
    if isinstance(value, list):
        names = list(enumerate(value))
    elif isinstance(value, dict):
        names = [(number, name) for name, number in value.items()]
    else:
        raise ManifestError(f"{file.name} must be a JSON object or list, received: {shown(value)}.")
    pairs = []
    for entry, (number, name) in enumerate(names, start=1):
        where = f"{file.name}, entry {entry}"
        text = str(number) if type(number) in (int, str) else ""
        if not (isinstance(name, str) and re.fullmatch(r"[0-9]{1,9}", text)):
            raise ManifestError(
                f"{where} must be a name and a whole number from 0, received: {shown(name)} and "
                f"{shown(number)}."
            )
        # PySlowFast's file for Kinetics has quotation marks inside the names.
        pairs.append((int(text), class_name(name.strip().strip('"'), where)))
    return pairs
