"""A table file as plain text cells, each row with its number."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vidclass.data.readers.columns import KNOWN_NAMES
from vidclass.data.wording import listed, quoted
from vidclass.errors import ManifestError

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Cells:
    """The file's text: `header` (C,), `rows` (N,C) without outer blanks, `numbers` (N,).

    In a CSV a row's number is its line in the file, where the header is line 1; in Parquet, whose
    rows have no lines, the first row is 1.
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


def read_cells(path: Path) -> Cells:
    """Read a Parquet file, or text with commas, semicolons, tabs or bars.

    Raises:
        ManifestError: the file is not UTF-8 or not well formed, or rows do not fit the header.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    return _read_text(path, path.read_bytes())


def _read_parquet(path: Path) -> Cells:
    try:
        table = pl.read_parquet(path, glob=False).select(pl.all().cast(pl.String))
    except pl.exceptions.PolarsError as error:
        cause = str(error).splitlines()[0]
        raise ManifestError(f"{path.name} is no Parquet table of plain cells: {cause}.") from error
    rows = [[(cell or "").strip() for cell in row] for row in table.rows()]
    return Cells(path, table.columns, rows, list(range(1, len(rows) + 1)))


def _read_text(path: Path, data: bytes) -> Cells:
    text = _decoded(path, data)
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
    return Cells(path, header, rows, numbers)


def _fitted(cells: list[str], header: list[str], where: str) -> list[str]:
    if any(cells[len(header) :]):
        raise ManifestError(
            f"{where} has {len(cells)} cells, the header {len(header)}: {cells}. "
            "Put a name that contains the delimiter into quotation marks."
        )
    return (cells + [""] * len(header))[: len(header)]


def _decoded(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(
            f"{path.name} is not UTF-8 text: byte 0x{data[error.start]:02x} in row {row}. "
            "Save it as UTF-8."
        ) from error
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise ManifestError(
            f"{path.name} is not UTF-8 text: byte 0x00 in row {row}. Save it as UTF-8."
        )
    return text


def _delimiter(header: str) -> str:
    """The delimiter that gives most known column names, and of those most columns."""

    def merit(delimiter: str) -> tuple[int, int]:
        names = [
            name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])
        ]
        return len(KNOWN_NAMES.intersection(names)), len(names)

    return max(_DELIMITERS, key=merit)
