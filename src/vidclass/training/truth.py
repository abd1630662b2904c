"""What is true of clips, as arrays: one class each, or a number for every class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_truth(truth: NDArray[Any]) -> str:
    """What is wrong with the truth of clips, whole numbers (N,) or (N,K); empty if nothing is."""
    whole = np.issubdtype(truth.dtype, np.integer)
    if truth.ndim == 2 or (truth.ndim == 1 and whole):
        return ""
    return (
        "truth must be (N,) whole numbers, a class each, or (N,K), a number for every class, "
        f"received: {truth.shape} {truth.dtype}"
    )


def class_members(truth: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and classes, pair by pair: a clip of several classes is one clip of each."""
    if truth.ndim == 1:
        return np.arange(len(truth)), truth
    rows, classes = np.nonzero(truth)
    return rows, classes
