"""Rows of a sweep's table, their Pareto front, and the result that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidclass.sweeping.config import Point, SweepConfig, SweepSpace
from vidclass.training.out_of_fold import FoldResult
from vidclass.types import Failure


def pareto_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[bool]:
    """For each trial, whether no other is as good for less, or better for as little.

    >>> pareto_front([1.0, 2.0, 3.0], [0.5, 0.8, 0.7])
    [True, True, False]
    """
    pairs = list(zip(costs, accuracies, strict=True))
    return [
        not any(
            other_cost <= cost and other >= accuracy and (other_cost, other) != (cost, accuracy)
            for other_cost, other in pairs
        )
        for cost, accuracy in pairs
    ]


def accuracy_of_choosing(accuracies: NDArray[np.float64]) -> float | None:
    """What the best trial gets on a fold that had no say in choosing it; None for fewer than two.

    For each fold, the trial that is best on the other folds is chosen, and its accuracy on that
    fold counts.  The best row of a table is chosen on the very folds that it is scored on, and is
    flattered by that; this is not.  (Every head of it did learn from the other folds, so it is an
    estimate, in the manner of nested cross-validation: Varma and Simon, BMC Bioinformatics 2006.)

    Args:
        accuracies: (N,K) of N trials on the same K folds.

    >>> accuracy_of_choosing(np.array([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    trials, folds = accuracies.shape
    if trials < 2 or folds < 2:
        return None
    others = accuracies.sum(1, keepdims=True) - accuracies  # (N,K): the other folds of each fold
    chosen = others.argmax(0)
    return float(accuracies[chosen, np.arange(folds)].mean())


State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Row:
    """One trial.

    Attributes:
        number: Of the trial.
        state: `complete`; `pruned`: ended early, clearly worse; `failed`: `reason` says why.
        point: The combination, with its size in pixels.
        folds: The folds that were done.
        accuracy_mean: Mean of the folds' accuracies; the next five are None unless complete.
        accuracy_std: Standard deviation of the folds' accuracies.
        accuracy: Share of all clips that were right.
        accuracy_interval: 95 % interval of that share.
        videos: Clips in the score.
        failed: Clips that could not be read, and are in no score.
        ms_per_clip: Milliseconds that a clip takes: decoding, backbone and head.
        ms_features: Those of decoding and backbone; of complete rows measured side by side.
        ms_head: Those of the head.
        head_parameters: Numbers in the head that training changes.
        head_multiplications: Multiplications by weights in the head, for one clip.
        training_s: Seconds that the heads of all folds took to train, features being at hand.
        precision: What `auto` was on this machine.
        setting: The key of its features.
        route: How the backbone ran.
        machine: The processor that the cost was measured on.
        reason: Why it was pruned or failed.
        pareto: No other row is as good for less, or better for as little.
        command: The command line that trains a classifier of this row.
    """

    number: int
    state: State
    point: Point
    folds: tuple[FoldResult, ...] = ()
    accuracy_mean: float | None = None
    accuracy_std: float | None = None
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    videos: int | None = None
    failed: int | None = None
    ms_per_clip: float | None = None
    ms_features: float | None = None
    ms_head: float | None = None
    head_parameters: int | None = None
    head_multiplications: int | None = None
    training_s: float | None = None
    precision: str = ""
    setting: str = ""
    route: str = ""
    machine: str = ""
    reason: str = ""
    pareto: bool = False
    command: str = ""

    @classmethod
    def stored(cls, number: int, state: State, point: Point, kept: Mapping[str, Any]) -> Row:
        """From what was kept of a trial; what is not a field of a row is left out."""
        names = set(cls.__dataclass_fields__) - {"number", "state", "point"}
        values = {name: kept[name] for name in names & set(kept)}
        values["folds"] = tuple(FoldResult(**fold) for fold in kept.get("folds", ()))
        if values.get("accuracy_interval") is not None:
            low, high = values["accuracy_interval"]
            values["accuracy_interval"] = (low, high)
        return cls(number, state, point.resolved(), **values)

    def flat(self) -> dict[str, Any]:
        """Everything by name, plain values only: the row in JSON."""
        values = {name: value for name, value in self.__dict__.items() if name != "point"}
        point = self.point.values() | {"precision": self.precision or self.point.precision}
        values |= {
            "folds": [plain_fold(fold) for fold in self.folds],
            "accuracy_interval": self.accuracy_interval and list(self.accuracy_interval),
        }
        head: dict[str, Any] = {name: values.pop(name) for name in ("number", "state", "pareto")}
        rest = {name: values[name] for name in values if name not in ("precision", "setting")}
        return head | point | rest

    def costing(self, ms_features: float, machine: str) -> Row:
        """The same row with another cost of its features."""
        return replace(
            self,
            ms_features=ms_features,
            ms_per_clip=round(ms_features + (self.ms_head or 0.0), 4),
            machine=machine,
        )


def plain_fold(fold: FoldResult) -> dict[str, Any]:
    """A fold as plain values; `FoldResult(**...)` makes it again."""
    return {"fold": fold.fold, "accuracy": fold.accuracy, "videos": fold.videos}


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Complete rows by accuracy, the best first and marked where Pareto-optimal, then the others.

    Of equal accuracy the cheaper row comes first.
    """
    complete = [row for row in rows if row.state == "complete"]
    front = pareto_front(
        [row.ms_per_clip or 0.0 for row in complete],
        [row.accuracy_mean or 0.0 for row in complete],
    )
    marked = [replace(row, pareto=best) for row, best in zip(complete, front, strict=True)]
    marked.sort(key=lambda row: (-(row.accuracy_mean or 0.0), row.ms_per_clip or 0.0))
    rest = sorted((row for row in rows if row.state != "complete"), key=lambda row: row.number)
    return marked + [row for state in ("pruned", "failed") for row in rest if row.state == state]


def honest_accuracy(rows: Sequence[Row]) -> float | None:
    """`accuracy_of_choosing` among the complete rows; None where their folds differ."""
    # In the order of trials, so that of two that are equal no hindsight chooses.
    complete = sorted((row for row in rows if row.state == "complete"), key=lambda row: row.number)
    if len({tuple(fold.fold for fold in row.folds) for row in complete}) != 1:
        return None
    return accuracy_of_choosing(
        np.array([[fold.accuracy for fold in row.folds] for row in complete])
    )


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
