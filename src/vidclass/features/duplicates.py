"""PROVISIONAL stand-in for the one of another branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidclass.types import ClipFeatures


@dataclass(frozen=True)
class NearDuplicate:
    """Two rows."""

    first: int
    second: int
    similarity: float


def near_duplicates(
    clips: Sequence[ClipFeatures | None], *, threshold: float = 0.97
) -> list[NearDuplicate]:
    """Pairs."""
    rows = [r for r, c in enumerate(clips) if c is not None]
    if not rows:
        return []
    m = np.stack([c.features.astype(np.float32).mean(0) for c in clips if c is not None])
    m -= m.mean(0)
    m /= np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-6)
    s = m @ m.T
    return [
        NearDuplicate(rows[i], rows[j], float(s[i, j]))
        for i, j in np.argwhere(np.triu(s, 1) > threshold)
    ]
