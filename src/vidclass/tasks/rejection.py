"""Refusing to answer: the probability below which a clip counts as unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

# The share of right answers that a threshold keeps, unless a precision was asked for.
KEEP = 0.95


@dataclass(frozen=True)
class Rejection:
    """What refusing to answer below a probability costs and brings.

    Attributes:
        unknown_below: The threshold on the highest probability; None where folds have their own.
        videos: Clips of known classes.
        accepted: How many of them are answered.
        coverage: That share.
        accuracy_on_accepted: Share of right answers among those; None without any.
        unknown_videos: Clips of classes that the classifier does not know.
        unknown_rejected: Share of these that are rightly refused; None without any.
        auroc: Chance that a clip of a known class has a higher top probability than one of an
            unknown class (the measure of Hendrycks and Gimpel 2017); None without both.
    """

    unknown_below: float | None
    videos: int
    accepted: int
    coverage: float
    accuracy_on_accepted: float | None
    unknown_videos: int = 0
    unknown_rejected: float | None = None
    auroc: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, by name."""
        return dict(self.__dict__)


def threshold_keeping(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], *, keep: float = KEEP
) -> float | None:
    """The highest threshold that keeps at least this share of the right answers.

    The highest probability of a softmax as a sign of what a classifier does not know is the
    baseline of Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and
    Out-of-Distribution Examples in Neural Networks" (ICLR 2017); to keep 95 % of what is right is
    the working point at which later work compares (Liang, Li and Srikant, ICLR 2018).

    Args:
        probabilities: (N,K), of clips that the classifier has not learned from.
        truth: (N,), their classes.
        keep: The share.

    Returns:
        The threshold, or None where no answer is right.
    """
    right = np.sort(probabilities.max(1)[probabilities.argmax(1) == truth])
    if not len(right):
        return None
    # The small term: 0.05 * 20 is 1, though floats make it a little less.
    return float(right[int((1 - keep) * len(right) + 1e-9)])


def threshold_for_precision(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], *, precision: float
) -> float | None:
    """The lowest threshold from which at least this share of the answers is right.

    Nothing is promised for other clips: selective classification with a bound on its risk (Geifman
    and El-Yaniv, NeurIPS 2017) takes many more clips than a validation set mostly has.

    Args:
        probabilities: (N,K), of clips that the classifier has not learned from.
        truth: (N,), their classes.
        precision: The share.

    Returns:
        The threshold, or None where there is none.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    for threshold in np.unique(confidence):
        if right[confidence >= threshold].mean() >= precision:
            return float(threshold)
    return None


def measure_rejection(
    probabilities: NDArray[np.floating],
    truth: NDArray[np.integer],
    accepted: NDArray[np.bool_],
    *,
    unknown_below: float | None,
    unknown: NDArray[np.floating] | None = None,
) -> Rejection:
    """Coverage and accuracy of clips (N,K) of known classes (N,), of which some are accepted (N,).

    Args:
        probabilities: Of clips of known classes, at least one.
        truth: Their classes.
        accepted: Whether they are answered.
        unknown_below: The threshold.
        unknown: (M,K), probabilities of clips of classes that the classifier does not know.
    """
    right = (probabilities.argmax(1) == truth)[accepted]
    known = probabilities.max(1)
    other = np.zeros(0) if unknown is None else unknown.max(1)
    return Rejection(
        unknown_below=unknown_below,
        videos=len(truth),
        accepted=int(accepted.sum()),
        coverage=float(accepted.mean()),
        accuracy_on_accepted=float(right.mean()) if len(right) else None,
        unknown_videos=len(other),
        unknown_rejected=float((other < (unknown_below or 0.0)).mean()) if len(other) else None,
        auroc=_auroc(known, other) if len(other) else None,
    )


def _auroc(known: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    truth = np.repeat([1, 0], [len(known), len(other)])
    return float(roc_auc_score(truth, np.concatenate([known, other])))
