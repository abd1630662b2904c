"""A Hugging Face videofolder: videos beside a `metadata.csv` (or .jsonl, .parquet).

The table names each file in its column `file_name`, relative to itself; there may be one for each
of the folders `train`, `validation` and `test`.
"""

from __future__ import annotations

from pathlib import Path

from vidclass.data.readers import table
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError


def accepts(path: Path) -> bool:
    """Return whether a folder, or one of its split folders, has a metadata table."""
    return bool(_tables(path))


def read(path: Path, options: ReadOptions) -> Rows:
    """Read all tables, each with the split that its folder is named after.

    Raises:
        ManifestError: a table cannot be used, or a folder has two of them.
    """
    tables = _tables(path)
    folders = [file.parent for _, file in tables]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        names = " and ".join(file.name for _, file in tables if file.parent == twice)
        raise ManifestError(f"{str(twice)!r} has two tables: {names}. Keep one.")
    return Rows.concat([table.read(file, options, file_split=split) for split, file in tables])


def _tables(path: Path) -> list[tuple[str | None, Path]]:
    """Return each metadata table with its split."""
    if not path.is_dir():
        return []
    tables: list[tuple[str | None, Path]] = [(None, file) for file in _metadata(path)]
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and folder.name.lower() in SPLIT_WORDS:
            split = SPLIT_WORDS[folder.name.lower()]
            tables += [(split, file) for file in _metadata(folder)]
    return tables


def _metadata(folder: Path) -> list[Path]:
    files = [folder / f"metadata{extension}" for extension in sorted(table.EXTENSIONS)]
    return [file for file in files if file.is_file()]


READER = Reader(
    "videofolder",
    "a Hugging Face videofolder (metadata.csv with file_name)",
    accepts,
    read,
    TABLE_OPTIONS - {"root"},
)
