"""Sharing out things that must stay whole among parts, so that every class is in every part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidclass.data.rows import labels_in

IntArray = NDArray[np.int64]

# From a generator to the part of each unit, (U,).
Draw = Callable[[np.random.Generator], IntArray]

# Only where groups hold several classes can a draw fail although another one succeeds.
_ATTEMPTS = 20


@dataclass(frozen=True)
class Units:
    """U units over n clips and K classes; a clip may be of several classes.

    class_sizes (K,) clips of each class; unit_of_clip (n,); classes[u] are the distinct classes in
    unit u, and clips[u], of the same length, how many clips it has of each.
    """

    labels: list[str]
    class_sizes: IntArray
    unit_of_clip: IntArray
    classes: list[IntArray]
    clips: list[IntArray]

    @classmethod
    def of(cls, labels: Sequence[str], keys: Sequence[str]) -> Units:
        """Clips with the same key are one unit."""
        _, unit_of_clip = np.unique(np.array(keys, dtype=object), return_inverse=True)
        classes_of_clip = [labels_in(label) for label in labels]
        names, classes = np.unique(
            np.array([name for names in classes_of_clip for name in names], dtype=object),
            return_inverse=True,
        )
        units = np.repeat(unit_of_clip, [len(names) for names in classes_of_clip])
        pairs, clips = np.unique(np.stack([units, classes], 1), axis=0, return_counts=True)
        borders = np.flatnonzero(np.diff(pairs[:, 0])) + 1
        return cls(
            [str(name) for name in names],
            np.bincount(classes, minlength=len(names)).astype(np.int64),
            unit_of_clip.astype(np.int64),
            np.split(pairs[:, 1], borders),
            np.split(clips, borders),
        )

    def per_class(self) -> IntArray:
        """How many units hold each class, (K,)."""
        return np.bincount(np.concatenate(self.classes), minlength=len(self.labels))

    def held(self, part: IntArray, parts: int) -> IntArray:
        """How many units with each class each part has, (P,K), where `part` is (U,)."""
        held = np.zeros((parts, len(self.labels)), dtype=np.int64)
        for unit, classes in enumerate(self.classes):
            held[part[unit], classes] += 1
        return held


def share_out(units: Units, shares: Sequence[float], rng: np.random.Generator) -> IntArray:
    """Give each part about its share of the clips of every class.

    Largest first and in random order among equals, each unit goes to the part that lacks most of
    the classes in it.

    Returns:
        The part of each unit, (U,).
    """
    totals = units.class_sizes
    lacking = np.outer(shares, totals)  # (P,K) clips
    sizes = np.array([clips.sum() for clips in units.clips])
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    part = np.zeros(len(sizes), dtype=np.int64)
    for unit in order:
        classes, clips = units.classes[unit], units.clips[unit]
        # Relative to the class, so that a small class weighs as much as a large one.
        need = (lacking[:, classes] / totals[classes]) @ (clips / totals[classes])
        part[unit] = need.argmax()
        lacking[part[unit], classes] -= clips
    return part


def fill_gaps(units: Units, part: IntArray, parts: int) -> IntArray:
    """Bring every class into every part where it can be done by moving single units.

    No move takes the last unit of a class out of a part, so each one closes a gap and opens none.
    """
    part = part.copy()
    held = units.held(part, parts)
    for target, wanted in np.argwhere(held == 0):
        if held[target, wanted]:
            continue  # an earlier move brought this class along
        spare = [
            unit
            for unit, classes in enumerate(units.classes)
            if wanted in classes and (held[part[unit], classes] > 1).all()
        ]
        if spare:
            unit = min(spare, key=lambda candidate: int(units.clips[candidate].sum()))
            held[part[unit], units.classes[unit]] -= 1
            held[target, units.classes[unit]] += 1
            part[unit] = target
    return part


def complete(units: Units, part: IntArray, parts: int, *, target: int) -> IntArray:
    """Bring every class into the part `target`, even if another part then goes without."""
    part = part.copy()
    for wanted in np.flatnonzero(units.held(part, parts)[target] == 0):
        held = units.held(part, parts)
        if held[target, wanted]:
            continue  # an earlier move brought this class along
        holders = [unit for unit, classes in enumerate(units.classes) if wanted in classes]
        last_ones = [(held[part[unit], units.classes[unit]] == 1).sum() for unit in holders]
        part[holders[int(np.argmin(last_ones))]] = target
    return part


def fewest_gaps(units: Units, parts: int, *, seed: int, draw: Draw) -> IntArray:
    """The first of some draws that has every class in every part, else the nearest to it."""
    best, best_gaps = np.zeros(0, dtype=np.int64), np.inf
    for attempt in range(_ATTEMPTS):
        part = fill_gaps(units, draw(np.random.default_rng([seed, attempt])), parts)
        gaps = int((units.held(part, parts) == 0).sum())
        if gaps < best_gaps:
            best, best_gaps = part, gaps
        if gaps == 0:
            break
    return best
