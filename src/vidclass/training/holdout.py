"""Labels and groups of clips, and the validation clips and folds that keep groups whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.splits import assign_folds, assign_splits, require_two_classes
from vidclass.errors import SplitError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ClipGroups:
    """Label, group and given fold of each of N clips.

    Attributes:
        labels: Label of each clip.
        group_ids: Group of each clip, as `Manifest.group_ids`.
        folds: Given fold of each clip, or None.
    """

    labels: Sequence[str]
    group_ids: Sequence[str]
    folds: Sequence[int | None]

    @classmethod
    def from_table(cls, clips: pl.DataFrame, group_ids: pl.Series) -> ClipGroups:
        """Return the groups of the clips of a manifest's table."""
        return cls(clips["label"].to_list(), group_ids.to_list(), clips["fold"].to_list())

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.labels)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Group of each clip as a number from 0, (N,)."""
        numbers = np.unique(np.array(self.group_ids, dtype=object), return_inverse=True)[1]
        return np.asarray(numbers, np.int64)

    def at(self, rows: Rows) -> ClipGroups:
        """Return the clips in these rows."""
        columns = (self.labels, self.group_ids, self.folds)
        return ClipGroups(*([column[row] for row in rows.tolist()] for column in columns))

    def assign_folds(self, *, folds: int, seed: int) -> NDArray[np.int64]:
        """Return the fold of each clip, (N,): the given ones, or else `folds` drawn ones.

        Raises:
            SplitError: The clips do not allow so many folds.
        """
        return assign_folds(self.labels, self.group_ids, self.folds, folds=folds, seed=seed)

    def hold_out(self, rows: Rows, config: RunConfig) -> tuple[Rows, Rows | None]:
        """Divide rows into training and validation rows; all and None if that is not possible."""
        clips = self.at(rows)
        # Where leaks are allowed, every clip is a group of its own.
        alone = [str(index) for index in range(len(clips))]
        try:
            require_two_classes(clips.labels)
            splits, _ = assign_splits(
                clips.labels,
                alone if config.split.allow_leak else clips.group_ids,
                test_fraction=0.0,
                validation_fraction=config.split.validation_fraction,
                seed=config.training.seed,
            )
        except SplitError:
            return rows, None
        is_validation = np.array(splits) == "validation"
        return rows[~is_validation], rows[is_validation]
