"""Rejection of unknown clips: the probability below which a single-label decision is `unknown`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import percent

# Share of correct decisions that a threshold keeps, unless a precision is asked for.
KEEP = 0.95


@dataclass(frozen=True)
class Rejection:
    """Effect of rejecting clips below a probability.

    Attributes:
        unknown_below: Threshold on the highest probability; None if folds have their own.
        videos: Number of clips of classes that the classifier has.
        accepted: How many of them get a label.
        coverage: Their share.
        accuracy_on_accepted: Share of correct labels among those; None without any.
        unknown_videos: Number of clips of classes that the classifier does not have.
        unknown_rejected: Share of these that are rejected; None without any.
        auroc: Chance that a clip of a class of the classifier has a higher top probability than
            one of another class (the measure of Hendrycks and Gimpel 2017); None without both.
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
        """Return plain values, by name."""
        return dict(self.__dict__)

    def lines(self) -> list[str]:
        """Return the figures as lines of text."""
        below = "" if self.unknown_below is None else f" below {percent(self.unknown_below)}"
        lines = [
            f"unknown{below}: {self.accepted} of {self.videos} clips accepted "
            f"({percent(self.coverage)}), accuracy on these {percent(self.accuracy_on_accepted)}"
        ]
        if self.unknown_videos:
            lines.append(
                f"clips of other classes: {percent(self.unknown_rejected)} of "
                f"{self.unknown_videos} refused; AUROC of the highest probability {self.auroc:.3f}"
            )
        return lines


def threshold_keeping(
    probabilities: NDArray[np.floating], y_true: NDArray[np.integer], *, keep: float = KEEP
) -> float | None:
    """Return the highest threshold that keeps at least a share of the correct decisions.

    The maximum softmax probability as a score is the baseline of Hendrycks and Gimpel, "A Baseline
    for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks" (ICLR 2017);
    keeping 95 % of the correct ones is the working point at which later work compares (Liang, Li
    and Srikant, ICLR 2018).

    Args:
        probabilities: Probabilities (N,K) of clips that the classifier was not trained on.
        y_true: Their class indices (N,).
        keep: Share of correct decisions at or above the threshold.

    Returns:
        The threshold, or None if no decision is correct.
    """
    correct = np.sort(probabilities.max(1)[probabilities.argmax(1) == y_true])
    if not len(correct):
        return None
    # The small term: 0.05 * 20 is 1, though floats make it a little less.
    return float(correct[int((1 - keep) * len(correct) + 1e-9)])


def threshold_for_precision(
    probabilities: NDArray[np.floating], y_true: NDArray[np.integer], *, precision: float
) -> float | None:
    """Return the lowest threshold at or above which at least a share of decisions is correct.

    It guarantees nothing for other clips: selective classification with a bound on its risk
    (Geifman and El-Yaniv, NeurIPS 2017) takes many more clips than most validation sets have.

    Args:
        probabilities: Probabilities (N,K) of clips that the classifier was not trained on.
        y_true: Their class indices (N,).
        precision: Share of correct decisions.

    Returns:
        The threshold, or None if there is none.
    """
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == y_true
    for threshold in np.unique(confidence):
        if correct[confidence >= threshold].mean() >= precision:
            return float(threshold)
    return None


def measure_rejection(
    probabilities: NDArray[np.floating],
    y_true: NDArray[np.integer],
    accepted: NDArray[np.bool_],
    *,
    unknown_below: float | None,
    unknown: NDArray[np.floating] | None = None,
) -> Rejection:
    """Return coverage and accuracy when only accepted clips get a label.

    Args:
        probabilities: Probabilities (N,K) of clips of the classifier's classes, at least one.
        y_true: Their class indices (N,).
        accepted: Whether each gets a label, (N,).
        unknown_below: Threshold on the highest probability.
        unknown: Probabilities (M,K) of clips of other classes.
    """
    correct = (probabilities.argmax(1) == y_true)[accepted]
    others = np.zeros(0) if unknown is None else unknown.max(1)
    return Rejection(
        unknown_below=unknown_below,
        videos=len(y_true),
        accepted=int(accepted.sum()),
        coverage=float(accepted.mean()),
        accuracy_on_accepted=float(correct.mean()) if len(correct) else None,
        unknown_videos=len(others),
        unknown_rejected=float((others < (unknown_below or 0.0)).mean()) if len(others) else None,
        auroc=_auroc(probabilities.max(1), others) if len(others) else None,
    )


def _auroc(positives: NDArray[np.floating], negatives: NDArray[np.floating]) -> float:
    from sklearn.metrics import roc_auc_score

    y_true = np.repeat([1, 0], [len(positives), len(negatives)])
    return float(roc_auc_score(y_true, np.concatenate([positives, negatives])))
