"""The checked table of labelled clips that every later step works on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from vidclass._core.files import replacing
from vidclass.data import checks
from vidclass.data.clip import Clip, labels_in
from vidclass.data.groups import fill_groups, group_ids, merge_groups
from vidclass.data.rows import SPLITS, Rows
from vidclass.data.sources import read_source
from vidclass.errors import require_choice
from vidclass.types import Span


@dataclass(frozen=True, eq=False)
class Manifest:
    """A checked table of labelled clips; no video is opened for it.

    `table` has one row per clip and the columns `video` (absolute path), `label`, `group` or null,
    `split` (train, validation, test) or null, `fold` or null, `start_s`, `stop_s` or null for the
    end of the video, and `fps` for an image sequence, else null.  A label of several classes has
    `|` between them, sorted.  `notes` are sentences for the user about how it was read.

    Raises:
        ManifestError: the table is not valid.
    """

    table: pl.DataFrame
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check columns, types and spans."""
        checks.require_valid_table(self.table)

    @classmethod
    def from_source(
        cls,
        source: str | Path,
        *,
        root: str | Path | None = None,
        format: str | None = None,
        official_split: int | None = None,
        labels: str | Path | None = None,
        fps: float | None = None,
        multi_label: bool = False,
        groups: str = "auto",
        group_pattern: str | None = None,
        allow_leak: bool = False,
    ) -> Manifest:
        """Read labelled clips from a folder of classes, a table, or lists of other tools.

        Args:
            source: File or folder; its format is recognized by its content, see
                docs/how-to/sources.md.
            root: Folder of the videos, if they are not beside the list.
            format: Name of the format, to skip recognition.
            official_split: Number of one of the data set's official splits; None for the first.
            labels: A file of class names, for lists that have numbers.
            fps: Frames per second of image sequences, and of annotations by frame number.
            multi_label: Merge rows of the same clip into one with several labels, instead of
                raising an error.
            groups: Where groups come from, see `SplitConfig`; near duplicates need features and
                are found after extraction.
            group_pattern: Regular expression that finds the group in the path of each video.
            allow_leak: Accept given splits that share groups; a note then says which do.

        Raises:
            ManifestError: the source cannot be used; the message says why and what to do.
            ConfigError: the format is unknown or does not use one of the options, or `groups` or
                `group_pattern` is not allowed.
            LeakError: given splits share groups.
        """
        rows = read_source(
            source,
            root=root,
            format=format,
            official_split=official_split,
            labels=labels,
            fps=fps,
            multi_label=multi_label,
        )
        rows = fill_groups(rows, groups=groups, pattern=group_pattern)
        rows = rows.with_notes(*checks.missing_file_notes(rows.table, source))
        rows = rows.with_notes(*checks.small_class_notes(rows.table))
        manifest = cls(rows.table, rows.notes)
        checks.require_no_issues(checks.find_contradictions(manifest.table))
        checks.require_no_issues(checks.find_unknown_labels(manifest.table))
        leaks = checks.find_leaks(manifest.table, manifest.group_ids)
        if not allow_leak:
            checks.require_no_issues(leaks)
        return manifest.with_notes(*(f"a leak was allowed: {leak.advice}" for leak in leaks))

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.table)

    @property
    def labels(self) -> list[str]:
        """Classes, sorted: the order of every score vector."""
        return sorted({name for label in self.table["label"].unique() for name in labels_in(label)})

    @property
    def multi_label(self) -> bool:
        """True if a clip has more than one class."""
        return any(len(labels_in(label)) > 1 for label in self.table["label"].unique())

    @cached_property
    def group_ids(self) -> pl.Series:
        """Group of each clip, else its video, (N,) text: equal ids must stay on one side."""
        return group_ids(self.table)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of all rows in their order, without the notes."""
        text = json.dumps([self.table.columns, *self.table.rows()])
        return hashlib.sha256(text.encode()).hexdigest()

    def clips(self) -> list[Clip]:
        """Return the rows as clips, in their order."""
        return [
            Clip(Path(video), label, group, split, fold, Span(start_s, stop_s), fps)
            for video, label, group, split, fold, start_s, stop_s, fps in self.table.rows()
        ]

    def where(self, *, split: str) -> Manifest:
        """Return the clips of one split, which may be none.

        Raises:
            ConfigError: `split` is not train, validation or test.
        """
        require_choice("split", split, SPLITS)
        return Manifest(self.table.filter(pl.col("split") == split), self.notes)

    def regrouped(self, *, groups: str, group_pattern: str | None = None) -> Manifest:
        """Return the clips with groups from elsewhere; `auto` without a pattern changes nothing.

        Raises:
            ConfigError: `groups` or `group_pattern` is not allowed.
            ManifestError: no clip gets a group from there.
        """
        if group_pattern is None and groups in ("auto", "near-duplicates"):
            return self
        rows = fill_groups(Rows(self.table, self.notes), groups=groups, pattern=group_pattern)
        return Manifest(rows.table, tuple(dict.fromkeys(rows.notes)))

    def with_merged_groups(
        self, keys: pl.Series, *, name: Callable[[str], str]
    ) -> tuple[Manifest, int]:
        """Merge the groups of clips that share a key; return the clips and how many were merged.

        Args:
            keys: (N,) of any type; null is shared with no clip.
            name: Names a new group after the path of its first video.
        """
        table, count = merge_groups(self.table, self.group_ids, keys, name=name)
        return Manifest(table, self.notes), count

    def with_splits(self, splits: Sequence[str | None]) -> Manifest:
        """Return the clips with other splits, (N,)."""
        return Manifest(
            self.table.with_columns(pl.Series("split", splits, dtype=pl.String)), self.notes
        )

    def with_notes(self, *notes: str) -> Manifest:
        """Return the clips with more notes."""
        return Manifest(self.table, (*self.notes, *notes))

    def write_csv(self, path: str | Path) -> None:
        """Write the table atomically, in the form that `from_source` reads."""
        with replacing(Path(path)) as temp:
            self.table.write_csv(temp)
