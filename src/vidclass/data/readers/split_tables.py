"""A folder with train.csv and test.csv, and perhaps a table for validation (the Keras example)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from vidclass.data.readers import table
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import SPLIT_WORDS, SPLITS, Rows
from vidclass.errors import ManifestError


def accepts(path: Path) -> bool:
    """A folder with a table for training."""
    return path.is_dir() and "train" in _tables(path)


def read(path: Path, options: ReadOptions) -> Rows:
    """The rows of all tables, each with the split that its file is named after.

    Raises:
        ManifestError: a table cannot be used, or two claim the same split.
    """
    found = _tables(path)
    for split, files in found.items():
        if len(files) > 1:
            names = " and ".join(file.name for file in files)
            raise ManifestError(f"{str(path)!r} has two tables for {split}: {names}. Keep one.")
    parts = [
        table.read(found[split][0], options, file_split=split) for split in SPLITS if split in found
    ]
    notes = [note for part in parts for note in part.notes]
    return Rows(pl.concat([part.table for part in parts]), tuple(notes))


def _tables(path: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted(path.iterdir()):
        if table.accepts(file) and file.stem.lower() in SPLIT_WORDS:
            found.setdefault(SPLIT_WORDS[file.stem.lower()], []).append(file)
    return found
