"""Heads on the same folds, side by side; the hopeless leave early."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.data import Examples
from vidclass.training.fit import fit_head
from vidclass.training.holdout import spare_validation
from vidclass.training.logistic import ExactHead
from vidclass.training.presets import training_of
from vidclass.types import Progress

# A head this many standard errors behind the best, after any fold, runs no further.
HOPELESS = 1.0
# The largest loss of a clip is that of this probability: one clip must not decide.
_LEAST_PROBABILITY = 1e-3


@dataclass(frozen=True)
class Difference:
    """A mean difference between two classifiers on the same clips, and its standard error."""

    mean: float
    error: float


def difference(
    one: NDArray[np.floating], other: NDArray[np.floating], groups: NDArray[np.int64]
) -> Difference:
    """Return the mean excess of the losses of `one` over those of `other`.

    Clips of a group are not independent: the standard error is that of a ratio over clusters
    (Cochran 1977, section 6.4).  With fewer than two groups it is 0.

    Args:
        one: (N,) losses of a classifier, clip by clip.
        other: (N,) losses of another one on the same clips.
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


@dataclass(frozen=True)
class HeldOut:
    """What a head said of clips that it had not seen.

    Attributes:
        probabilities: (N,K); NaN for the clips of folds that it did not take part in.
        targets: (N,) their classes.
        groups: (N,) numbers of their groups.
        folds: In how many folds it took part.
        seconds: What its trainings took.
    """

    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]
    groups: NDArray[np.int64]
    folds: int = 0
    seconds: float = 0.0

    @property
    def asked(self) -> NDArray[np.bool_]:
        """(N,) the clips of the folds that it took part in."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1))

    @property
    def accuracy(self) -> float:
        """Share of those clips that it named rightly."""
        asked = self.asked
        return float((self.probabilities[asked].argmax(1) == self.targets[asked]).mean())

    @property
    def losses(self) -> NDArray[np.float64]:
        """(N,) the log loss of each clip; NaN as in `probabilities`."""
        right = self.probabilities[np.arange(len(self.targets)), self.targets]
        return -np.log(np.maximum(right, _LEAST_PROBABILITY))

    @property
    def loss(self) -> float:
        """Mean log loss."""
        return float(np.nanmean(self.losses))

    def behind(self, other: HeldOut) -> Difference:
        """By how much its log loss is above another's, on the clips that it was asked."""
        asked = self.asked
        return difference(self.losses[asked], other.losses[asked], self.groups[asked])


def race(
    names: Sequence[str],
    clips: Manifest,
    data: Examples,
    config: RunConfig,
    *,
    groups: NDArray[np.int64],
    assigned: NDArray[np.int64],
    progress: Progress,
) -> dict[str, HeldOut]:
    """Cross-validate heads on the same folds, those that are solved exactly first.

    Args:
        names: The heads.
        clips: The clips.
        data: Their features.
        config: How each head is fitted.
        groups: (N,) the group of each clip, as a number.
        assigned: (N,) the fold of each clip.
        progress: Told of the stage `compare`.
    """
    classes, folds = len(clips.labels), np.unique(assigned)
    exact = {name: ExactHead.of(name, data, classes=classes) for name in names}
    found: dict[str, HeldOut] = {}
    for place, name in enumerate(sorted(names, key=lambda name: exact[name] is None)):
        started = time.monotonic()
        probabilities = np.full((len(data), classes), np.nan)
        for index, fold in enumerate(folds):
            asked, others = np.flatnonzero(assigned == fold), np.flatnonzero(assigned != fold)
            head = exact[name]
            if head is not None:
                head.fit(others)
                probabilities[asked] = head.probabilities(asked)
            else:
                probabilities[asked] = _fitted(
                    name, clips, data, config, others=others, asked=asked
                )
            seconds = time.monotonic() - started
            so_far = HeldOut(probabilities, data.targets, groups, index + 1, seconds)
            progress("compare", place * len(folds) + index + 1, len(names) * len(folds))
            if head is None and index + 1 < len(folds) and _hopeless(so_far, found):
                break
        found[name] = so_far
        progress("compare", (place + 1) * len(folds), len(names) * len(folds))
    return found


def _fitted(
    name: str,
    clips: Manifest,
    data: Examples,
    config: RunConfig,
    *,
    others: NDArray[np.int64],
    asked: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Probabilities of the clips in `asked`, learnt from the others as in a real training."""
    training, validation = spare_validation(clips, others, config)
    fitted = fit_head(
        name,
        data.at(training),
        training_of(config, name),
        task=SingleLabelTask(tuple(clips.labels)),
        validation=None if validation is None else data.at(validation),
    )
    return fitted.probabilities(data.at(asked))


def _hopeless(one: HeldOut, found: dict[str, HeldOut]) -> bool:
    if not found:
        return False
    behind = one.behind(min(found.values(), key=lambda other: other.loss))
    return behind.mean > HOPELESS * behind.error
