"""One row of the table: a combination, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from vidclass.sweeping.pareto import accuracy_of_choosing, pareto_front
from vidclass.sweeping.space import Point
from vidclass.training.out_of_fold import FoldResult

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
