"""Cross-validate candidate heads on shared folds, dropping clearly worse ones early."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.tasks.base import LabelTask
from vidclass.training.examples import Examples
from vidclass.training.fit import fit_head
from vidclass.training.holdout import ClipGroups
from vidclass.training.logistic import LogisticHead
from vidclass.training.presets import training_of
from vidclass.types import Progress

# A head is dropped if, after any fold, it is this many standard errors behind the best one.
DROP_ERRORS = 1.0
# The loss of a clip is at most that of this probability: one clip must not decide.
_MIN_PROBABILITY = 1e-3


@dataclass(frozen=True)
class Difference:
    """Mean difference between two classifiers on the same clips, and its standard error."""

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
    excess = one - other
    mean = float(excess.mean())
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    if count < 2:
        return Difference(mean, 0.0)
    sums = np.bincount(group, excess - mean)
    error = np.sqrt((sums**2).sum() * count / (count - 1)) / len(excess)
    return Difference(mean, float(error))


@dataclass(frozen=True)
class HeadPredictions:
    """Out-of-fold predictions of a head.

    Attributes:
        probabilities: (N,K); NaN for the clips of folds after which the head was dropped.
        targets: Classes of the clips, (N,).
        groups: Numbers of their groups, (N,).
        folds: Number of folds that were evaluated.
        seconds: Duration of the trainings.
    """

    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]
    groups: NDArray[np.int64]
    folds: int = 0
    seconds: float = 0.0

    @property
    def evaluated(self) -> NDArray[np.bool_]:
        """Clips of the evaluated folds, (N,)."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1))

    @property
    def accuracy(self) -> float:
        """Accuracy on the clips of the evaluated folds."""
        rows = self.evaluated
        return float((self.probabilities[rows].argmax(1) == self.targets[rows]).mean())

    @property
    def losses(self) -> NDArray[np.float64]:
        """Log loss of each clip, (N,); NaN as in `probabilities`."""
        likelihoods = self.probabilities[np.arange(len(self.targets)), self.targets]
        return -np.log(np.maximum(likelihoods, _MIN_PROBABILITY))

    @property
    def loss(self) -> float:
        """Mean log loss."""
        return float(np.nanmean(self.losses))

    def behind(self, other: HeadPredictions) -> Difference:
        """Return the excess of the log loss over another head's, on the evaluated clips."""
        rows = self.evaluated
        return difference(self.losses[rows], other.losses[rows], self.groups[rows])


def compare_heads(
    names: Sequence[str],
    clips: ClipGroups,
    data: Examples,
    config: RunConfig,
    *,
    task: LabelTask,
    folds: NDArray[np.int64],
    progress: Progress,
) -> dict[str, HeadPredictions]:
    """Cross-validate heads on the same folds, logistic regressions first.

    Args:
        names: The heads.
        clips: Labels and groups of the clips.
        data: Features of the clips, with class indices as targets.
        config: Settings of the run.
        task: Label task of these clips.
        folds: Fold of each clip, (N,).
        progress: Callback; reports stage `compare`.
    """
    classes, numbers, groups = len(task.labels), np.unique(folds), clips.numbers
    logistic = {name: LogisticHead.from_examples(name, data, classes=classes) for name in names}
    total = len(names) * len(numbers)
    predictions: dict[str, HeadPredictions] = {}
    for position, name in enumerate(sorted(names, key=lambda name: logistic[name] is None)):
        started_s = time.monotonic()
        head = logistic[name]
        probabilities = np.full((len(data), classes), np.nan)
        for index, fold in enumerate(numbers):
            test, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            if head is not None:
                head.fit(others)
                probabilities[test] = head.probabilities(test)
            else:
                training, validation = clips.hold_out(others, config)
                fitted = fit_head(
                    name,
                    data.at(training),
                    training_of(config, name),
                    task=task,
                    validation=None if validation is None else data.at(validation),
                )
                probabilities[test] = fitted.probabilities(data.at(test))
            seconds = time.monotonic() - started_s
            current = HeadPredictions(probabilities, data.targets, groups, index + 1, seconds)
            progress("compare", position * len(numbers) + index + 1, total)
            if head is None and index + 1 < len(numbers) and _is_worse(current, predictions):
                break
        predictions[name] = current
        progress("compare", (position + 1) * len(numbers), total)
    return predictions


def _is_worse(head: HeadPredictions, others: Mapping[str, HeadPredictions]) -> bool:
    """Return whether a head is so far behind the best of the others that it is dropped."""
    if not others:
        return False
    behind = head.behind(min(others.values(), key=lambda other: other.loss))
    return behind.mean > DROP_ERRORS * behind.error
