"""Numbers about predictions of several labels a clip: pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from vidclass.errors import ShapeError
from vidclass.tasks.answers import DEFAULT_THRESHOLD
from vidclass.tasks.label_scheme import Kind
from vidclass.tasks.metrics import Metrics, calibration_error

# A threshold that rests on fewer clips with the class would be one clip's whim.
MIN_POSITIVES = 5


@dataclass(frozen=True)
class MultiLabelMetrics(Metrics):
    """How good named labels are, over `videos` clips.

    `accuracy` is `exact_match`; `top5_accuracy` the share of clips with a label of which one is
    among the five most probable; `macro_f1` averages over the classes that occur; `ece` looks at
    every class of every clip; `confusion` is empty, for there is none.

    Attributes:
        exact_match: Share of clips of which all labels are named, and no other.
        label_accuracy: Share of clips whose first named label is true, or of which rightly none is
            named: what `accuracy` is for clips of one label.
        mean_average_precision: Of the classes' average precisions; None where no class occurs.
        micro_f1: F1 over all labels of all clips together.
        average_precision: By class (scikit-learn's, without interpolation); None where it does not
            occur.
        thresholds: By class, those that labels were named with; empty where they differ by fold.
        none_of_these: Precision, recall, F1 and number of clips of none of the classes, if such
            clips were learnt from.
    """

    task: Kind = "multi-label"
    exact_match: float = 0.0
    label_accuracy: float = 0.0
    mean_average_precision: float | None = None
    micro_f1: float = 0.0
    average_precision: dict[str, float | None] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    none_of_these: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """The stable JSON shape: what is by class stands in `per_class`."""
        values = super().to_json()
        values["per_class"] = {
            label: {
                **row,
                "average_precision": self.average_precision[label],
                "threshold": self.thresholds.get(label),
            }
            for label, row in self.per_class.items()
        }
        return {
            name: value
            for name, value in values.items()
            if name not in ("average_precision", "thresholds")
            and not (name == "none_of_these" and value is None)
        }


def multilabel_metrics(
    probabilities: NDArray[np.floating],
    truth: NDArray[np.floating],
    labels: Sequence[str],
    *,
    chosen: NDArray[np.bool_],
    thresholds: Sequence[float] = (),
    with_none: bool = False,
    lost: Mapping[str, Any] | None = None,
) -> MultiLabelMetrics:
    """Metrics of probabilities (N,K) and named labels (N,K) against true ones (N,K).

    Args:
        probabilities: Each class's own.
        truth: 1 for the classes of each clip.
        labels: The K classes.
        chosen: The classes that are named of each clip.
        thresholds: (K,) those they were named with.
        with_none: Tell how well clips of none of the classes are found.
        lost: `failed` and `failed_by_class`.

    Raises:
        ShapeError: the arrays do not fit one another or the labels, or hold no clip.
    """
    shape = (len(truth), len(labels))
    if not probabilities.shape == truth.shape == chosen.shape == shape or len(truth) == 0:
        raise ShapeError(
            f"probabilities {probabilities.shape}, truth {truth.shape} and chosen {chosen.shape} "
            f"for {len(labels)} labels"
        )
    true = truth > 0
    exact = (chosen == true).all(1)
    interval = binomtest(int(exact.sum()), len(truth)).proportion_ci(method="wilson")
    per_class, macro_f1 = _by_class(true, chosen, labels)
    average = _average_precisions(probabilities, true)
    measured = [value for value in average if value is not None]
    return MultiLabelMetrics(
        accuracy=float(exact.mean()),
        accuracy_interval=(float(interval.low), float(interval.high)),
        top5_accuracy=_top_share(probabilities, true, 5),
        macro_f1=macro_f1,
        ece=calibration_error(probabilities.ravel(), true.ravel()),
        videos=len(truth),
        per_class=per_class,
        confusion=[],
        labels=list(labels),
        exact_match=float(exact.mean()),
        label_accuracy=float(_first_is_right(probabilities, true, chosen).mean()),
        mean_average_precision=float(np.mean(measured)) if measured else None,
        micro_f1=_f1(true.ravel(), chosen.ravel())["f1"],
        average_precision=dict(zip(labels, average, strict=True)),
        thresholds=dict(zip(labels, thresholds, strict=True)) if len(thresholds) else {},
        none_of_these=_f1(_empty(true), _empty(chosen)) if with_none else None,
        **(lost or {"failed": 0}),
    )


def best_thresholds(
    probabilities: NDArray[np.floating], truth: NDArray[np.floating]
) -> tuple[float, ...]:
    """For each class the threshold with the highest F1 on these clips, the validation clips.

    Lies half-way between the two probabilities that it parts; of equally good ones, the nearest to
    0.5.  A class of which there are fewer than `MIN_POSITIVES` clips, with or without it, has 0.5.
    F1 is highest where labels are named by a threshold on their probability (Lipton, Elkan and
    Narayanaswamy, "Optimal Thresholding of Classifiers to Maximize F1 Measure", 2014).

    Args:
        probabilities: (N,K).
        truth: (N,K), 1 for the classes of each clip.
    """
    return tuple(
        _best_threshold(probabilities[:, k], truth[:, k] > 0) for k in range(truth.shape[1])
    )


def _best_threshold(probabilities: NDArray[np.floating], true: NDArray[np.bool_]) -> float:
    if min(true.sum(), (~true).sum()) < MIN_POSITIVES:
        return DEFAULT_THRESHOLD
    values, place = np.unique(probabilities, return_inverse=True)
    # Of the clips at or above each value: how many there are, and how many of them are true.
    named = np.bincount(place)[::-1].cumsum()[::-1]
    right = np.bincount(place, weights=true)[::-1].cumsum()[::-1]
    f1 = 2 * right / (named + true.sum())
    below = np.concatenate([[0.0], values[:-1]])
    middles = (values + below) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middles[best[np.abs(middles[best] - DEFAULT_THRESHOLD).argmin()]])


def _by_class(
    true: NDArray[np.bool_], chosen: NDArray[np.bool_], labels: Sequence[str]
) -> tuple[dict[str, dict[str, float]], float]:
    rows = {label: _f1(true[:, k], chosen[:, k]) for k, label in enumerate(labels)}
    occurring = [row["f1"] for row in rows.values() if row["videos"]]
    return rows, float(np.mean(occurring)) if occurring else 0.0


def _empty(labels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether a clip has none of the labels, (N,K)."""
    return np.asarray(~labels.any(axis=1), np.bool_)


def _f1(true: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> dict[str, float]:
    precision, recall, f1, _ = precision_recall_fscore_support(
        true, chosen, average="binary", zero_division=0
    )
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "videos": int(true.sum()),
    }


def _average_precisions(
    probabilities: NDArray[np.floating], true: NDArray[np.bool_]
) -> list[float | None]:
    return [
        float(average_precision_score(own, scores)) if own.any() else None
        for own, scores in zip(true.T, probabilities.T, strict=True)
    ]


def _first_is_right(
    probabilities: NDArray[np.floating], true: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    first = np.where(chosen, probabilities, -1.0).argmax(1)
    named = np.take_along_axis(true, first[:, None], axis=1)[:, 0]
    return np.where(chosen.any(1), named, ~true.any(1))


def _top_share(probabilities: NDArray[np.floating], true: NDArray[np.bool_], count: int) -> float:
    labelled = true.any(1)
    if not labelled.any():
        return 0.0
    best = np.argsort(-probabilities[labelled], axis=1, kind="stable")[:, :count]
    return float(np.take_along_axis(true[labelled], best, axis=1).any(1).mean())
