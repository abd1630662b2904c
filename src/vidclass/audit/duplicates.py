"""Clips that are the same, or nearly: by their bytes, and by their features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from vidclass.data.manifest import Manifest
from vidclass.features.near_duplicates import near_duplicates
from vidclass.types import ClipFeatures

_ACROSS = ("labels", "splits", "folds", "groups")


@dataclass(frozen=True)
class Duplicates:
    """Clips that are the same, or nearly.

    Attributes:
        rows: Two or more clips, rising.
        similarity: 1 for the same bytes, else the cosine of their features.
        exact: The same bytes and the same span.
        across: What tells them apart and should not: some of `labels`, `splits`, `folds`,
            `groups`.  Harmful unless empty.
    """

    rows: tuple[int, ...]
    similarity: float
    exact: bool
    across: tuple[str, ...]


def find_duplicates(
    manifest: Manifest,
    keys: Sequence[str | None],
    features: Sequence[ClipFeatures | None] | None,
) -> list[Duplicates]:
    """Sets of the same clip, then pairs that look alike; the most harmful first.

    Two names of one file count as two clips.  A near pair names the first of each set of exact
    duplicates, and is across whatever any of them are.

    Args:
        manifest: The clips.
        keys: A key of the bytes and the span of each; None for what cannot be read.
        features: Those of each clip, to find the near ones by; None where there are none.
    """
    sides, videos = _sides(manifest), manifest.table["video"].to_list()
    same: defaultdict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key is not None:
            same[key].append(row)
    found = [
        Duplicates(tuple(rows), 1.0, True, _across(sides, rows))
        for rows in same.values()
        # Two rows of one video are a matter of the table, and told as that.
        if len({videos[row] for row in rows}) > 1
    ]
    if features is not None:
        # One of each set of exact duplicates stands for all of them.
        first = {rows[0] for rows in same.values()}
        alone = [clip if row in first else None for row, clip in enumerate(features)]
        for pair in near_duplicates(alone):
            rows = [*same[str(keys[pair.first])], *same[str(keys[pair.second])]]
            across = _across(sides, rows)
            found.append(Duplicates((pair.first, pair.second), pair.similarity, False, across))
    return sorted(found, key=lambda one: (_harm(one), not one.exact, -one.similarity, one.rows))


def _sides(manifest: Manifest) -> pl.DataFrame:
    """What tells clips apart, as columns named like `_ACROSS`."""
    table = manifest.table
    return pl.DataFrame(
        {"labels": table["label"], "splits": table["split"], "folds": table["fold"]}
    ).with_columns(groups=manifest.group_ids)


def _across(sides: pl.DataFrame, rows: Sequence[int]) -> tuple[str, ...]:
    part = sides[list(rows)]
    return tuple(name for name in _ACROSS if part[name].drop_nulls().n_unique() > 1)


def _harm(one: Duplicates) -> int:
    return _ACROSS.index(one.across[0]) if one.across else len(_ACROSS)
