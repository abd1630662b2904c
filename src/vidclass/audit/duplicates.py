"""Exact and near duplicates among clips, by bytes and by features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from vidclass._core.text import counted
from vidclass.data.checks import Issue, Severity
from vidclass.data.manifest import Manifest
from vidclass.features.near_duplicates import near_duplicates
from vidclass.types import ClipFeatures

# What duplicates may be across, the most harmful first, and the advice on each.
_ADVICE = {
    "labels": "One of the labels must be wrong. Keep one clip.",
    "splits": "The classifier is tested on what it has learnt. Keep one, or one side.",
    "folds": "The classifier is tested on what it has learnt. Keep one, or one side.",
    "groups": "A split may put them on two sides, which is a leak. Give them one group.",
}


@dataclass(frozen=True)
class DuplicateSet:
    """Clips that are equal, or nearly.

    Attributes:
        rows: Two or more clips, rising.
        similarity: 1 for the same bytes, else the cosine of their features.
        exact: The same bytes and the same span.
        across: Columns in which they differ and should not: some of `labels`, `splits`, `folds`,
            `groups`.  Harmless if empty.
    """

    rows: tuple[int, ...]
    similarity: float
    exact: bool
    across: tuple[str, ...]


def find_duplicates(
    manifest: Manifest,
    keys: Sequence[str | None],
    features: Sequence[ClipFeatures | None] | None,
) -> list[DuplicateSet]:
    """Return sets of equal clips, and pairs of nearly equal ones; the most harmful first.

    Two paths of one file count as two clips.  A near pair names the first of each set of exact
    duplicates, and is across whatever any of them are.

    Args:
        manifest: The clips.
        keys: Key of the bytes and the span of each clip; None if it cannot be read.
        features: Features of each clip, to find near duplicates by; None to find exact ones only.
    """
    sides, videos = _sides(manifest), manifest.table["video"].to_list()
    rows_by_key: defaultdict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key is not None:
            rows_by_key[key].append(row)
    duplicates = [
        DuplicateSet(tuple(rows), 1.0, True, _across(sides, rows))
        for rows in rows_by_key.values()
        # Two rows of one video are a problem of the table, which `find_contradictions` reports.
        if len({videos[row] for row in rows}) > 1
    ]
    if features is not None:
        # One of each set of exact duplicates stands for all of them.
        first = {rows[0] for rows in rows_by_key.values()}
        distinct = [clip if row in first else None for row, clip in enumerate(features)]
        for pair in near_duplicates(distinct):
            rows = [*rows_by_key[str(keys[pair.first])], *rows_by_key[str(keys[pair.second])]]
            pair_rows = (pair.first, pair.second)
            duplicates.append(DuplicateSet(pair_rows, pair.similarity, False, _across(sides, rows)))
    return sorted(
        duplicates, key=lambda each: (_harm(each), not each.exact, -each.similarity, each.rows)
    )


def duplicate_issues(duplicates: Sequence[DuplicateSet]) -> list[Issue]:
    """Return one issue for each kind of harm, and a note on harmless duplicates."""
    issues = []
    for exact in (True, False):
        for column, advice in _ADVICE.items():
            # Each set counts under the most harmful column only.
            sets = [each for each in duplicates if each.exact == exact]
            sets = [each for each in sets if each.across[:1] == (column,)]
            rows = tuple(dict.fromkeys(row for each in sets for row in each.rows))
            if rows:
                severity: Severity = "error" if exact and column != "groups" else "warning"
                kind = "exact" if exact else "near"
                issues.append(
                    Issue(
                        f"{kind}_duplicates_across_{column}",
                        severity,
                        f"{counted(len(sets), 'set')} of {kind} duplicates across {column}: "
                        f"{counted(len(rows), 'clip')}",
                        advice,
                        rows,
                    )
                )
    harmless = [each for each in duplicates if not each.across]
    if harmless:
        issues.append(
            Issue(
                "duplicates_inside_groups",
                "note",
                f"{counted(len(harmless), 'set')} of duplicates inside a group and a class",
                "They do no harm to scores, but count more than once.",
            )
        )
    return issues


def _sides(manifest: Manifest) -> pl.DataFrame:
    """Return the columns that duplicates may be across, named as in `_ADVICE`."""
    table = manifest.table
    return pl.DataFrame(
        {"labels": table["label"], "splits": table["split"], "folds": table["fold"]}
    ).with_columns(groups=manifest.group_ids)


def _across(sides: pl.DataFrame, rows: Sequence[int]) -> tuple[str, ...]:
    clips = sides[list(rows)]
    return tuple(name for name in _ADVICE if clips[name].drop_nulls().n_unique() > 1)


def _harm(duplicates: DuplicateSet) -> int:
    """Return the rank of the most harmful column, 0 the worst."""
    return [*_ADVICE, ""].index(duplicates.across[0] if duplicates.across else "")
