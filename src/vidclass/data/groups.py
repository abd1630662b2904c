"""Groups: the clips that share a source and must stay on one side of a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import get_args

import polars as pl

from vidclass._core.text import counted, listed, quoted
from vidclass.config.split import GroupsFrom
from vidclass.data.components import components
from vidclass.data.rows import Rows, clean_text, labels_in
from vidclass.errors import ConfigError, ManifestError, require_choice

# UCF101 and its kin: v_Diving_g01_c03 is the third clip cut from recording v_Diving_g01.
_GROUP_IN_NAME = re.compile(r"(.*_g\d+)_")


def group_in_name(video: str) -> str | None:
    """The group that a file name tells, or None.

    >>> group_in_name("clips/v_Diving_g01_c03.avi")
    'v_Diving_g01'
    """
    match = _GROUP_IN_NAME.match(PurePath(video).stem)
    return clean_text(match[1]) if match else None


def fill_groups(rows: Rows, *, groups: str = "auto", pattern: str | None = None) -> Rows:
    """Fill the group column, and note what was done and what stays unknown.

    Args:
        rows: The clips.
        groups: `auto` takes groups that are not given from `_gNN_` in the file names; `parent`
            takes the folder that holds the video, if that is not its class's; `none` lets each
            video stand alone.  For `near-duplicates`, which takes features, this does what it
            does for `auto`.
        pattern: A regular expression with one pair of parentheses around the group, searched for
            in each path; in place of given groups and of `_gNN_`.

    Raises:
        ConfigError: the pattern is not like that, or `groups` has no use for it.
        ManifestError: no clip gets a group from the pattern, or from the folders.
    """
    require_choice("groups", groups, get_args(GroupsFrom))
    require_group_pattern(pattern, groups)
    given = rows.table["group"]
    if groups == "none":
        note = "groups were not looked at: each video is its own group, scores may be too good."
        return Rows(_with_groups(rows.table, [None] * len(given)), (*rows.notes, note))
    if pattern is not None or groups == "parent":
        found = (
            groups_by_folder(rows.table)
            if pattern is None
            else groups_by_pattern(rows.table, pattern)
        )
        where = "the folders of the videos" if pattern is None else "the pattern"
        notes = _notes(found, len(given), where)
        if given.is_not_null().any() and found != given.to_list():
            notes = ["the given groups are not used.", *notes]
        return Rows(_with_groups(rows.table, found), (*rows.notes, *notes))
    named = [group_in_name(video) for video in rows.table["video"]]
    table = rows.table.with_columns(
        group=pl.coalesce(given, pl.Series(named, dtype=pl.String, strict=True))
    )
    told = table["group"].filter(given.is_null()).to_list()
    return Rows(table, (*rows.notes, *_notes(told, len(given), "the `_gNN_` in the file names")))


def require_group_pattern(pattern: str | None, groups: str) -> None:
    """Refuse a pattern that is no regular expression with one group, or that nothing uses."""
    if pattern is None:
        return
    if groups in ("parent", "none"):
        raise ConfigError(f"--group-pattern {pattern!r} has no use with --groups {groups}.")
    try:
        pairs = re.compile(pattern).groups
    except re.error as error:
        raise ConfigError(
            f"--group-pattern {pattern!r} is not a regular expression: {error}."
        ) from error
    if pairs != 1:
        raise ConfigError(
            f"--group-pattern {pattern!r} has {counted(pairs, 'pair')} of parentheses: one is "
            "needed, around the group, as in '(v_.*_\\d+)_'; others can be (?:...)."
        )


def groups_by_pattern(table: pl.DataFrame, pattern: str) -> list[str | None]:
    """What the parentheses of `pattern` hold in each video's path below the common folder.

    Raises:
        ManifestError: the pattern is found in no path.
    """
    paths = _below_common_folder(table)
    compiled = re.compile(pattern)
    matches = [compiled.search(path.as_posix()) for path in paths]
    found = [clean_text(match[1] or "") or None if match else None for match in matches]
    if not any(found):
        examples = listed(quoted(path.as_posix() for path in paths), most=3)
        raise ManifestError(f"--group-pattern {pattern!r} finds no group in {examples}.")
    return found


def groups_by_folder(table: pl.DataFrame) -> list[str | None]:
    """The name of the folder that holds each video; None for its class's, and the top one.

    Raises:
        ManifestError: no video lies deeper than that.
    """
    paths = _below_common_folder(table)
    found: list[str | None] = []
    for path, label in zip(paths, table["label"], strict=True):
        folder = clean_text(path.parent.name)
        found.append(None if folder in ("", label, *labels_in(label)) else folder)
    if not any(found):
        examples = listed(quoted(path.as_posix() for path in paths), most=3)
        raise ManifestError(
            f"--groups parent: no video lies in a folder below that of its class: {examples}."
        )
    return found


def _below_common_folder(table: pl.DataFrame) -> list[PurePath]:
    videos = [Path(video) for video in table["video"]]
    parts = [video.parent.parts for video in set(videos)]
    common = 0
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common += 1
    return [PurePath(*video.parts[common:]) for video in videos]


def _with_groups(table: pl.DataFrame, groups: Sequence[str | None]) -> pl.DataFrame:
    return table.with_columns(pl.Series("group", groups, dtype=pl.String))


def _notes(found: Sequence[str | None], clips: int, where: str) -> list[str]:
    """How many groups came from `where`, and for how many of the clips none did."""
    names = [group for group in found if group is not None]
    notes = []
    if names:
        notes.append(
            f"{counted(len(set(names)), 'group')} of {counted(len(names), 'clip')} "
            f"taken from {where}."
        )
    unknown = len(found) - len(names)
    if unknown:
        which = "groups are" if unknown == clips else f"the groups of {unknown} clips are"
        notes.append(
            f"{which} unknown: clips cut from one recording may land on both sides of a split; "
            "add a `group` column, or choose with --groups."
        )
    return notes


def keep_together(table: pl.DataFrame) -> pl.Series:
    """What each clip must stay with, (n,): its group, else its video.

    A video that is in a group takes all clips cut from it along.
    """
    joined = table.select("group", "video").with_columns(
        unit=components(table["group"], table["video"])
    )
    # The prefixes keep a group that is called like a path apart from that path.
    return joined.select(
        pl.coalesce(
            "group: " + pl.col("group").min().over("unit"),
            "video: " + pl.col("video").min().over("unit"),
        ).alias("unit")
    ).to_series()


def unite(
    table: pl.DataFrame, key: pl.Series, *, name: Callable[[str], str]
) -> tuple[pl.DataFrame, int]:
    """Join what must stay together with what shares a `key`; null shares nothing.

    Args:
        table: The clips.
        key: (n,) of any type.
        name: The name of a new group, made from the path of its first video.

    Returns:
        The table with a group for each set of clips that was joined, and how many clips are in
        those.  Groups that were joined share a name made of theirs.
    """
    before = keep_together(table)
    joined = table.select("group", "video").with_columns(
        before=before, unit=components(before, key)
    )
    groups: dict[int, str] = {}
    sets = joined.group_by("unit").agg(
        pl.col("group").drop_nulls().unique().sort(),
        pl.col("video").min(),
        pl.col("before").n_unique().alias("joined"),
    )
    taken = set(table["group"].drop_nulls())
    for unit, known, video, count in sets.sort("video").rows():
        if count > 1:
            more = f" and {len(known) - 3} more" if len(known) > 3 else ""
            wanted = " + ".join(known[:3]) + more if known else name(video)
            groups[unit] = _not_in(taken, wanted) if wanted not in known else wanted
            taken.add(groups[unit])
    units = joined["unit"].to_list()
    new = [groups.get(unit, old) for unit, old in zip(units, table["group"], strict=True)]
    return _with_groups(table, new), sum(unit in groups for unit in units)


def _not_in(taken: set[str], wanted: str) -> str:
    number, text = 1, wanted
    while text in taken:
        number += 1
        text = f"{wanted} ({number})"
    return text
