"""The table of clips that every reader returns, before it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import polars as pl

from vidclass._core.text import counted, listed, quoted
from vidclass.data.clip import LABEL_SEPARATOR, join_labels, labels_in
from vidclass.errors import ManifestError

SCHEMA: Mapping[str, Any] = MappingProxyType(
    {
        "video": pl.String,
        "label": pl.String,
        "group": pl.String,
        "split": pl.String,
        "fold": pl.Int64,
        "start_s": pl.Float64,
        "stop_s": pl.Float64,
        "fps": pl.Float64,
    }
)

SPLITS = ("train", "validation", "test")

# Names of splits in files and folders of other tools.
SPLIT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "train": "train",
        "training": "train",
        "val": "validation",
        "valid": "validation",
        "validation": "validation",
        "test": "test",
        "testing": "test",
    }
)


@dataclass(frozen=True, eq=False)
class Rows:
    """The clips of a source: a table with the columns of `SCHEMA`, and notes for the user."""

    table: pl.DataFrame
    notes: tuple[str, ...] = ()

    @classmethod
    def from_columns(cls, columns: Mapping[str, Sequence[Any]], notes: Sequence[str] = ()) -> Rows:
        """Build from columns; `video` (absolute paths) and `label` are required.

        Raises:
            ManifestError: a text is not valid Unicode, as some file names are.
        """
        count = len(columns["video"])
        filled = {name: columns.get(name, [None] * count) for name in SCHEMA}
        try:
            table = pl.DataFrame(filled, schema=dict(SCHEMA))
        except UnicodeEncodeError as error:
            raise ManifestError(
                f"the name {error.object!r} is not valid Unicode: rename the file or folder."
            ) from error
        return cls(table.with_columns(pl.col("start_s").fill_null(0.0)), tuple(notes))

    @classmethod
    def concat(cls, parts: Sequence[Rows]) -> Rows:
        """Return the rows and notes of all parts, in their order."""
        notes = tuple(note for part in parts for note in part.notes)
        return cls(pl.concat([part.table for part in parts]), notes)

    def with_notes(self, *notes: str) -> Rows:
        """Return the same rows with more notes."""
        return Rows(self.table, (*self.notes, *notes))

    def without_duplicates(self) -> Rows:
        """Keep the first of rows that are equal in every column; a note counts the others."""
        duplicates = self.table.filter(~pl.struct(pl.all()).is_first_distinct())
        if not len(duplicates):
            return self
        names = [PurePath(video).name for video in duplicates["video"].unique(maintain_order=True)]
        note = f"{counted(len(duplicates), 'duplicate row')} dropped: {listed(quoted(names))}."
        return Rows(self.table.unique(maintain_order=True), self.notes).with_notes(note)

    def with_merged_labels(self) -> Rows:
        """Merge rows that differ only in the label into one row with all of their classes."""
        others = [name for name in SCHEMA if name != "label"]
        merged = self.table.group_by(others, maintain_order=True).agg(pl.col("label"))
        labels = [
            join_labels(name for label in labels for name in labels_in(label))
            for labels in merged["label"].to_list()
        ]
        table = merged.with_columns(label=pl.Series(labels, dtype=pl.String)).select(list(SCHEMA))
        return Rows(table, self.notes)


def explode_labels(labels: pl.Series) -> pl.Series:
    """Return one row per clip and class: a clip of two classes gives two.

    >>> explode_labels(pl.Series("label", ["run", "run|wave"])).to_list()
    ['run', 'run', 'wave']
    """
    return labels.str.split(LABEL_SEPARATOR).explode()
