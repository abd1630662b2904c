"""Which trials are worth their cost, and what choosing the best one is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pareto_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[bool]:
    """For each trial, whether no other is as good for less, or better for as little.

    >>> pareto_front([1.0, 2.0, 3.0], [0.5, 0.8, 0.7])
    [True, True, False]
    """
    pairs = list(zip(costs, accuracies, strict=True))
    return [
        not any(
            other_cost <= cost and other >= accuracy and (other_cost, other) != (cost, accuracy)
            for other_cost, other in pairs
        )
        for cost, accuracy in pairs
    ]


def accuracy_of_choosing(accuracies: NDArray[np.float64]) -> float | None:
    """What the best trial gets on a fold that had no say in choosing it; None for fewer than two.

    For each fold, the trial that is best on the other folds is chosen, and its accuracy on that
    fold counts.  The best row of a table is chosen on the very folds that it is scored on, and is
    flattered by that; this is not.  (Every head of it did learn from the other folds, so it is an
    estimate, in the manner of nested cross-validation: Varma and Simon, BMC Bioinformatics 2006.)

    Args:
        accuracies: (N,K) of N trials on the same K folds.

    >>> accuracy_of_choosing(np.array([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    trials, folds = accuracies.shape
    if trials < 2 or folds < 2:
        return None
    others = accuracies.sum(1, keepdims=True) - accuracies  # (N,K): the other folds of each fold
    chosen = others.argmax(0)
    return float(accuracies[chosen, np.arange(folds)].mean())
