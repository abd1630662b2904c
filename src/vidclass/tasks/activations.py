"""Numerically stable softmax and sigmoid, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities along the last axis.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    # exp overflows above about 709 in float64; shifting by the max leaves the ratio unchanged.
    wide = logits.astype(np.float64)
    shifted = np.exp(wide - wide.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), np.float64)


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return an independent probability for each logit.

    >>> sigmoid(np.array([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    # exp of a large positive number overflows: take that of the negative absolute value.
    decay = np.exp(-np.abs(logits.astype(np.float64)))
    return np.asarray(np.where(logits >= 0, 1.0, decay) / (1.0 + decay), np.float64)
