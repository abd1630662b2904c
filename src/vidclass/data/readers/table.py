"""A CSV, TSV, JSONL or Parquet file with a row per clip, or a folder with one per split.

A folder has `train.csv` and `test.csv`, and perhaps a table for validation, as in the Keras
example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vidclass._core.text import did_you_mean, listed
from vidclass.data.clip import clean_label, clean_text
from vidclass.data.readers.locate import VideoLocator, frame_rates
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.table_cells import TableCells, find_columns, read_table
from vidclass.data.rows import SPLIT_WORDS, SPLITS, Rows
from vidclass.errors import ManifestError

EXTENSIONS = frozenset({".csv", ".tsv", ".jsonl", ".parquet"})

Value = TypeVar("Value")


def accepts(path: Path) -> bool:
    """Return whether this is a file with the extension of a table."""
    return path.is_file() and path.suffix.lower() in EXTENSIONS


def read(path: Path, options: ReadOptions, *, file_split: str | None = None) -> Rows:
    """Read the columns that `COLUMN_NAMES` lists.

    A relative video path is looked for in the root and beside the table: as it is, then in the
    folder of its split, in one named like the table, and in one named like its label.  A label of
    several classes has `|` between them.

    Args:
        path: The table.
        options: Options of the reader.
        file_split: Split of all rows; None to read the column `split`.

    Raises:
        ManifestError: a column is missing or a cell is not valid; the message names the rows.
    """
    columns = _Columns.from_cells(read_table(path))
    labels = columns.required("label", clean_label)
    splits = columns.parsed("split", _split, f"one of {', '.join(SPLIT_WORDS)}")
    if file_split is not None:
        others = sorted({split for split in splits if split not in (None, file_split)})
        if others:
            raise ManifestError(f"{path.name} has rows whose split is {listed(others)}.")
        splits = [file_split] * len(splits)
    bases = tuple(base for base in (options.root, path.parent) if base is not None)
    locator = VideoLocator(bases, (path.stem,))
    names = columns.required("video", str)
    videos = [
        locator.locate(name, label=label, split=split)
        for name, label, split in zip(names, labels, splits, strict=True)
    ]
    seconds = "a number of seconds, like 2.5"
    starts_s = columns.parsed("start_s", _seconds, seconds)
    stops_s = columns.parsed("stop_s", _seconds, seconds)
    columns.require_spans(starts_s, stops_s)
    rates = columns.parsed("fps", _positive, "more than 0")
    values: dict[str, Sequence[str | int | float | None]] = {
        "video": videos,
        "label": labels,
        "group": columns.parsed("group", clean_text, "a name"),
        "split": splits,
        "fold": columns.parsed("fold", _fold, "a whole number from 0"),
        "start_s": starts_s,
        "stop_s": stops_s,
        "fps": frame_rates(videos, rates, options.fps),
    }
    return Rows.from_columns(values, columns.notes)


@dataclass(frozen=True)
class _Columns:
    """The cells of a table by the meaning of their columns."""

    cells: TableCells
    indices: dict[str, int]
    notes: list[str]

    @classmethod
    def from_cells(cls, cells: TableCells) -> _Columns:
        indices, notes = find_columns(cells.path.name, cells.header)
        return cls(cells, indices, notes)

    def texts(self, column: str) -> Iterator[tuple[int, str]]:
        """Iterate over row number and text of each cell; a missing column is empty."""
        index = self.indices.get(column)
        for number, row in zip(self.cells.numbers, self.cells.rows, strict=True):
            yield number, "" if index is None else row[index]

    def required(self, column: str, parse: Callable[[str], str]) -> list[str]:
        """Return a column in which no cell may be empty."""
        values = [(number, parse(text)) for number, text in self.texts(column)]
        empty = [number for number, text in values if not text]
        if empty:
            raise ManifestError(f"{self.cells.path.name} has no {column} in {_rows(empty)}.")
        return [text for _, text in values]

    def parsed(self, column: str, parse: Callable[[str], Value], rule: str) -> list[Value | None]:
        """Return a column with None for empty cells; `parse` raises ValueError for invalid ones."""
        values: list[Value | None] = []
        invalid: list[tuple[int, str]] = []
        for number, text in self.texts(column):
            try:
                values.append(parse(text) if text else None)
            except ValueError:
                invalid.append((number, text))
        if invalid:
            cells = listed([f"row {number} has {text!r}" for number, text in invalid])
            hint = did_you_mean(invalid[0][1], SPLIT_WORDS) if column == "split" else ""
            raise ManifestError(f"{self.cells.path.name}: {column} must be {rule}; {cells}.{hint}")
        return values

    def require_spans(self, starts_s: list[float | None], stops_s: list[float | None]) -> None:
        """Require valid spans; here, unlike in the manifest, rows still have their numbers."""
        spans = zip(self.cells.numbers, starts_s, stops_s, strict=True)
        invalid = [
            f"row {number} has start_s={start_s or 0.0}, stop_s={stop_s}"
            for number, start_s, stop_s in spans
            if (start_s or 0.0) < 0 or (stop_s is not None and stop_s <= (start_s or 0.0))
        ]
        if invalid:
            name = self.cells.path.name
            raise ManifestError(
                f"{name}: a span must have 0 <= start_s < stop_s; {listed(invalid)}."
            )


def _rows(numbers: list[int]) -> str:
    return f"row{'s' if len(numbers) > 1 else ''} {listed([str(n) for n in numbers], most=10)}"


def _split(text: str) -> str:
    split = SPLIT_WORDS.get(text.lower())
    if split is None:
        raise ValueError(text)
    return split


def _fold(text: str) -> int:
    number = float(text)  # a column with gaps comes out of some programs as 0.0, 1.0, ...
    if not number.is_integer() or not 0 <= number < 2**31:
        raise ValueError(text)
    return int(number)


def _seconds(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _positive(text: str) -> float:
    number = _seconds(text)
    if number <= 0:
        raise ValueError(text)
    return number


def _accepts_folder(path: Path) -> bool:
    """Return whether this is a folder with a table for training."""
    return path.is_dir() and "train" in _tables(path)


def _read_folder(path: Path, options: ReadOptions) -> Rows:
    """Read the tables of a folder, each with the split that its file is named after.

    Raises:
        ManifestError: a table cannot be used, or two are for the same split.
    """
    tables = _tables(path)
    for split, files in tables.items():
        if len(files) > 1:
            names = " and ".join(file.name for file in files)
            raise ManifestError(f"{str(path)!r} has two tables for {split}: {names}. Keep one.")
    return Rows.concat(
        [read(tables[split][0], options, file_split=split) for split in SPLITS if split in tables]
    )


def _tables(path: Path) -> dict[str, list[Path]]:
    tables: dict[str, list[Path]] = {}
    for file in sorted(path.iterdir()):
        if accepts(file) and file.stem.lower() in SPLIT_WORDS:
            tables.setdefault(SPLIT_WORDS[file.stem.lower()], []).append(file)
    return tables


READER = Reader(
    "table", "a CSV, TSV, JSONL or Parquet file", accepts, read, TABLE_OPTIONS, general=True
)
SPLIT_TABLES = Reader(
    "split_tables",
    "a folder with train.csv and test.csv",
    _accepts_folder,
    _read_folder,
    TABLE_OPTIONS,
    general=True,
)
