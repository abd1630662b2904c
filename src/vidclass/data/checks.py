"""What must hold of a list of clips, each with the message that its owner needs."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

import polars as pl

from vidclass._core.text import counted, listed, quoted
from vidclass.data.frame_folders import is_frame_folder
from vidclass.data.groups import keep_together
from vidclass.data.rows import (
    LABEL_SEPARATOR,
    SCHEMA,
    SPLITS,
    Rows,
    clean_label,
    joined_labels,
    labels_in,
    single_labels,
)
from vidclass.errors import LeakError, ManifestError


def check_table(table: pl.DataFrame) -> None:
    """What holds of every manifest, also of a part of one.

    Raises:
        ManifestError: columns, empty cells, split names or spans are not as they must be.
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
    odd = table.filter(~pl.col("split").is_in(SPLITS))["split"].unique()
    if len(odd):
        raise ManifestError(f"split must be one of {SPLITS}, received: {sorted(odd)}")
    start, stop = pl.col("start_s"), pl.col("stop_s")
    stop_fits = stop.is_null() | (stop.is_finite() & (stop > start))
    wrong = table.filter(~(start.is_finite() & (start >= 0) & stop_fits))
    if len(wrong):
        spans = [
            f"{video!r} has start_s={start_s}, stop_s={stop_s}"
            for video, start_s, stop_s in wrong.select("video", "start_s", "stop_s").rows()
        ]
        raise ManifestError(f"a span must have 0 <= start_s < stop_s: {listed(spans)}.")
    slow = table.filter(~((pl.col("fps") > 0) & pl.col("fps").is_finite()))
    if len(slow):
        rates = [f"{video!r} has fps={fps}" for video, fps in slow.select("video", "fps").rows()]
        raise ManifestError(f"frames a second must be more than 0: {listed(rates)}.")


def drop_duplicates(rows: Rows) -> Rows:
    """Keep the first of rows that are the same in every column; a note counts the others."""
    twice = rows.table.filter(~pl.struct(pl.all()).is_first_distinct())
    if not len(twice):
        return rows
    names = [PurePath(video).name for video in twice["video"].unique(maintain_order=True)]
    note = f"{counted(len(twice), 'duplicate row')} dropped: {listed(quoted(names))}."
    return Rows(rows.table.unique(maintain_order=True), (*rows.notes, note))


def join_labels(rows: Rows) -> Rows:
    """One row for rows that differ in nothing but the label, with the classes of all of them."""
    others = [name for name in SCHEMA if name != "label"]
    joined = rows.table.group_by(others, maintain_order=True).agg(pl.col("label"))
    names = [
        joined_labels(name for label in labels for name in labels_in(label))
        for labels in joined["label"].to_list()
    ]
    table = joined.with_columns(label=pl.Series(names, dtype=pl.String)).select(list(SCHEMA))
    return Rows(table, rows.notes)


def refuse_several_labels(table: pl.DataFrame) -> None:
    """Clips with one label each are what a classifier of one label a clip learns from.

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
            "multi-label classifier (kind='multi-label')."
        )


def refuse_contradictions(table: pl.DataFrame) -> None:
    """One clip has one label, and one video one group.

    Raises:
        ManifestError: the table says otherwise.
    """
    for keys, value in ((["video", "start_s", "stop_s"], "label"), (["video"], "group")):
        per_clip = table.group_by(keys, maintain_order=True).agg(pl.col(value).unique().sort())
        torn = per_clip.filter(pl.col(value).list.drop_nulls().list.len() > 1)
        if len(torn):
            cases = [
                f"{video!r} has {' and '.join(quoted(values))}"
                for video, values in torn.select("video", value).rows()
            ]
            noun = "clip" if value == "label" else "video"
            also = ", or pass --multi-label if both are true" if value == "label" else ""
            raise ManifestError(
                f"the same {noun} with two {value}s: {listed(cases)}. Keep one{also}."
            )


def refuse_unknown_labels(table: pl.DataFrame) -> None:
    """Labels of given validation and test clips must be learnable from the other clips.

    Raises:
        ManifestError: some are not.
    """
    rest = table.filter(pl.col("split").is_null() | (pl.col("split") == "train"))
    if not len(rest):
        return  # a source for evaluation only
    known = set(single_labels(rest["label"]))
    for split in ("validation", "test"):
        held_out = table.filter(pl.col("split") == split)["label"]
        unknown = set(single_labels(held_out)) - known
        if unknown:
            raise ManifestError(
                f"unknown labels in the {split} set: {listed(quoted(sorted(unknown)))} never "
                f"occur in train. Labels in train: {listed(quoted(sorted(known)))}."
            )


def refuse_leaks(table: pl.DataFrame, *, column: str = "split") -> None:
    """No group, and no video, on two sides of what `column` (split or fold) gives.

    Raises:
        LeakError: some are; it names them and their clips.
    """
    given = table.with_columns(keep_together(table)).filter(pl.col(column).is_not_null())
    sides = given.group_by("unit", maintain_order=True).agg(pl.col(column).n_unique())
    leaking = sides.filter(pl.col(column) > 1)["unit"].to_list()
    if not leaking:
        return
    cases = []
    for unit in leaking[:3]:
        clips = given.filter(pl.col("unit") == unit).unique(column, maintain_order=True)
        shown = [f"{PurePath(v).name!r} in {s}" for v, s in clips.select("video", column).rows()]
        cases.append(f"{unit} ({listed(shown)})")
    more = f" and {len(leaking) - 3} more" if len(leaking) > 3 else ""
    force = ", or force it with --allow-leak" if column == "split" else ""
    raise LeakError(
        f"a leak: the clips of {'; '.join(cases)}{more} are on more than one side of the given "
        f"{column}s. Put each group on one side{force}."
    )


def note_missing_files(rows: Rows, source: object) -> Rows:
    """Note listed files that are not there; they stay, for the ledger of what reads them.

    Raises:
        ManifestError: not a single file is there.
    """
    videos = rows.table["video"].unique(maintain_order=True)
    missing = [v for v in videos if not (os.path.isfile(v) or is_frame_folder(Path(v)))]
    if not missing:
        return rows
    if len(missing) == len(videos):
        raise ManifestError(
            f"none of the {counted(len(videos), 'video')} listed in {str(source)!r} exists; the "
            f"first was expected at {missing[0]!r}. Name the folder that holds them with --root."
        )
    note = (
        f"{len(missing)} of {len(videos)} listed videos are not there: {listed(quoted(missing))}."
    )
    return Rows(rows.table, (*rows.notes, note))


def note_thin_classes(rows: Rows) -> Rows:
    """Note what can be evaluated but not trained: one class only, or a class with one clip."""
    counts = single_labels(rows.table["label"]).value_counts(sort=False).sort("label")
    notes = list(rows.notes)
    if len(counts) == 1:
        notes.append(f"only one class, {counts['label'][0]!r}: training needs at least two.")
    thin = counts.filter(pl.col("count") == 1)["label"].to_list()
    if thin:
        notes.append(f"classes with a single clip: {listed(quoted(thin))}.")
    return Rows(rows.table, tuple(notes))
