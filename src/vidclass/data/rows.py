"""The one shape into which every reader brings its source, before it is checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

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
    """What a reader found: a table with the columns of `SCHEMA`, and what it noticed."""

    table: pl.DataFrame
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], notes: Sequence[str] = ()) -> Rows:
        """Build from columns; `video` (absolute paths) and `label` must be among them.

        Raises:
            ManifestError: a text in it is not valid Unicode, as some file names are.
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


LABEL_SEPARATOR = "|"


def labels_in(label: str) -> tuple[str, ...]:
    """The classes that a label names: one, or several with a bar between them.

    >>> labels_in("run"), labels_in("run|wave")
    (('run',), ('run', 'wave'))
    """
    return tuple(label.split(LABEL_SEPARATOR))


def single_labels(labels: pl.Series) -> pl.Series:
    """All labels of many clips, one class each: a clip of two classes gives both.

    >>> single_labels(pl.Series("label", ["run", "run|wave"])).to_list()
    ['run', 'run', 'wave']
    """
    return labels.str.split(LABEL_SEPARATOR).explode()


def joined_labels(labels: Iterable[str]) -> str:
    """One text for the classes of a clip, each of them once, sorted.

    >>> joined_labels(["wave", "run", "wave"])
    'run|wave'
    """
    return LABEL_SEPARATOR.join(sorted(set(labels)))


def clean_label(text: str) -> str:
    """One spelling for a label of one class or several; empty where a class has no name.

    >>> clean_label(" wave | run"), clean_label("wave|")
    ('run|wave', '')
    """
    parts = [clean_text(part) for part in labels_in(text)]
    return joined_labels(parts) if all(parts) else ""


def clean_text(text: str) -> str:
    """One spelling for a label or group: no outer blanks, accents composed (NFC)."""
    return unicodedata.normalize("NFC", text.strip())
