"""Sample rows and points of sweeps."""

from __future__ import annotations

from typing import Any

from vidclass.sweeping.config import Point
from vidclass.sweeping.result import Row, State
from vidclass.training.out_of_fold import FoldScore


def point(**changes: Any) -> Point:
    values = {
        "backbone": "efficientnet_lite0",
        "frames": 8,
        "size": "own",
        "head": "mean",
        "sampling": "uniform",
        "crop": "centre",
        "precision": "auto",
    }
    return Point.from_values(values | changes)


def folds(*accuracies: float, videos: int = 50) -> tuple[FoldScore, ...]:
    return tuple(FoldScore(fold, accuracy, videos) for fold, accuracy in enumerate(accuracies))


def row(
    number: int, accuracy: float, ms: float, *, state: State = "complete", **changes: Any
) -> Row:
    """Return a row with two folds, complete by default."""
    if state == "failed":
        return Row(number, state, point(**changes).resolved(), reason="ConfigError: no")
    if state == "pruned":
        return Row(
            number,
            state,
            point(**changes).resolved(),
            folds(accuracy),
            ms_per_clip=ms,
            reason="clearly worse",
        )
    return Row(
        number,
        state,
        point(**changes).resolved(),
        folds(accuracy - 0.02, accuracy + 0.02),
        accuracy,
        0.02,
        accuracy,
        (accuracy - 0.1, accuracy + 0.08),
        100,
        0,
        ms,
        ms - 0.5,
        0.5,
        100,
        1000,
        3.0,
        "bf16",
        "openvino",
        "a processor",
    )
