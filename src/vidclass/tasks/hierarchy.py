"""Numbers about predictions along a tree of labels: pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from vidclass.errors import ManifestError
from vidclass.tasks.answers import level_scores
from vidclass.tasks.label_scheme import Kind, LabelScheme
from vidclass.tasks.metrics import Metrics, compute_metrics


@dataclass(frozen=True)
class HierarchyMetrics(Metrics):
    """How good a classifier of leaves is, and how good its answers are at each level above.

    All but `levels` is over the `videos` clips that are labelled down to a leaf.

    Attributes:
        levels: For each level from the top, `level`, `videos` (clips whose label reaches it),
            `accuracy` and its `accuracy_interval`, as a list of two.
    """

    task: Kind = "hierarchy"
    levels: list[dict[str, Any]] = field(default_factory=list)


def hierarchy_metrics(
    probabilities: NDArray[np.floating],
    truth: NDArray[np.floating],
    scheme: LabelScheme,
    *,
    lost: Mapping[str, Any] | None = None,
) -> HierarchyMetrics:
    """Metrics of probabilities (N,K) of leaves against the leaves that each clip may be of, (N,K).

    Raises:
        ManifestError: no clip is labelled down to a leaf.
    """
    exact = truth.sum(1) == 1
    if not exact.any():
        raise ManifestError(
            f"none of {len(truth)} clips is labelled down to a leaf, such as "
            f"{scheme.labels[0]!r}: measuring takes some that are"
        )
    leaves = compute_metrics(
        probabilities[exact], truth[exact].argmax(1), scheme.labels, **(lost or {})
    )
    levels = []
    for level, _, scores in level_scores(scheme, probabilities):
        members = scheme.tree.level(level)[1]
        # A label reaches a level if all leaves it may mean lie under one node of it.
        nodes = truth @ members > 0
        reaches = nodes.sum(1) == 1
        right = scores[reaches].argmax(1) == nodes[reaches].argmax(1)
        interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
        levels.append(
            {
                "level": level,
                "videos": int(reaches.sum()),
                "accuracy": float(right.mean()),
                "accuracy_interval": [float(interval.low), float(interval.high)],
            }
        )
    return HierarchyMetrics(**leaves.__dict__ | {"task": "hierarchy", "levels": levels})
