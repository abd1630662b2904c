"""Decision thresholds of a multi-label classifier, by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DEFAULT_THRESHOLD = 0.5
# A threshold chosen on fewer clips with the class, or without it, would fit those few.
MIN_POSITIVES = 5


def best_thresholds(
    probabilities: NDArray[np.floating], y_true: NDArray[np.floating]
) -> tuple[float, ...]:
    """Return for each class the threshold with the highest F1 on these (validation) clips.

    It lies half-way between the two probabilities that it separates; of equally good ones, the
    nearest to 0.5 is taken.  A class with fewer than `MIN_POSITIVES` clips with or without it gets
    0.5.  F1 is highest where labels are assigned by a threshold on their probability (Lipton,
    Elkan and Narayanaswamy, "Optimal Thresholding of Classifiers to Maximize F1 Measure", 2014).

    Args:
        probabilities: Class probabilities (N,K).
        y_true: Targets (N,K), 1 for the classes of each clip.
    """
    return tuple(
        _best_threshold(probabilities[:, k], y_true[:, k] > 0) for k in range(y_true.shape[1])
    )


def _best_threshold(probabilities: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    if min(positive.sum(), (~positive).sum()) < MIN_POSITIVES:
        return DEFAULT_THRESHOLD
    values, index = np.unique(probabilities, return_inverse=True)
    # Of the clips at or above each value: how many there are, and how many of them are positive.
    predicted = np.bincount(index)[::-1].cumsum()[::-1]
    correct = np.bincount(index, weights=positive)[::-1].cumsum()[::-1]
    f1 = 2 * correct / (predicted + positive.sum())
    below = np.concatenate([[0.0], values[:-1]])
    midpoints = (values + below) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(midpoints[best[np.abs(midpoints[best] - DEFAULT_THRESHOLD).argmin()]])
