"""Table files as text cells, and the meaning of their columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from vidclass._core.text import did_you_mean, listed, quoted
from vidclass.data.readers.text import decode_text, read_bytes
from vidclass.errors import ManifestError

DELIMITERS = ",;\t|"

# Accepted names of each column of a manifest, the first one preferred.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "video": ("video", "video_name", "clip", "path", "file", "file_name"),
        "label": ("label", "tag", "class"),
        "group": ("group",),
        "split": ("split",),
        "fold": ("fold",),
        "start_s": ("start_s",),
        "stop_s": ("stop_s",),
        "fps": ("fps",),
    }
)

_ALL_NAMES = frozenset(name for names in COLUMN_NAMES.values() for name in names)


@dataclass(frozen=True)
class TableCells:
    """The text of a table: `header` (C,), `rows` (N,C) stripped, `numbers` (N,).

    In text files a row's number is its line, where the header of a CSV is line 1; in Parquet,
    whose rows have no lines, the first row is 1.

    Raises:
        ManifestError: two columns have the same name, or there are no rows.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    numbers: list[int]

    def __post_init__(self) -> None:
        """Check that columns can be told apart and that there are rows."""
        twice = sorted({name for name in self.header if name and self.header.count(name) > 1})
        if twice:
            raise ManifestError(f"{self.path.name} has two columns {listed(quoted(twice))}.")
        if not self.rows:
            raise ManifestError(
                f"{self.path.name} has no rows below its header {self.header}: add one per clip."
            )


def read_table(path: Path) -> TableCells:
    """Read a Parquet file, JSON lines, or text with commas, semicolons, tabs or bars.

    Raises:
        ManifestError: the file is not UTF-8 or not well formed, or rows do not fit the header.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    text = decode_text(path, read_bytes(path))
    return _read_jsonl(path, text) if path.suffix.lower() == ".jsonl" else _read_csv(path, text)


def _read_parquet(path: Path) -> TableCells:
    try:
        table = pl.read_parquet(path, glob=False).select(pl.all().cast(pl.String))
    except pl.exceptions.PolarsError as error:
        cause = str(error).splitlines()[0]
        raise ManifestError(f"{path.name} is no Parquet table of plain cells: {cause}.") from error
    rows = [[(cell or "").strip() for cell in row] for row in table.rows()]
    return TableCells(path, table.columns, rows, list(range(1, len(rows) + 1)))


def _read_csv(path: Path, text: str) -> TableCells:
    delimiter = _delimiter(text.lstrip().split("\n", 1)[0])
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    rows: list[list[str]] = []
    numbers: list[int] = []
    try:
        for line in lines:
            cells = [cell.strip() for cell in line]
            if not any(cells):
                continue
            if not header:
                header = cells
                continue
            rows.append(_fitted(cells, header, f"{path.name}, row {lines.line_num}"))
            numbers.append(lines.line_num)
    except csv.Error as error:
        raise ManifestError(
            f"{path.name} is not well-formed CSV at row {lines.line_num}: {error}. Look for a "
            'quotation mark that is not closed; one inside a cell is written twice ("").'
        ) from error
    return TableCells(path, header, rows, numbers)


def _read_jsonl(path: Path, text: str) -> TableCells:
    """Read an object per line; their names may differ, and a list is a label of several classes."""
    objects: dict[int, dict[str, str]] = {}
    header: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            objects[number] = _json_object(line, f"{path.name}, row {number}")
            header |= dict.fromkeys(objects[number])
    rows = [[cells.get(name, "") for name in header] for cells in objects.values()]
    return TableCells(path, list(header), rows, list(objects))


def _json_object(line: str, where: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where} is not JSON: {error}. Write one object a line.") from error
    if not isinstance(value, dict):
        raise ManifestError(f"{where} is no JSON object but {line.strip()[:40]!r}.")
    return {name.strip(): _json_cell(cell, name, where) for name, cell in value.items()}


def _json_cell(value: object, name: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "|".join(value)
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    raise ManifestError(f"{where}: {name} must be a text or a number, found: {value!r}.")


def _fitted(cells: list[str], header: list[str], where: str) -> list[str]:
    """Pad or cut a row to the length of the header; only empty cells may be cut off."""
    if any(cells[len(header) :]):
        raise ManifestError(
            f"{where} has {len(cells)} cells, the header {len(header)}: {cells}. "
            "Put a name that contains the delimiter into quotation marks."
        )
    return (cells + [""] * len(header))[: len(header)]


def _delimiter(header: str) -> str:
    """Return the delimiter that gives most known column names, and of those most columns."""

    def score(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:  # a cell beyond csv's limit: reading the table reports it
            return 0, 0
        names = [name.strip().lower() for name in cells]
        return len(_ALL_NAMES.intersection(names)), len(names)

    return max(DELIMITERS, key=score)


def find_columns(file: str, header: list[str]) -> tuple[dict[str, int], list[str]]:
    """Return the index of each known column in a header, and notes on unused columns.

    Names are compared without regard to case; of several names for one column the first in
    `COLUMN_NAMES` is taken.

    Raises:
        ManifestError: there is no column for videos or none for labels.
    """
    index_of_name = {name.lower(): index for index, name in enumerate(header)}
    columns = {
        column: next(index_of_name[name] for name in names if name in index_of_name)
        for column, names in COLUMN_NAMES.items()
        if any(name in index_of_name for name in names)
    }
    used = set(columns.values())
    unused = [name for index, name in enumerate(header) if index not in used and name]
    for column in ("video", "label"):
        if column not in columns:
            raise ManifestError(_missing(file, column, header, unused))
    free = [
        name for column, names in COLUMN_NAMES.items() if column not in columns for name in names
    ]
    hints = "".join(did_you_mean(name, free) for name in unused)
    notes = [f"{file}: columns not used: {listed(quoted(unused))}.{hints}"] if unused else []
    return columns, notes


def _missing(file: str, column: str, header: list[str], unused: list[str]) -> str:
    names = COLUMN_NAMES[column]
    hint = next(filter(None, (did_you_mean(name, names) for name in unused)), "")
    if len(header) == 1:
        hint = " Only one column was found: put a comma, semicolon, tab or bar between cells."
    return (
        f"{file} has no column for the {column}: one of {', '.join(names)} is needed, "
        f"found: {listed(quoted(header))}.{hint}"
    )
