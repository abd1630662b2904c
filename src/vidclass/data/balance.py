"""Assign whole groups to splits so that every split has every class, in about the same shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidclass.data.clip import labels_in

IntArray = NDArray[np.int64]

# Draws an assignment: the split of each group, (G,).
Draw = Callable[[np.random.Generator], IntArray]

# Only where groups hold several classes can a draw fail although another one succeeds.
_ATTEMPTS = 20


@dataclass(frozen=True)
class GroupClasses:
    """The classes in each of G groups, over N clips and K classes; a clip may have several.

    Attributes:
        labels: Names of the classes, sorted, (K,).
        clips_per_class: (K,) clips.
        group_of_clip: (N,) numbers of groups.
        classes: Numbers of the distinct classes in each group, (G,) arrays.
        clips: Clips of each of these classes, (G,) arrays of the same lengths.
    """

    labels: list[str]
    clips_per_class: IntArray
    group_of_clip: IntArray
    classes: list[IntArray]
    clips: list[IntArray]

    @classmethod
    def from_labels(cls, labels: Sequence[str], group_ids: Sequence[str]) -> GroupClasses:
        """Build from the label and the group id of each clip, (N,) each."""
        _, group_of_clip = np.unique(np.array(group_ids, dtype=object), return_inverse=True)
        labels_of_clip = [labels_in(label) for label in labels]
        names, classes = np.unique(
            np.array([name for names in labels_of_clip for name in names], dtype=object),
            return_inverse=True,
        )
        groups = np.repeat(group_of_clip, [len(names) for names in labels_of_clip])
        pairs, clips = np.unique(np.stack([groups, classes], 1), axis=0, return_counts=True)
        borders = np.flatnonzero(np.diff(pairs[:, 0])) + 1
        return cls(
            [str(name) for name in names],
            np.bincount(classes, minlength=len(names)).astype(np.int64),
            group_of_clip.astype(np.int64),
            np.split(pairs[:, 1], borders),
            np.split(clips, borders),
        )

    def groups_per_class(self) -> IntArray:
        """Return the number of groups that hold each class, (K,)."""
        return np.bincount(np.concatenate(self.classes), minlength=len(self.labels))

    def groups_per_split(self, assignment: IntArray, splits: int) -> IntArray:
        """Return the number of groups of each class in each split, (S,K), for a (G,) assignment."""
        counts = np.zeros((splits, len(self.labels)), dtype=np.int64)
        for group, classes in enumerate(self.classes):
            counts[assignment[group], classes] += 1
        return counts


def assign_by_shares(
    groups: GroupClasses, shares: Sequence[float], rng: np.random.Generator
) -> IntArray:
    """Assign groups so that each split gets about its share of the clips of every class.

    Largest first and in random order among equals, each group goes to the split that lacks most of
    its classes.

    Returns:
        The split of each group, (G,).
    """
    totals = groups.clips_per_class
    lacking = np.outer(shares, totals)  # (S,K) clips
    sizes = np.array([clips.sum() for clips in groups.clips])
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    assignment = np.zeros(len(sizes), dtype=np.int64)
    for group in order:
        classes, clips = groups.classes[group], groups.clips[group]
        # Relative to the class, so that a small class weighs as much as a large one.
        need = (lacking[:, classes] / totals[classes]) @ (clips / totals[classes])
        assignment[group] = need.argmax()
        lacking[assignment[group], classes] -= clips
    return assignment


def fill_missing_classes(groups: GroupClasses, assignment: IntArray, splits: int) -> IntArray:
    """Move single groups so that every split has every class, where that is possible.

    No move takes the last group of a class out of a split, so each one closes a gap and opens none.
    """
    assignment = assignment.copy()
    counts = groups.groups_per_split(assignment, splits)
    for target, wanted in np.argwhere(counts == 0):
        if counts[target, wanted]:
            continue  # an earlier move brought this class along
        movable = [
            group
            for group, classes in enumerate(groups.classes)
            if wanted in classes and (counts[assignment[group], classes] > 1).all()
        ]
        if movable:
            group = min(movable, key=lambda candidate: int(groups.clips[candidate].sum()))
            counts[assignment[group], groups.classes[group]] -= 1
            counts[target, groups.classes[group]] += 1
            assignment[group] = target
    return assignment


def complete_split(
    groups: GroupClasses, assignment: IntArray, splits: int, *, target: int
) -> IntArray:
    """Bring every class into the split `target`, even if another split then goes without."""
    assignment = assignment.copy()
    for wanted in np.flatnonzero(groups.groups_per_split(assignment, splits)[target] == 0):
        counts = groups.groups_per_split(assignment, splits)
        if counts[target, wanted]:
            continue  # an earlier move brought this class along
        holders = [group for group, classes in enumerate(groups.classes) if wanted in classes]
        last_ones = [
            (counts[assignment[group], groups.classes[group]] == 1).sum() for group in holders
        ]
        assignment[holders[int(np.argmin(last_ones))]] = target
    return assignment


def best_assignment(groups: GroupClasses, splits: int, *, seed: int, draw: Draw) -> IntArray:
    """Return the first of some draws in which no split lacks a class, else the nearest to it."""
    best, best_gaps = np.zeros(0, dtype=np.int64), np.inf
    for attempt in range(_ATTEMPTS):
        drawn = draw(np.random.default_rng([seed, attempt]))
        assignment = fill_missing_classes(groups, drawn, splits)
        gaps = int((groups.groups_per_split(assignment, splits) == 0).sum())
        if gaps < best_gaps:
            best, best_gaps = assignment, gaps
        if gaps == 0:
            break
    return best
