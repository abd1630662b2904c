"""A CSV, TSV, JSONL or Parquet file with a row per clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vidclass._core.text import did_you_mean, listed
from vidclass.data.clip import clean_label, clean_text
from vidclass.data.readers.cells import Cells, read_cells
from vidclass.data.readers.columns import find_columns
from vidclass.data.readers.finding import Finder, rates_of
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError

EXTENSIONS = frozenset({".csv", ".tsv", ".jsonl", ".parquet"})

Value = TypeVar("Value")


def accepts(path: Path) -> bool:
    """A file with the extension of a table."""
    return path.is_file() and path.suffix.lower() in EXTENSIONS


def read(path: Path, options: ReadOptions, *, file_split: str | None = None) -> Rows:
    """Read the columns that `columns.NAMES` lists; `file_split` is that of all rows.

    A relative video path is looked for in the root and beside the table: as it is, then in the
    folder of its split, in one that is called like the table, and in one called like its label.
    A label of several classes has `|` between them.

    Raises:
        ManifestError: a column is missing or a cell is not what it must be; it names the rows.
    """
    columns = _Columns.of(read_cells(path))
    labels = columns.required("label", clean_label)
    splits = columns.parsed("split", _split, f"one of {', '.join(SPLIT_WORDS)}")
    if file_split is not None:
        others = sorted({split for split in splits if split not in (None, file_split)})
        if others:
            raise ManifestError(f"{path.name} has rows whose split is {listed(others)}.")
        splits = [file_split] * len(splits)
    bases = tuple(base for base in (options.root, path.parent) if base is not None)
    finder = Finder(bases, (path.stem,))
    videos = [
        finder.find(name, label=label, split=split)
        for name, label, split in zip(columns.required("video", str), labels, splits, strict=True)
    ]
    seconds = "a number of seconds, like 2.5"
    starts_s = columns.parsed("start_s", _seconds, seconds)
    stops_s = columns.parsed("stop_s", _seconds, seconds)
    columns.check_spans(starts_s, stops_s)
    parsed: dict[str, Sequence[str | int | float | None]] = {
        "video": videos,
        "label": labels,
        "group": columns.parsed("group", clean_text, "a name"),
        "split": splits,
        "fold": columns.parsed("fold", _fold, "a whole number from 0"),
        "start_s": starts_s,
        "stop_s": stops_s,
        "fps": rates_of(videos, columns.parsed("fps", _positive, "more than 0"), options.fps),
    }
    return Rows.from_columns(parsed, columns.notes)


@dataclass(frozen=True)
class _Columns:
    """Cells by meaning."""

    cells: Cells
    places: dict[str, int]
    notes: list[str]

    @classmethod
    def of(cls, cells: Cells) -> _Columns:
        places, notes = find_columns(cells.path.name, cells.header)
        return cls(cells, places, notes)

    def texts(self, meaning: str) -> Iterator[tuple[int, str]]:
        """Row number and text of each cell; a column that is not there is empty."""
        place = self.places.get(meaning)
        for number, row in zip(self.cells.numbers, self.cells.rows, strict=True):
            yield number, "" if place is None else row[place]

    def required(self, meaning: str, parse: Callable[[str], str]) -> list[str]:
        """The column, in which no cell may be empty."""
        values = [(number, parse(text)) for number, text in self.texts(meaning)]
        empty = [number for number, text in values if not text]
        if empty:
            raise ManifestError(f"{self.cells.path.name} has no {meaning} in {_rows(empty)}.")
        return [text for _, text in values]

    def parsed(self, meaning: str, parse: Callable[[str], Value], what: str) -> list[Value | None]:
        """The column with None for empty cells; `parse` raises ValueError for a wrong one."""
        values: list[Value | None] = []
        wrong: list[tuple[int, str]] = []
        for number, text in self.texts(meaning):
            try:
                values.append(parse(text) if text else None)
            except ValueError:
                wrong.append((number, text))
        if wrong:
            cells = listed([f"row {number} has {text!r}" for number, text in wrong])
            hint = did_you_mean(wrong[0][1], SPLIT_WORDS) if meaning == "split" else ""
            raise ManifestError(f"{self.cells.path.name}: {meaning} must be {what}; {cells}.{hint}")
        return values

    def check_spans(self, starts_s: list[float | None], stops_s: list[float | None]) -> None:
        """Say which row has no span, while rows still have numbers."""
        spans = zip(self.cells.numbers, starts_s, stops_s, strict=True)
        wrong = [
            f"row {number} has start_s={start_s or 0.0}, stop_s={stop_s}"
            for number, start_s, stop_s in spans
            if (start_s or 0.0) < 0 or (stop_s is not None and stop_s <= (start_s or 0.0))
        ]
        if wrong:
            raise ManifestError(
                f"{self.cells.path.name}: a span must have 0 <= start_s < stop_s; {listed(wrong)}."
            )


def _rows(numbers: list[int]) -> str:
    return f"row{'s' if len(numbers) > 1 else ''} {listed([str(n) for n in numbers], most=10)}"


def _split(text: str) -> str:
    word = SPLIT_WORDS.get(text.lower())
    if word is None:
        raise ValueError(text)
    return word


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
