"""The list of labelled clips that everything downstream works on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vidclass._core.files import replacing
from vidclass.data import checks
from vidclass.data.groups import fill_groups
from vidclass.data.rows import SPLITS, Rows, labels_in
from vidclass.data.sources import read_source
from vidclass.errors import LeakError, require_choice
from vidclass.types import Span


@dataclass(frozen=True)
class Clip:
    """A labelled span of a video, often all of it.

    `label` names one class, or several with `|` between them.  `fps` is given for a folder of
    frame pictures, which has no clock of its own, and None for a video file.
    """

    video: Path
    label: str
    group: str | None
    split: str | None
    fold: int | None
    span: Span
    fps: float | None = None


@dataclass(frozen=True, eq=False)
class Manifest:
    """A checked table of labelled clips; no video is opened for it.

    `table` has one row a clip and the columns `video` (absolute path), `label`, `group` or null,
    `split` (train, validation, test) or null, `fold` or null, `start_s`, `stop_s` or null for the
    end of the video, and `fps` for a folder of frame pictures, else null.  A label of several
    classes has `|` between them, sorted.  `notes` are sentences about what was noticed on the way.

    Raises:
        ManifestError: the table is not like that.
    """

    table: pl.DataFrame
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check columns, types and spans."""
        checks.check_table(self.table)

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
        """Read labelled clips from a folder of classes, a table, or the lists of others' tools.

        Args:
            source: What to read; its kind is recognised by what it holds (docs/how-to/sources.md).
            root: Where the videos are, if not beside the list.
            format: The kind of source, where it is not to be recognised.
            official_split: Which of a data set's official splits; None for the first.
            labels: A file with the names of classes, for lists that have numbers.
            fps: Frames a second of folders of pictures, and of annotations by frame number.
            multi_label: Rows with the same clip give it several labels, in place of an error.
            groups: Where groups come from, see `SplitConfig`; near duplicates take features, and
                are looked for by what extracts them.
            group_pattern: Finds the group in the path of each video.
            allow_leak: Let given splits share groups; a note then says which do.

        Raises:
            ManifestError: the source cannot be used; the message says why and what to do.
            ConfigError: no such format, an option that the format has no use for, or `groups` or
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
        if multi_label:
            rows = checks.join_labels(rows)
        rows = checks.drop_duplicates(rows)
        rows = fill_groups(rows, groups=groups, pattern=group_pattern)
        rows = checks.note_thin_classes(checks.note_missing_files(rows, source))
        manifest = cls(rows.table, rows.notes)
        checks.refuse_contradictions(manifest.table)
        checks.refuse_unknown_labels(manifest.table)
        try:
            checks.refuse_leaks(manifest.table)
        except LeakError as error:
            if not allow_leak:
                raise
            return manifest.with_notes(f"a leak was allowed: {error}")
        return manifest

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.table)

    @property
    def labels(self) -> list[str]:
        """The classes, sorted: the order of every score vector."""
        return sorted({name for label in self.table["label"].unique() for name in labels_in(label)})

    @property
    def multi_label(self) -> bool:
        """Whether a clip has more than one class."""
        return any(len(labels_in(label)) > 1 for label in self.table["label"].unique())

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, over all rows in their order; notes do not count."""
        text = json.dumps([self.table.columns, *self.table.rows()])
        return hashlib.sha256(text.encode()).hexdigest()

    def clips(self) -> list[Clip]:
        """The rows, in their order."""
        return [
            Clip(Path(video), label, group, split, fold, Span(start_s, stop_s), fps)
            for video, label, group, split, fold, start_s, stop_s, fps in self.table.rows()
        ]

    def where(self, *, split: str) -> Manifest:
        """The clips of one split, which may be none.

        Raises:
            ConfigError: `split` is not train, validation or test.
        """
        require_choice("split", split, SPLITS)
        return Manifest(self.table.filter(pl.col("split") == split), self.notes)

    def regrouped(self, *, groups: str, group_pattern: str | None = None) -> Manifest:
        """The same clips, with groups from elsewhere; `auto` without a pattern changes nothing.

        Raises:
            ConfigError: `groups` or `group_pattern` is not allowed.
            ManifestError: no clip gets a group from there.
        """
        if group_pattern is None and groups in ("auto", "near-duplicates"):
            return self
        rows = fill_groups(Rows(self.table, self.notes), groups=groups, pattern=group_pattern)
        return Manifest(rows.table, tuple(dict.fromkeys(rows.notes)))

    def with_splits(self, splits: Sequence[str | None]) -> Manifest:
        """The same clips with other splits, one for each row."""
        return Manifest(
            self.table.with_columns(pl.Series("split", splits, dtype=pl.String)), self.notes
        )

    def with_notes(self, *notes: str) -> Manifest:
        """The same clips with more notes."""
        return Manifest(self.table, (*self.notes, *notes))

    def write_csv(self, path: str | Path) -> None:
        """Write the table, in one step, so that `from_source` reads it back."""
        with replacing(Path(path)) as temp:
            self.table.write_csv(temp)
