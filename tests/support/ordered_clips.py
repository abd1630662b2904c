"""Clips of two classes for comparing heads: arrays alone, no videos."""

from __future__ import annotations

import numpy as np

from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.examples import Examples
from vidclass.training.holdout import ClipGroups

T, D = 6, 8
TASK = SingleLabelTask(("a", "b"))


def grouped(count: int, *, clips_per_group: int = 2) -> ClipGroups:
    """Clips of two classes, in groups of one class each."""
    groups = [row // clips_per_group for row in range(count)]
    labels = ["ab"[group % 2] for group in groups]
    return ClipGroups(labels, [f"group: g{group}" for group in groups], [None] * count)


def ordered(count: int, *, noise: float = 0.5) -> Examples:
    """The clips of `grouped`: bright first in class a and last in b, so only order tells."""
    rng = np.random.default_rng(0)
    targets = TASK.targets(grouped(count).labels)
    ramp = np.where(targets[:, None] == 0, 1.0, -1.0) * np.linspace(1, -1, T)
    features = rng.normal(0, noise, (count, T, D))
    features[:, :, 0] += ramp
    return Examples(features.astype(np.float32), np.ones((count, T), bool), targets)


def told_apart_by_mean(count: int) -> Examples:
    """The clips of `grouped`, each class at a level of its own."""
    data = ordered(count)
    features = data.features.copy()
    features[:, :, 0] = np.where(data.targets[:, None] == 0, 1.0, -1.0)
    return Examples(features, data.mask, data.targets)
