"""Numbers about predictions: pure arithmetic on probabilities and true classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from vidclass.errors import ShapeError
from vidclass.tasks.label_scheme import Kind
from vidclass.tasks.rejection import Rejection

SCHEMA = 1
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Metrics:
    """How good a set of predictions is, over `videos` clips; `failed` further ones are in no score.

    Attributes:
        accuracy: Share of clips whose first choice is right.
        accuracy_interval: 95 % interval of that share (Wilson), taking clips as independent.
        top5_accuracy: Share of clips whose class is among the first five choices.
        macro_f1: F1 averaged over the classes that occur.
        ece: Expected calibration error over ten bins of confidence.
        failed_by_class: How many of the failed clips each label has, where any failed.
        per_class: Precision, recall, F1 and number of clips, by label.
        confusion: Rows are true classes, columns predicted ones, in the order of `labels`.
        rejection: What answering `unknown` would do, if the classifier has a threshold for that.
        task: The kind of labels; JSON has it where it is not `single-label`.
    """

    accuracy: float
    accuracy_interval: tuple[float, float]
    top5_accuracy: float
    macro_f1: float
    ece: float
    videos: int
    failed: int
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]
    labels: list[str]
    failed_by_class: dict[str, int] = field(default_factory=dict)
    rejection: Rejection | None = None
    task: Kind = "single-label"

    @property
    def unscored(self) -> list[str]:
        """The classes that are not among `labels`, all of their clips having failed."""
        return [label for label in self.failed_by_class if label not in self.per_class]

    @property
    def left_out(self) -> list[str]:
        """The classes whose clips have all failed."""
        return [
            label
            for label in self.failed_by_class
            if label in self.unscored or not self.per_class[label]["videos"]
        ]

    def to_json(self) -> dict[str, Any]:
        """The stable JSON shape, plain values only."""
        values = {
            "schema": SCHEMA,
            **self.__dict__,
            "accuracy_interval": list(self.accuracy_interval),
            "rejection": self.rejection and self.rejection.to_json(),
        }
        # What came later is written only where it says something: plain ones stay as they were.
        if self.rejection is None:
            del values["rejection"]
        if self.task == "single-label":
            del values["task"]
        return values


def compute_metrics(
    probabilities: NDArray[np.floating],
    truth: NDArray[np.integer],
    labels: Sequence[str],
    *,
    failed: int = 0,
    failed_by_class: Mapping[str, int] | None = None,
) -> Metrics:
    """Metrics of probabilities (N,K) against true class indices (N,); what `failed` is in no score.

    Raises:
        ShapeError: the arrays do not fit one another or the labels, or hold no clip.
    """
    if probabilities.shape != (len(truth), len(labels)) or len(truth) == 0:
        raise ShapeError(
            f"probabilities {probabilities.shape} for {len(truth)} clips and {len(labels)} labels"
        )
    predicted = probabilities.argmax(1)
    right = predicted == truth
    classes = np.arange(len(labels))
    precision, recall, f1, count = precision_recall_fscore_support(
        truth, predicted, labels=classes, zero_division=0
    )
    interval = binomtest(int(right.sum()), len(truth)).proportion_ci(method="wilson")
    return Metrics(
        accuracy=float(right.mean()),
        accuracy_interval=(float(interval.low), float(interval.high)),
        top5_accuracy=_top_accuracy(probabilities, truth, 5),
        macro_f1=float(f1[count > 0].mean()),
        ece=calibration_error(probabilities.max(1), right),
        videos=len(truth),
        failed=failed,
        per_class={
            label: {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "videos": int(count[index]),
            }
            for index, label in enumerate(labels)
        },
        confusion=confusion_matrix(truth, predicted, labels=classes).tolist(),
        labels=list(labels),
        failed_by_class=dict(failed_by_class or {}),
    )


def _top_accuracy(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], count: int
) -> float:
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return float((best == truth[:, None]).any(1).mean())


def calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Expected calibration error (Guo et al., 2017): mean gap of confidence and accuracy by bin.

    Args:
        confidence: (N,) probabilities of the first choices.
        right: (N,) whether those choices are right.
    """
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        abs(confidence[bins == index].mean() - right[bins == index].mean()) * (bins == index).mean()
        for index in np.unique(bins)
    ]
    return float(sum(gaps))
