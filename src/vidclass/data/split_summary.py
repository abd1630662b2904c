"""What is in each part of a split: clips and groups, class by class."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from vidclass.data.groups import keep_together
from vidclass.data.manifest import Manifest
from vidclass.data.rows import LABEL_SEPARATOR, SPLITS


@dataclass(frozen=True)
class Held:
    """How many clips a part has, and how many groups (or videos without one) they are in."""

    clips: int
    groups: int


def count_parts(manifest: Manifest, column: str) -> dict[str, dict[str, Held]]:
    """What each part has of each class, as `counts[part][label]`; under `""`, of all classes.

    Args:
        manifest: The clips.
        column: `split` or `fold`; clips without a value in it are not counted.
    """
    rows = manifest.table.select("label", part=pl.col(column))
    rows = rows.with_columns(keep_together(manifest.table)).drop_nulls("part")
    single = rows.with_columns(pl.col("label").str.split(LABEL_SEPARATOR)).explode("label")
    held = (pl.len(), pl.col("unit").n_unique())
    of_class = {
        (part, label): Held(clips, groups)
        for part, label, clips, groups in single.group_by("part", "label").agg(held).rows()
    }
    whole = {
        part: Held(clips, groups) for part, clips, groups in rows.group_by("part").agg(held).rows()
    }
    return {
        str(part): {"": whole[part]}
        | {label: of_class.get((part, label), Held(0, 0)) for label in manifest.labels}
        for part in sorted(whole, key=lambda part: SPLITS.index(part) if part in SPLITS else part)
    }
