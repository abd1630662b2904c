"""Out-of-fold predictions: each clip's by a classifier that was trained on the other folds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.features.failures import FailureMetrics
from vidclass.tasks.base import LabelTask
from vidclass.tasks.metrics import Metrics
from vidclass.training.head_selection import HeadChoice


@dataclass(frozen=True)
class FoldScore:
    """Accuracy of a classifier on the clips of one fold."""

    fold: int
    accuracy: float
    videos: int


@dataclass(frozen=True)
class FoldResult:
    """Metrics of a classifier on one fold, trained on the others.

    Attributes:
        fold: Number of the fold.
        metrics: Metrics on its clips.
        choices: The chosen heads of each view; empty unless heads are compared.
    """

    fold: int
    metrics: Metrics
    choices: tuple[HeadChoice, ...] = ()

    @property
    def score(self) -> FoldScore:
        """Accuracy and number of clips alone."""
        return FoldScore(self.fold, self.metrics.accuracy, self.metrics.videos)

    @property
    def heads(self) -> str:
        """The chosen heads, view by view."""
        return ", ".join(choice.name for choice in self.choices)

    def to_json(self) -> dict[str, Any]:
        """Return the stable JSON shape."""
        heads = {"heads": self.heads} if self.choices else {}
        return {**asdict(self.score), **self.metrics.fold_json(), **heads}


class OutOfFold:
    """Collect the probabilities (N,K) of every fold."""

    def __init__(self, task: LabelTask, y_true: NDArray[Any]) -> None:
        self._task, self._y_true = task, y_true
        self.probabilities = np.zeros((len(y_true), len(task.labels)))
        self._folds: list[tuple[LabelTask, NDArray[np.bool_]]] = []

    def add(
        self,
        fold: int,
        inside: NDArray[np.bool_],
        task: LabelTask,
        probabilities: NDArray[np.float64],
        *,
        choices: tuple[HeadChoice, ...] = (),
    ) -> FoldResult:
        """Add the probabilities of the clips inside a fold, with the fold's calibrated task."""
        self.probabilities[inside] = probabilities
        self._folds.append((task, inside))
        return FoldResult(fold, task.metrics(probabilities, self._y_true[inside]), choices)

    def pooled(self, failures: FailureMetrics) -> Metrics:
        """Return metrics over the clips of all folds."""
        return self._task.pooled_metrics(
            self.probabilities, self._y_true, self._folds, failures=failures
        )
