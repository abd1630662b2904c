"""Metrics of predictions: what all tasks have in common, and those of one class a clip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import percent
from vidclass.errors import ShapeError
from vidclass.tasks.rejection import Rejection

if TYPE_CHECKING:
    from vidclass.features.failures import FailureMetrics

SCHEMA = 1
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Metrics(ABC):
    """Metrics over `videos` clips; `failed` further ones are in no score.

    Attributes:
        accuracy: Share of clips that are right.
        accuracy_interval: 95 % interval of that share (Wilson), taking clips as independent.
        top5_accuracy: Share of clips with a true class among the five most probable.
        macro_f1: F1 averaged over the classes that occur.
        ece: Expected calibration error over ten bins of confidence.
        per_class: Precision, recall, F1 and number of clips, by label.
        confusion: Rows are true classes, columns predicted ones, in the order of `labels`; empty
            where a clip may have several classes.
        failed_by_class: Number of failed clips by label, for labels with any.
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
    failed_by_class: dict[str, int] = field(default_factory=dict, kw_only=True)

    class_columns: ClassVar[tuple[str, ...]]

    @property
    def unscored(self) -> list[str]:
        """Classes that are not among `labels`, since all of their clips failed."""
        return [label for label in self.failed_by_class if label not in self.per_class]

    @property
    def left_out(self) -> list[str]:
        """Classes all of whose clips failed."""
        return [
            label
            for label in self.failed_by_class
            if label in self.unscored or not self.per_class[label]["videos"]
        ]

    @property
    def interval_text(self) -> str:
        """The 95 % interval in words."""
        low, high = self.accuracy_interval
        return f"95 % interval {percent(low)} to {percent(high)}"

    @property
    def clips_text(self) -> str:
        """Number of clips, and of failed ones, in words."""
        return f"{self.videos} clips" + (f"; {self.failed} more failed" if self.failed else "")

    def to_json(self) -> dict[str, Any]:
        """Return the stable JSON shape, plain values only."""
        common = {each.name: getattr(self, each.name) for each in fields(Metrics)}
        interval = {"accuracy_interval": list(self.accuracy_interval)}
        return {"schema": SCHEMA, **common, **interval, **self.task_json()}

    def class_table(self) -> tuple[list[str], list[list[str]]]:
        """Return header and rows, as text, of a table by class; failed clips only if any."""
        failed = self.failed_by_class
        header = ["class", "clips", *(["failed"] if failed else []), *self.class_columns]
        rows = [
            [label, str(int(figures["videos"]))]
            + ([str(failed.get(label, 0))] if failed else [])
            + self.class_cells(label)
            for label, figures in self.per_class.items()
        ]
        blank = [""] * len(self.class_columns)
        return header, rows + [[label, "0", str(failed[label]), *blank] for label in self.unscored]

    @abstractmethod
    def class_cells(self, label: str) -> list[str]:
        """Return the figures of a class, as text, for `class_columns`."""

    @abstractmethod
    def task_json(self) -> dict[str, Any]:
        """Return the JSON keys that only metrics of this task have."""

    @abstractmethod
    def fold_json(self) -> dict[str, Any]:
        """Return the figures beyond accuracy that summarise one fold."""

    @abstractmethod
    def pooled_json(self, folds: Sequence[Self]) -> dict[str, Any]:
        """Return the further figures of a cross-validation, given the metrics of its folds."""

    @abstractmethod
    def fold_cells(self) -> dict[str, str]:
        """Return the headline figures of a fold, as text by column name."""

    @abstractmethod
    def figures(self) -> dict[str, str]:
        """Return the headline figures, as text by name."""

    @abstractmethod
    def summary(self) -> str:
        """Return the headline figures and the number of clips in one line."""

    @abstractmethod
    def details(self) -> list[str]:
        """Return lines of text with what the summary and the class table leave out."""


@dataclass(frozen=True)
class ExclusiveMetrics(Metrics):
    """Metrics of classes of which each clip has one; `accuracy` is that of the most probable."""

    class_columns: ClassVar[tuple[str, ...]] = ("precision", "recall", "F1")

    def class_cells(self, label: str) -> list[str]:
        """Return precision, recall and F1."""
        return [percent(self.per_class[label][name]) for name in ("precision", "recall", "f1")]

    def fold_cells(self) -> dict[str, str]:
        """Return the accuracy."""
        return {"accuracy": percent(self.accuracy)}

    def figures(self) -> dict[str, str]:
        """Return accuracy with its interval, macro F1, top-5 accuracy and calibration error."""
        low, high = self.accuracy_interval
        return {
            "accuracy": percent(self.accuracy),
            "95 % interval": f"{percent(low)} – {percent(high)}",
            "macro F1": percent(self.macro_f1),
            "top-5 accuracy": percent(self.top5_accuracy),
            "calibration error": f"{self.ece:.3f}",
        }

    def summary(self) -> str:
        """Return the accuracy with its interval."""
        return f"accuracy {percent(self.accuracy)} ({self.interval_text}) on {self.clips_text}"


@dataclass(frozen=True)
class SingleLabelMetrics(ExclusiveMetrics):
    """Metrics of one class a clip.

    Attributes:
        rejection: Effect of rejecting unknown clips, if the classifier has a threshold for that.
    """

    rejection: Rejection | None = None

    def task_json(self) -> dict[str, Any]:
        """Return `rejection`, if there is one."""
        return {} if self.rejection is None else {"rejection": self.rejection.to_json()}

    def fold_json(self) -> dict[str, Any]:
        """Return `rejection`, if there is one."""
        return self.task_json()

    def pooled_json(self, folds: Sequence[Self]) -> dict[str, Any]:
        """Return `rejection`, if there is one."""
        return self.task_json()

    def details(self) -> list[str]:
        """Return the effect of rejection, if there is one."""
        return [] if self.rejection is None else self.rejection.lines()


def single_label_metrics(
    probabilities: NDArray[np.floating],
    y_true: NDArray[np.integer],
    labels: Sequence[str],
    *,
    failures: FailureMetrics | None = None,
) -> SingleLabelMetrics:
    """Return metrics of probabilities (N,K) against class indices (N,).

    Raises:
        ShapeError: the arrays do not fit one another or the labels, or hold no clip.
    """
    return SingleLabelMetrics(**exclusive_metrics(probabilities, y_true, labels, failures))


def exclusive_metrics(
    probabilities: NDArray[np.floating],
    y_true: NDArray[np.integer],
    labels: Sequence[str],
    failures: FailureMetrics | None,
) -> dict[str, Any]:
    """Return the fields of `Metrics` for mutually exclusive classes.

    Raises:
        ShapeError: the arrays do not fit one another or the labels, or hold no clip.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    if probabilities.shape != (len(y_true), len(labels)) or len(y_true) == 0:
        raise ShapeError(
            f"probabilities {probabilities.shape} for {len(y_true)} clips and {len(labels)} labels"
        )
    predicted = probabilities.argmax(1)
    correct = predicted == y_true
    classes = np.arange(len(labels))
    precision, recall, f1, count = precision_recall_fscore_support(
        y_true, predicted, labels=classes, zero_division=0
    )
    return {
        "accuracy": float(correct.mean()),
        "accuracy_interval": wilson_interval(correct),
        "top5_accuracy": _top_accuracy(probabilities, y_true, 5),
        "macro_f1": float(f1[count > 0].mean()),
        "ece": calibration_error(probabilities.max(1), correct),
        "videos": len(y_true),
        "per_class": {
            label: {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "videos": int(count[index]),
            }
            for index, label in enumerate(labels)
        },
        "confusion": confusion_matrix(y_true, predicted, labels=classes).tolist(),
        "labels": list(labels),
        **(failures or {"failed": 0}),
    }


def wilson_interval(correct: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the 95 % interval (Wilson) of the share of correct ones among N, at least one."""
    from scipy.stats import binomtest

    interval = binomtest(int(correct.sum()), len(correct)).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def calibration_error(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Return expected calibration error (Guo et al. 2017): mean |confidence - accuracy| by bin.

    Args:
        confidence: Probabilities (N,) of the predictions.
        correct: Whether each prediction is correct, (N,).
    """
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        abs(confidence[bins == index].mean() - correct[bins == index].mean())
        * (bins == index).mean()
        for index in np.unique(bins)
    ]
    return float(sum(gaps))


def _top_accuracy(
    probabilities: NDArray[np.floating], y_true: NDArray[np.integer], count: int
) -> float:
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return float((best == y_true[:, None]).any(1).mean())
