"""Groups: clips from one recording, which must stay on one side of a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import get_args

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vidclass._core.text import counted, listed, quoted
from vidclass.config.split import GroupsFrom
from vidclass.data.clip import clean_text, labels_in
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, ManifestError, require_choice

# UCF101 and similar: v_Diving_g01_c03 is the third clip cut from recording v_Diving_g01.
_GROUP_IN_NAME = re.compile(r"(.*_g\d+)_")


def group_in_name(video: str) -> str | None:
    """Return the group in a file name, or None.

    >>> group_in_name("clips/v_Diving_g01_c03.avi")
    'v_Diving_g01'
    """
    match = _GROUP_IN_NAME.match(PurePath(video).stem)
    return clean_text(match[1]) if match else None


def fill_groups(rows: Rows, *, groups: str = "auto", pattern: str | None = None) -> Rows:
    """Fill the group column; notes say where groups come from and how many are unknown.

    Args:
        rows: The clips.
        groups: `auto` reads missing groups from `_gNN_` in the file names; `parent` takes the
            folder that holds the video, unless it is its class's; `none` makes each video its own
            group.  `near-duplicates`, which needs features, does the same as `auto` here.
        pattern: A regular expression with one pair of parentheses around the group, searched for
            in each path; replaces given groups and `_gNN_`.

    Raises:
        ConfigError: `pattern` is not valid, or `groups` does not use it.
        ManifestError: no clip gets a group from the pattern, or from the folders.
    """
    require_choice("groups", groups, get_args(GroupsFrom))
    require_group_pattern(pattern, groups)
    given = rows.table["group"]
    if groups == "none":
        note = "groups are ignored: each video is its own group, and scores may be too good."
        return Rows(_with_groups(rows.table, [None] * len(given)), rows.notes).with_notes(note)
    if pattern is not None or groups == "parent":
        if pattern is None:
            names, origin = groups_by_folder(rows.table), "the folders of the videos"
        else:
            names, origin = groups_by_pattern(rows.table, pattern), "the pattern"
        notes = _notes(names, len(given), origin)
        if given.is_not_null().any() and names != given.to_list():
            notes = ["the given groups are not used.", *notes]
        return Rows(_with_groups(rows.table, names), rows.notes).with_notes(*notes)
    in_names = [group_in_name(video) for video in rows.table["video"]]
    table = rows.table.with_columns(
        group=pl.coalesce(given, pl.Series(in_names, dtype=pl.String, strict=True))
    )
    filled = table["group"].filter(given.is_null()).to_list()
    notes = _notes(filled, len(given), "the `_gNN_` in the file names")
    return Rows(table, rows.notes).with_notes(*notes)


def require_group_pattern(pattern: str | None, groups: str) -> None:
    """Require a regular expression with one pair of parentheses, or None.

    Raises:
        ConfigError: it is not, or `groups` does not use a pattern.
    """
    if pattern is None:
        return
    if groups in ("parent", "none"):
        raise ConfigError(f"group_pattern={pattern!r} has no use with groups={groups!r}.")
    try:
        pairs = re.compile(pattern).groups
    except re.error as error:
        raise ConfigError(
            f"group_pattern={pattern!r} is not a regular expression: {error}."
        ) from error
    if pairs != 1:
        raise ConfigError(
            f"group_pattern={pattern!r} has {counted(pairs, 'pair')} of parentheses: one is "
            "needed, around the group, as in '(v_.*_\\d+)_'; others can be (?:...)."
        )


def groups_by_pattern(table: pl.DataFrame, pattern: str) -> list[str | None]:
    """Return the text that the parentheses match in each path below the common folder, (N,).

    Raises:
        ManifestError: the pattern matches in no path.
    """
    paths = _below_common_folder(table)
    compiled = re.compile(pattern)
    matches = [compiled.search(path.as_posix()) for path in paths]
    groups = [clean_text(match[1] or "") or None if match else None for match in matches]
    if not any(groups):
        examples = listed(quoted(path.as_posix() for path in paths), most=3)
        raise ManifestError(f"group_pattern={pattern!r} finds no group in {examples}.")
    return groups


def groups_by_folder(table: pl.DataFrame) -> list[str | None]:
    """Return the folder that holds each video, (N,); None for its class's and the common folder.

    Raises:
        ManifestError: every one is None.
    """
    paths = _below_common_folder(table)
    groups: list[str | None] = []
    for path, label in zip(paths, table["label"], strict=True):
        folder = clean_text(path.parent.name)
        groups.append(None if folder in ("", label, *labels_in(label)) else folder)
    if not any(groups):
        examples = listed(quoted(path.as_posix() for path in paths), most=3)
        raise ManifestError(
            f"groups='parent': no video lies in a folder below that of its class: {examples}."
        )
    return groups


def _below_common_folder(table: pl.DataFrame) -> list[PurePath]:
    videos = [Path(video) for video in table["video"]]
    folders = [video.parent.parts for video in set(videos)]
    depth = 0
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        depth += 1
    return [PurePath(*video.parts[depth:]) for video in videos]


def _with_groups(table: pl.DataFrame, groups: Sequence[str | None]) -> pl.DataFrame:
    return table.with_columns(pl.Series("group", groups, dtype=pl.String))


def _notes(groups: Sequence[str | None], clips: int, origin: str) -> list[str]:
    """Return notes on how many groups come from `origin`, and on clips without one."""
    names = [group for group in groups if group is not None]
    notes = []
    if names:
        notes.append(
            f"{counted(len(set(names)), 'group')} of {counted(len(names), 'clip')} "
            f"taken from {origin}."
        )
    unknown = len(groups) - len(names)
    if unknown:
        which = "groups are" if unknown == clips else f"the groups of {unknown} clips are"
        notes.append(
            f"{which} unknown: clips cut from one recording may land on both sides of a split; "
            "add a column 'group', or choose with `groups`."
        )
    return notes


def group_ids(table: pl.DataFrame) -> pl.Series:
    """Return the group of each clip, (N,) text, else its video; null in no row.

    Clips with the same id must stay together.  A video that is in a group takes all clips cut from
    it along, also those without a group.
    """
    joined = table.select("group", "video").with_columns(
        component=components(table["group"], table["video"])
    )
    # The prefixes keep a group that is called like a path apart from that path.
    return joined.select(
        pl.coalesce(
            "group: " + pl.col("group").min().over("component"),
            "video: " + pl.col("video").min().over("component"),
        ).alias("group_id")
    ).to_series()


def merge_groups(
    table: pl.DataFrame, ids: pl.Series, keys: pl.Series, *, name: Callable[[str], str]
) -> tuple[pl.DataFrame, int]:
    """Merge the groups `ids`, (N,), of clips that share a key; see `Manifest.with_merged_groups`.

    Merged groups share a name made of theirs.
    """
    merged = table.select("group", "video").with_columns(id=ids, component=components(ids, keys))
    by_component = merged.group_by("component").agg(
        pl.col("group").drop_nulls().unique().sort(),
        pl.col("video").min(),
        pl.col("id").n_unique(),
    )
    names: dict[int, str] = {}
    taken = set(table["group"].drop_nulls())
    for component, groups, video, count in by_component.sort("video").rows():
        if count > 1:
            more = f" and {len(groups) - 3} more" if len(groups) > 3 else ""
            wanted = " + ".join(groups[:3]) + more if groups else name(video)
            names[component] = wanted if wanted in groups else _unused_name(wanted, taken)
            taken.add(names[component])
    component_of_clip = merged["component"].to_list()
    new = [names.get(c, old) for c, old in zip(component_of_clip, table["group"], strict=True)]
    return _with_groups(table, new), sum(c in names for c in component_of_clip)


def _unused_name(wanted: str, taken: set[str]) -> str:
    number, text = 1, wanted
    while text in taken:
        number += 1
        text = f"{wanted} ({number})"
    return text


def components(*columns: pl.Series) -> pl.Series:
    """Return the connected component of each row, (N,): rows are linked by a shared value.

    Null is shared with no row.

    >>> components(pl.Series(["a", "a", None, None]), pl.Series([1, 2, 2, None])).to_list()
    [0, 0, 0, 1]
    """
    count = len(columns[0])
    nodes = count
    rows: list[int] = []
    values: list[int] = []
    for column in columns:
        # Each distinct value is a node after those of the rows.
        codes = column.rank("dense") - 1
        rows += codes.is_not_null().arg_true().to_list()
        values += (codes.drop_nulls().cast(pl.Int64) + nodes).to_list()
        nodes += column.drop_nulls().n_unique()
    links = coo_array((np.ones(len(rows), np.bool_), (rows, values)), shape=(nodes, nodes))
    _, labels = connected_components(links, directed=False)
    return pl.Series(labels[:count], dtype=pl.Int64)
