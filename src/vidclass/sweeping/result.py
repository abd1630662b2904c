"""What a sweep gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidclass.sweeping.rows import Row, honest_accuracy
from vidclass.sweeping.settings import SweepConfig
from vidclass.sweeping.space import SweepSpace
from vidclass.types import Failure


@dataclass(frozen=True)
class SweepResult:
    """What a sweep gave.

    Attributes:
        folder: Its folder.
        space: The combinations.
        config: How it went about it.
        rows: The finished trials: complete ones by accuracy, then those pruned, then those failed.
        failures: The clips that could not be read in this call.
        videos: How many clips there were to read; None if no trial was left to run.
        notes: What the user should know, as sentences.
    """

    folder: Path
    space: SweepSpace
    config: SweepConfig
    rows: list[Row]
    failures: tuple[Failure, ...] = ()
    videos: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Row | None:
        """The row of the highest accuracy."""
        return next((row for row in self.rows if row.state == "complete"), None)

    @property
    def accuracy_of_choosing(self) -> float | None:
        """What the best row gets on folds that had no say in choosing it."""
        return honest_accuracy(self.rows)
