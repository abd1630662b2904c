"""Checks of a table of clips: `find_…` returns issues, `require_no_issues` raises the first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import polars as pl

from vidclass._core.text import counted, listed, quoted
from vidclass.data.clip import LABEL_SEPARATOR, clean_label, labels_in
from vidclass.data.media_files import is_image_sequence
from vidclass.data.rows import SCHEMA, SPLITS, explode_labels
from vidclass.errors import LeakError, ManifestError

Severity = Literal["error", "warning", "note"]

_MOST_GROUPS = 3


@dataclass(frozen=True)
class Issue:
    """Something wrong or unusual about some clips, or about all of them.

    Attributes:
        kind: A stable name, such as `leak`.
        severity: `error`: training would fail or measure nothing; `warning`: it would suffer;
            `note`: worth knowing.
        title: One line, with counts.
        advice: What it means and what to do, as sentences.
        rows: Rows of the clips concerned, rising; empty if it concerns all clips.
        details: Further lines, such as one per clip; empty if the names of the clips suffice.
    """

    kind: str
    severity: Severity
    title: str
    advice: str = ""
    rows: tuple[int, ...] = ()
    details: tuple[str, ...] = ()


def find_leaks(table: pl.DataFrame, group_ids: pl.Series, *, column: str = "split") -> list[Issue]:
    """Return an issue if a group is on two sides of the given splits or folds.

    Args:
        table: The clips.
        group_ids: Group of each clip, (N,), as `Manifest.group_ids`.
        column: `split` or `fold`.
    """
    given = (
        table.select("video", column, group_id=group_ids)
        .with_row_index()
        .filter(pl.col(column).is_not_null())
    )
    sides = given.group_by("group_id", maintain_order=True).agg(pl.col(column).n_unique())
    leaking = sides.filter(pl.col(column) > 1)["group_id"].to_list()
    if not leaking:
        return []
    cases = []
    for group_id in leaking[:_MOST_GROUPS]:
        clips = given.filter(pl.col("group_id") == group_id).unique(column, maintain_order=True)
        names = [f"{PurePath(v).name!r} in {s}" for v, s in clips.select("video", column).rows()]
        cases.append(f"{group_id} ({listed(names)})")
    more = len(leaking) - _MOST_GROUPS
    rest = f" and {more} more" if more > 0 else ""
    force = ", or force it with allow_leak=True" if column == "split" else ""
    advice = (
        f"a leak: the clips of {'; '.join(cases)}{rest} are on more than one side of the given "
        f"{column}s. Put each group on one side{force}."
    )
    rows = given.filter(pl.col("group_id").is_in(leaking))["index"]
    return [Issue("leak", "error", f"a leak between {column}s", advice, tuple(rows))]


def find_contradictions(table: pl.DataFrame) -> list[Issue]:
    """Return an issue for clips with two labels, and one for videos with two groups."""
    return [
        *_find_contradictions(table, ["video", "start_s", "stop_s"], "label"),
        *_find_contradictions(table, ["video"], "group"),
    ]


def _find_contradictions(table: pl.DataFrame, keys: list[str], value: str) -> list[Issue]:
    values_by_key = (
        table.with_row_index()
        .group_by(keys, maintain_order=True)
        .agg(pl.col(value).unique().sort(), pl.col("index"))
        .filter(pl.col(value).list.drop_nulls().list.len() > 1)
    )
    if not len(values_by_key):
        return []
    cases = [
        f"{video!r} has {' and '.join(quoted(values))}"
        for video, values in values_by_key.select("video", value).rows()
    ]
    noun = "clip" if value == "label" else "video"
    hint = ", or pass multi_label=True if both are true" if value == "label" else ""
    return [
        Issue(
            "contradiction",
            "error",
            f"contradictory {value}s",
            f"the same {noun} with two {value}s: {listed(cases)}. Keep one{hint}.",
            tuple(values_by_key["index"].explode().sort()),
        )
    ]


def find_unknown_labels(table: pl.DataFrame) -> list[Issue]:
    """Return an issue for validation and test each, if it has classes that train has not."""
    train = table.filter(pl.col("split").is_null() | (pl.col("split") == "train"))
    if not len(train):
        return []  # a source for evaluation only
    train_labels = set(explode_labels(train["label"]))
    issues = []
    for split in ("validation", "test"):
        rows = table.with_row_index().filter(pl.col("split") == split)
        unknown = set(explode_labels(rows["label"])) - train_labels
        if unknown:
            names = pl.col("label").str.split(LABEL_SEPARATOR)
            affected = rows.filter(names.list.set_intersection(sorted(unknown)).list.len() > 0)
            issues.append(
                Issue(
                    "unknown_label",
                    "error",
                    f"{split} labels not in train",
                    f"unknown labels in the {split} set: {listed(quoted(sorted(unknown)))} never "
                    f"occur in train. Labels in train: {listed(quoted(sorted(train_labels)))}.",
                    tuple(affected["index"]),
                )
            )
    return issues


def require_no_issues(issues: Sequence[Issue]) -> None:
    """Raise the first issue, if there is any.

    Raises:
        LeakError: it is a leak.
        ManifestError: it is something else.
    """
    if issues:
        raise (LeakError if issues[0].kind == "leak" else ManifestError)(issues[0].advice)


def require_single_labels(table: pl.DataFrame) -> None:
    """Require one class per clip.

    Raises:
        ManifestError: a clip has several.
    """
    several = table.filter(pl.col("label").str.contains(LABEL_SEPARATOR, literal=True))
    if len(several):
        video, label = several.select("video", "label").row(0)
        raise ManifestError(
            f"{counted(len(several), 'clip')} of {len(table)} have several labels, first of all "
            f"{video!r}: {', '.join(quoted(labels_in(label)))}. This classifier knows one label a "
            "clip: keep the one that matters, give each combination a name of its own, or train a "
            "multi-label classifier (`kind` of the task)."
        )


def require_valid_table(table: pl.DataFrame) -> None:
    """Require the columns, types, labels, splits, spans and rates of a manifest.

    Raises:
        ManifestError: the table is not valid; the message shows the offending cells.
    """
    if dict(table.schema) != dict(SCHEMA):
        raise ManifestError(f"columns must be {dict(SCHEMA)}, received: {dict(table.schema)}")
    for name in ("video", "label", "start_s"):
        if table[name].null_count():
            raise ManifestError(f"{table[name].null_count()} clips have no {name}.")
    unclean = [label for label in table["label"].unique() if label != clean_label(label)]
    if unclean:
        raise ManifestError(
            "a label is the name of a class, or several, sorted, with a bar between them; "
            f"received: {listed(quoted(sorted(unclean)))}."
        )
    unknown = table.filter(~pl.col("split").is_in(SPLITS))["split"].unique()
    if len(unknown):
        raise ManifestError(f"split must be one of {SPLITS}, received: {sorted(unknown)}")
    _require_spans(table)
    slow = table.filter(~((pl.col("fps") > 0) & pl.col("fps").is_finite()))
    if len(slow):
        rates = [f"{video!r} has fps={fps}" for video, fps in slow.select("video", "fps").rows()]
        raise ManifestError(f"frames a second must be more than 0: {listed(rates)}.")


def _require_spans(table: pl.DataFrame) -> None:
    start, stop = pl.col("start_s"), pl.col("stop_s")
    stop_fits = stop.is_null() | (stop.is_finite() & (stop > start))
    wrong = table.filter(~(start.is_finite() & (start >= 0) & stop_fits))
    if len(wrong):
        spans = [
            f"{video!r} has start_s={start_s}, stop_s={stop_s}"
            for video, start_s, stop_s in wrong.select("video", "start_s", "stop_s").rows()
        ]
        raise ManifestError(f"a span must have 0 <= start_s < stop_s: {listed(spans)}.")


def missing_file_notes(table: pl.DataFrame, source: object) -> list[str]:
    """Return a note on videos that do not exist; they stay and fail when they are read.

    Raises:
        ManifestError: no video exists.
    """
    videos = table["video"].unique(maintain_order=True)
    missing = [v for v in videos if not (os.path.isfile(v) or is_image_sequence(Path(v)))]
    if not missing:
        return []
    if len(missing) == len(videos):
        raise ManifestError(
            f"none of the {counted(len(videos), 'video')} listed in {str(source)!r} exists; the "
            f"first was expected at {missing[0]!r}. Name the folder that holds them with `root`."
        )
    return [
        f"{len(missing)} of {len(videos)} listed videos are not there: {listed(quoted(missing))}."
    ]


def small_class_notes(table: pl.DataFrame) -> list[str]:
    """Return notes on clips that can be evaluated but not trained on: one class, or one clip."""
    counts = explode_labels(table["label"]).value_counts(sort=False).sort("label")
    notes = []
    if len(counts) == 1:
        notes.append(f"only one class, {counts['label'][0]!r}: training needs at least two.")
    single = counts.filter(pl.col("count") == 1)["label"].to_list()
    if single:
        notes.append(f"classes with a single clip: {listed(quoted(single))}.")
    return notes
