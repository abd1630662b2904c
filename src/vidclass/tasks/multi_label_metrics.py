"""Metrics of several classes a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import percent
from vidclass.errors import ShapeError
from vidclass.tasks.metrics import Metrics, calibration_error, wilson_interval

if TYPE_CHECKING:
    from vidclass.features.failures import FailureMetrics


@dataclass(frozen=True)
class MultiLabelMetrics(Metrics):
    """Metrics of assigned classes.

    `accuracy` is the exact-match ratio; `macro_f1` averages over the classes that occur; `ece` is
    over every class of every clip; `top5_accuracy` over the clips with a class.

    Attributes:
        label_accuracy: Share of clips whose most probable assigned class is true, or that
            correctly have none: comparable to the accuracy of single-label clips.
        mean_average_precision: Mean over the classes that occur; None if none does.
        micro_f1: F1 over all classes of all clips together.
        average_precision: By class (scikit-learn's, without interpolation); None where the class
            does not occur.
        thresholds: By class, the probability from which it was assigned; empty if folds have
            their own.
        none_of_these: Precision, recall, F1 and number of clips of none of the classes, if the
            classifier was trained on such clips.
    """

    label_accuracy: float
    mean_average_precision: float | None
    micro_f1: float
    average_precision: dict[str, float | None]
    thresholds: dict[str, float]
    none_of_these: dict[str, float] | None = None

    class_columns: ClassVar[tuple[str, ...]] = ("AP", "threshold", "precision", "recall", "F1")

    @property
    def exact_match(self) -> float:
        """Share of clips all of whose classes are assigned, and no other."""
        return self.accuracy

    def class_cells(self, label: str) -> list[str]:
        """Return average precision, threshold, precision, recall and F1."""
        threshold = self.thresholds.get(label)
        return [
            percent(self.average_precision[label]),
            "by fold" if threshold is None else f"{threshold:.2f}",
            *(percent(self.per_class[label][name]) for name in ("precision", "recall", "f1")),
        ]

    def task_json(self) -> dict[str, Any]:
        """Return the figures of several classes a clip; those by class go into `per_class`."""
        none = {} if self.none_of_these is None else {"none_of_these": self.none_of_these}
        return {
            "task": "multi-label",
            "exact_match": self.exact_match,
            **self.fold_json(),
            "per_class": {
                label: {
                    **figures,
                    "average_precision": self.average_precision[label],
                    "threshold": self.thresholds.get(label),
                }
                for label, figures in self.per_class.items()
            },
            **none,
        }

    def fold_json(self) -> dict[str, Any]:
        """Return mean average precision, micro and macro F1, and label accuracy."""
        names = ("mean_average_precision", "micro_f1", "macro_f1", "label_accuracy")
        return {name: getattr(self, name) for name in names}

    def pooled_json(self, folds: Sequence[Self]) -> dict[str, Any]:
        """Return the figures of a fold, the spread of average precision, and those by class."""
        precisions = [fold.mean_average_precision for fold in folds]
        values = [value for value in precisions if value is not None]
        json = self.task_json()
        return {
            **self.fold_json(),
            "mean_average_precision_mean": float(np.mean(values)) if values else None,
            "mean_average_precision_std": float(np.std(values)) if values else None,
            **{name: json[name] for name in ("task", "per_class")},
        }

    def fold_cells(self) -> dict[str, str]:
        """Return exact match and mean average precision."""
        return {
            "all labels right": percent(self.exact_match),
            "mAP": percent(self.mean_average_precision),
        }

    def figures(self) -> dict[str, str]:
        """Return average precision, F1, exact match with its interval, and calibration error."""
        low, high = self.accuracy_interval
        return {
            "mean average precision": percent(self.mean_average_precision),
            "micro F1": percent(self.micro_f1),
            "macro F1": percent(self.macro_f1),
            "all labels right": percent(self.exact_match),
            "95 % interval of that": f"{percent(low)} – {percent(high)}",
            "first label right": percent(self.label_accuracy),
            "calibration error": f"{self.ece:.3f}",
        }

    def summary(self) -> str:
        """Return average precision, F1, exact match and label accuracy."""
        return (
            f"mAP {percent(self.mean_average_precision)}, F1 {percent(self.micro_f1)} (micro) and "
            f"{percent(self.macro_f1)} (macro), all labels right {percent(self.exact_match)} "
            f"({self.interval_text}), first label right {percent(self.label_accuracy)} "
            f"on {self.clips_text}"
        )

    def details(self) -> list[str]:
        """Return how well clips of none of the classes are recognised."""
        none = self.none_of_these
        if none is None:
            return []
        return [
            f"none of these: precision {percent(none['precision'])}, recall "
            f"{percent(none['recall'])}, F1 {percent(none['f1'])} on {int(none['videos'])} clips"
        ]


def multi_label_metrics(
    probabilities: NDArray[np.floating],
    y_true: NDArray[np.floating],
    labels: Sequence[str],
    *,
    assigned: NDArray[np.bool_],
    thresholds: Sequence[float] = (),
    with_none: bool = False,
    failures: FailureMetrics | None = None,
) -> MultiLabelMetrics:
    """Return metrics of assigned classes (N,K) and probabilities (N,K) against targets (N,K).

    Args:
        probabilities: Class probabilities.
        y_true: Targets, 1 for the classes of each clip.
        labels: The K classes.
        assigned: Classes that are assigned to each clip.
        thresholds: Thresholds (K,) by which they were assigned; empty if folds have their own.
        with_none: Measure how well clips of none of the classes are recognised.
        failures: Counts of clips that failed.

    Raises:
        ShapeError: the arrays do not fit one another or the labels, or hold no clip.
    """
    shape = (len(y_true), len(labels))
    if not probabilities.shape == y_true.shape == assigned.shape == shape or len(y_true) == 0:
        raise ShapeError(
            f"probabilities {probabilities.shape}, targets {y_true.shape} and assigned "
            f"{assigned.shape} for {len(labels)} labels"
        )
    positive = y_true > 0
    exact = (assigned == positive).all(1)
    per_class = {label: _f1(positive[:, k], assigned[:, k]) for k, label in enumerate(labels)}
    occurring = [figures["f1"] for figures in per_class.values() if figures["videos"]]
    precisions = _average_precisions(probabilities, positive)
    measured = [value for value in precisions if value is not None]
    return MultiLabelMetrics(
        accuracy=float(exact.mean()),
        accuracy_interval=wilson_interval(exact),
        top5_accuracy=_top_share(probabilities, positive, 5),
        macro_f1=float(np.mean(occurring)) if occurring else 0.0,
        ece=calibration_error(probabilities.ravel(), positive.ravel()),
        videos=len(y_true),
        per_class=per_class,
        confusion=[],
        labels=list(labels),
        label_accuracy=float(_first_is_right(probabilities, positive, assigned).mean()),
        mean_average_precision=float(np.mean(measured)) if measured else None,
        micro_f1=_f1(positive.ravel(), assigned.ravel())["f1"],
        average_precision=dict(zip(labels, precisions, strict=True)),
        thresholds=dict(zip(labels, thresholds, strict=True)) if len(thresholds) else {},
        none_of_these=_f1(_has_none(positive), _has_none(assigned)) if with_none else None,
        **(failures or {"failed": 0}),
    )


def _has_none(classes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(~classes.any(axis=1), np.bool_)


def _f1(positive: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> dict[str, float]:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        positive, predicted, average="binary", zero_division=0
    )
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "videos": int(positive.sum()),
    }


def _average_precisions(
    probabilities: NDArray[np.floating], positive: NDArray[np.bool_]
) -> list[float | None]:
    from sklearn.metrics import average_precision_score

    return [
        float(average_precision_score(own, scores)) if own.any() else None
        for own, scores in zip(positive.T, probabilities.T, strict=True)
    ]


def _first_is_right(
    probabilities: NDArray[np.floating],
    positive: NDArray[np.bool_],
    assigned: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    first = np.where(assigned, probabilities, -1.0).argmax(1)
    correct = np.take_along_axis(positive, first[:, None], axis=1)[:, 0]
    return np.where(assigned.any(1), correct, ~positive.any(1))


def _top_share(
    probabilities: NDArray[np.floating], positive: NDArray[np.bool_], count: int
) -> float:
    labelled = positive.any(1)
    if not labelled.any():
        return 0.0
    best = np.argsort(-probabilities[labelled], axis=1, kind="stable")[:, :count]
    return float(np.take_along_axis(positive[labelled], best, axis=1).any(1).mean())
