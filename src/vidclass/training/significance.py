"""How far two classifiers are apart on the same clips, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """A mean difference between two classifiers on the same clips, and its standard error."""

    mean: float
    error: float


def difference(
    one: NDArray[np.floating], other: NDArray[np.floating], groups: NDArray[np.int64]
) -> Difference:
    """By how much what was measured of `one` is above what was measured of `other`.

    Clips of a group are not independent, so groups are what varies: the standard error is that
    of a ratio over clusters (Cochran 1977, section 6.4).  With fewer than two groups it is 0.

    Args:
        one: (N,) losses of the one, clip by clip.
        other: (N,) losses of the other on the same clips.
        groups: (N,) numbers of the clips' groups.

    >>> losses = np.array([0.5, 0.1, 0.2])
    >>> difference(losses, losses, np.arange(3))
    Difference(mean=0.0, error=0.0)
    """
    gains = one - other
    mean = float(gains.mean())
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    if count < 2:
        return Difference(mean, 0.0)
    sums = np.bincount(group, gains - mean)
    error = np.sqrt((sums**2).sum() * count / (count - 1)) / len(gains)
    return Difference(mean, float(error))
