"""Operations on targets of any task: class indices (N,), or rows (N,K)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import ShapeError


def require_targets(targets: NDArray[Any]) -> None:
    """Refuse arrays that are no targets.

    Raises:
        ShapeError: they are neither (N,) integers nor (N,K).
    """
    integers = np.issubdtype(targets.dtype, np.integer)
    if not (targets.ndim == 2 or (targets.ndim == 1 and integers)):
        raise ShapeError(
            "targets must be (N,) integers, a class index each, or (N,K), a number for each "
            f"class, received: {targets.shape} {targets.dtype}"
        )


def class_members(targets: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of row and class index; a clip of several classes is in several pairs."""
    if targets.ndim == 1:
        return np.arange(len(targets)), targets
    rows, classes = np.nonzero(targets)
    return rows, classes
