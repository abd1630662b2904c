"""Clips and groups per class and split (or fold)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from vidclass.data.clip import LABEL_SEPARATOR
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SPLITS


@dataclass(frozen=True)
class SplitCount:
    """Number of clips, and of groups (or videos without one) they come from."""

    clips: int
    groups: int


def split_summary(manifest: Manifest, column: str) -> dict[str, dict[str, SplitCount]]:
    """Count clips and groups as `counts[split][label]`; the label `""` counts all classes.

    Args:
        manifest: The clips.
        column: `split` or `fold`; clips without a value in it are not counted.
    """
    rows = manifest.table.select("label", split=pl.col(column), group_id=manifest.group_ids)
    rows = rows.drop_nulls("split")
    exploded = rows.with_columns(pl.col("label").str.split(LABEL_SEPARATOR)).explode("label")
    size = (pl.len(), pl.col("group_id").n_unique())
    by_class = {
        (split, label): SplitCount(clips, groups)
        for split, label, clips, groups in exploded.group_by("split", "label").agg(size).rows()
    }
    totals = {
        split: SplitCount(clips, groups)
        for split, clips, groups in rows.group_by("split").agg(size).rows()
    }
    return {
        str(split): {"": totals[split]}
        | {label: by_class.get((split, label), SplitCount(0, 0)) for label in manifest.labels}
        for split in sorted(totals, key=lambda name: SPLITS.index(name) if name in SPLITS else name)
    }
