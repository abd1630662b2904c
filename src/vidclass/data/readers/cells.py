"""A table file as plain text cells, each row with its number."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vidclass._core.text import listed, quoted
from vidclass.data.readers.columns import KNOWN_NAMES
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
    """Read a Parquet file, JSON objects line by line, or text with a delimiter.

    Delimiters are commas, semicolons, tabs and bars.

    Raises:
        ManifestError: the file is not UTF-8 or not well formed, or rows do not fit the header.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    if path.suffix.lower() == ".jsonl":
        return _read_jsonl(path, path.read_bytes())
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
    text = decode_text(path, data)
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


def _read_jsonl(path: Path, data: bytes) -> Cells:
    """Objects need not all have the same names; a list is a label of several classes."""
    objects: dict[int, dict[str, str]] = {}
    header: dict[str, None] = {}
    for number, line in enumerate(decode_text(path, data).split("\n"), 1):
        if line.strip():
            objects[number] = _json_object(line, f"{path.name}, row {number}")
            header |= dict.fromkeys(objects[number])
    rows = [[cells.get(name, "") for name in header] for cells in objects.values()]
    return Cells(path, list(header), rows, list(objects))


def _json_object(line: str, where: str) -> dict[str, str]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where} is not JSON: {error}. Write one object a line.") from error
    if not isinstance(found, dict):
        raise ManifestError(f"{where} is no JSON object but {line.strip()[:40]!r}.")
    return {name.strip(): _json_cell(value, name, where) for name, value in found.items()}


def _json_cell(value: object, name: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "|".join(value)
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    raise ManifestError(f"{where}: {name} must be a text or a number, found: {value!r}.")


def _fitted(cells: list[str], header: list[str], where: str) -> list[str]:
    if any(cells[len(header) :]):
        raise ManifestError(
            f"{where} has {len(cells)} cells, the header {len(header)}: {cells}. "
            "Put a name that contains the delimiter into quotation marks."
        )
    return (cells + [""] * len(header))[: len(header)]


def text_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, each with its number from 1.

    Raises:
        ManifestError: the file is not UTF-8, or has no such line.
    """
    text = decode_text(path, path.read_bytes())
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise ManifestError(f"{path.name} is empty: one line a clip is needed.")
    return lines


def decode_text(path: Path, data: bytes) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        ManifestError: it is not UTF-8.
    """
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
        try:
            cells = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:  # a cell beyond csv's limit: reading the table says so
            return 0, 0
        names = [name.strip().lower() for name in cells]
        return len(KNOWN_NAMES.intersection(names)), len(names)

    return max(_DELIMITERS, key=merit)
