"""Result of a sweep: its rows, their ranking and Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidclass.sweeping.config import Point, SweepConfig, SweepSpace
from vidclass.training.out_of_fold import FoldScore
from vidclass.types import Failure

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Row:
    """One trial: a combination and its scores.

    Attributes:
        number: Number of the trial.
        state: `complete`; `pruned`: ended early, clearly worse; `failed`: `reason` says why.
        point: The combination, with its size in pixels.
        folds: Results of the finished folds.
        accuracy_mean: Mean of the folds' accuracies; the next five are None unless complete.
        accuracy_std: Standard deviation of the folds' accuracies.
        accuracy: Accuracy over all clips.
        accuracy_interval: 95 % interval of that accuracy.
        videos: Number of clips in the score.
        failed: Number of clips that could not be read, and are in no score.
        ms_per_clip: Milliseconds per clip for decoding, backbone and head.
        ms_features: Milliseconds for decoding and backbone; measured side by side if complete.
        ms_head: Milliseconds for the head.
        head_parameters: Number of trainable parameters of the head.
        head_multiplications: Multiplications by weights in the head, for one clip.
        training_s: Seconds to train the heads of all folds on stored features.
        precision: The precision that `auto` chose on this machine.
        setting: Fingerprint of the feature settings.
        route: Runtime of the backbone.
        machine: Processor on which the cost was measured.
        reason: Why the trial was pruned or failed.
        pareto: No other row is as good for less, or better for as little.
        command: Command line that trains a classifier of this row.
    """

    number: int
    state: State
    point: Point
    folds: tuple[FoldScore, ...] = ()
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
    def from_trial(cls, number: int, state: State, point: Point, saved: Mapping[str, Any]) -> Row:
        """Return the row of a stored trial; values that are no field of a row are ignored."""
        names = set(cls.__dataclass_fields__) - {"number", "state", "point"}
        values = {name: saved[name] for name in names & set(saved)}
        values["folds"] = tuple(FoldScore(**fold) for fold in saved.get("folds", ()))
        if values.get("accuracy_interval") is not None:
            low, high = values["accuracy_interval"]
            values["accuracy_interval"] = (low, high)
        return cls(number, state, point.resolved(), **values)

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain values by name."""
        values = {name: value for name, value in self.__dict__.items() if name != "point"}
        point = self.point.values() | {"precision": self.precision or self.point.precision}
        values |= {
            "folds": [asdict(fold) for fold in self.folds],
            "accuracy_interval": self.accuracy_interval and list(self.accuracy_interval),
        }
        first: dict[str, Any] = {name: values.pop(name) for name in ("number", "state", "pareto")}
        rest = {name: values[name] for name in values if name not in ("precision", "setting")}
        return first | point | rest

    def with_cost(self, ms_features: float, machine: str) -> Row:
        """Return the same row with another cost of its features."""
        return replace(
            self,
            ms_features=ms_features,
            ms_per_clip=round(ms_features + (self.ms_head or 0.0), 4),
            machine=machine,
        )


@dataclass(frozen=True)
class SweepResult:
    """Result of a sweep.

    Attributes:
        folder: Folder of the sweep.
        space: The combinations.
        config: Search settings.
        rows: The finished trials: complete ones by accuracy, then the pruned, then the failed.
        failures: The clips that could not be read in this call.
        videos: Number of clips to read; None if no trial was left to run.
        notes: Remarks for the user, as sentences.
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
        """Row of the highest accuracy."""
        return next((row for row in self.rows if row.state == "complete"), None)

    @property
    def accuracy_of_choosing(self) -> float | None:
        """Nested cross-validation accuracy of the best row; None if the rows' folds differ."""
        complete = [row for row in self.rows if row.state == "complete"]
        # By trial number, so that the tie of two equal rows is not broken by hindsight.
        complete.sort(key=lambda row: row.number)
        if len({tuple(fold.fold for fold in row.folds) for row in complete}) != 1:
            return None
        return accuracy_of_choosing(
            np.array([[fold.accuracy for fold in row.folds] for row in complete])
        )


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Return complete rows by accuracy with Pareto-optimal ones marked, then all others.

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


def pareto_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[bool]:
    """Return for each trial whether no other is as good for less, or better for as little.

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
    """Return the nested cross-validation accuracy of choosing the best trial.

    For each fold, the trial that is best on the other folds is scored on that fold.  The best row
    of a table is chosen on the very folds it is scored on, which is optimistic; this is not.
    (Every head of it did learn from the other folds, so it is an estimate in the manner of nested
    cross-validation: Varma and Simon, BMC Bioinformatics 2006.)

    Args:
        accuracies: (N,K) of N trials on the same K folds.

    Returns:
        The mean over folds; None for fewer than two trials or folds.

    >>> accuracy_of_choosing(np.array([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    trials, folds = accuracies.shape
    if trials < 2 or folds < 2:
        return None
    others = accuracies.sum(1, keepdims=True) - accuracies  # (N,K): the other folds of each fold
    chosen = others.argmax(0)
    return float(accuracies[chosen, np.arange(folds)].mean())
