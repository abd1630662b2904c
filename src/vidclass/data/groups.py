"""Groups: the clips that share a source and must stay on one side of a split."""

from __future__ import annotations

import re
from pathlib import PurePath

import polars as pl

from vidclass.data.rows import Rows, clean_text
from vidclass.data.wording import counted

# UCF101 and its kin: v_Diving_g01_c03 is the third clip cut from recording v_Diving_g01.
_GROUP_IN_NAME = re.compile(r"(.*_g\d+)_")


def group_in_name(video: str) -> str | None:
    """The group that a file name tells, or None.

    >>> group_in_name("clips/v_Diving_g01_c03.avi")
    'v_Diving_g01'
    """
    match = _GROUP_IN_NAME.match(PurePath(video).stem)
    return clean_text(match[1]) if match else None


def fill_groups(rows: Rows) -> Rows:
    """Take groups that are not given from the file names, and note what stays unknown."""
    given = rows.table["group"]
    named = rows.table["video"].map_elements(group_in_name, return_dtype=pl.String)
    table = rows.table.with_columns(group=pl.coalesce(given, named))
    notes = list(rows.notes)
    from_names = table["group"].filter(given.is_null()).drop_nulls()
    if len(from_names):
        notes.append(
            f"{counted(from_names.n_unique(), 'group')} of {counted(len(from_names), 'clip')} "
            "taken from the `_gNN_` in the file names."
        )
    unknown = table["group"].null_count()
    if unknown:
        which = "groups are" if unknown == len(table) else f"the groups of {unknown} clips are"
        notes.append(
            f"{which} unknown: clips cut from one recording may land on both sides of a split; "
            "add a `group` column."
        )
    return Rows(table, tuple(notes))


def keep_together(table: pl.DataFrame) -> pl.Series:
    """What each clip must stay with, (n,): its group, else its video."""
    # The prefixes keep a group that is called like a path apart from that path.
    return table.select(
        pl.coalesce("group: " + pl.col("group"), "video: " + pl.col("video")).alias("unit")
    ).to_series()
