"""Clips held back from training: what decides which epoch is best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.splits import split_clips
from vidclass.errors import SplitError


def spare_validation(
    clips: Manifest, rows: NDArray[np.int64], config: RunConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Of some rows, those to learn from and those to validate on, by group.

    All of them and None where no group can be spared.
    """
    part = Manifest(clips.table[rows.tolist()]).with_splits([None] * len(rows))
    try:
        split = split_clips(
            part,
            test_fraction=0.0,
            validation_fraction=config.split.validation_fraction,
            seed=config.training.seed,
            allow_leak=config.split.allow_leak,
        )
    except SplitError:
        return rows, None
    names = np.array(split.table["split"].to_list())
    return rows[names == "train"], rows[names == "validation"]
