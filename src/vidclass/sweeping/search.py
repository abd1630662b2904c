"""Search strategy of a sweep: which combination to try next, and when to end a trial early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from vidclass.sweeping.config import Point, Sampler, SweepSpace, untried
from vidclass.sweeping.result import Row
from vidclass.sweeping.study import import_optuna
from vidclass.training.out_of_fold import FoldScore

if TYPE_CHECKING:
    import optuna

# Trials that TPE draws at random before it has something to learn from.
STARTUP = 6
# TPE is asked at most so often for a new combination; in a small space it repeats itself.
PROPOSALS = 20
# Two heads behind the same features cost the same where they differ by less than this share.
SAME_COST = 0.1


def next_point(
    space: SweepSpace,
    study: optuna.Study,
    tried: Sequence[Point],
    *,
    sampler: Sampler,
    seed: int,
) -> Point | None:
    """Return the next combination to try; None when all were tried.

    It depends on the finished trials and the seed alone, so that a sweep that was killed continues
    as if it had not been.

    Args:
        space: The combinations.
        study: The trials so far.
        tried: Combinations of the finished trials.
        sampler: Search strategy.
        seed: Seed of random choices.
    """
    left = untried(space.points(), tried)
    if not left:
        return None
    if sampler == "grid":
        return left[0]
    if sampler == "random":
        order = np.random.default_rng(seed).permutation(len(space.points()))
        shuffled = [space.points()[row] for row in order]
        return untried(shuffled, tried)[0]
    return _tpe_point(space, study, left, seed=seed, count=len(tried))


def _tpe_point(
    space: SweepSpace, study: optuna.Study, left: list[Point], *, seed: int, count: int
) -> Point:
    """Return the first new proposal of a tree-structured Parzen estimator of accuracy and cost.

    Bergstra et al., NeurIPS 2011; for several objectives Ozaki et al., GECCO 2020.  The proposals
    come from a copy of the study in memory, so that rejected ones leave no trace.
    """
    optuna = import_optuna()
    rng = np.random.default_rng([seed, count])
    copy = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=int(rng.integers(2**31))),
    )
    states = optuna.trial.TrialState
    copy.add_trials(study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED)))
    new = {point.resolved() for point in left}
    for _ in range(PROPOSALS):
        trial = copy.ask(distributions(space))
        copy.tell(trial, state=states.FAIL)
        point = Point.from_values(trial.params)
        if point.resolved() in new:
            return point
    return left[int(rng.integers(len(left)))]


def distributions(space: SweepSpace) -> dict[str, Any]:
    """Return the axes as Optuna's categorical distributions."""
    categorical = import_optuna().distributions.CategoricalDistribution
    return {name: categorical(values) for name, values in space.axes().items()}


def better_row(trial: Row, others: Sequence[Row]) -> Row | None:
    """Return a finished trial that costs no more and is clearly better on the same folds.

    Clearly better: on the clips of these folds, the two 95 % intervals (Wilson) do not touch.  For
    intervals of like width that is a difference of 2.8 standard errors.  Both trials saw the same
    clips, so their difference is less uncertain than that: the rule errs towards continuing.
    A trial that may be cheaper than all of its betters is never ended, as it may be on the Pareto
    front; nor is one that has no fold left.

    Args:
        trial: The running trial with its folds so far.
        others: The finished trials.

    Returns:
        The better row; None if the trial should continue.
    """
    for other in others:
        folds = {fold.fold: fold for fold in other.folds}
        if len(trial.folds) >= len(folds) or not costs_no_more(other, trial):
            continue
        if all(fold.fold in folds for fold in trial.folds):
            same = [folds[fold.fold] for fold in trial.folds]
            if accuracy_interval(trial.folds)[1] < accuracy_interval(same)[0]:
                return other
    return None


def costs_no_more(one: Row, other: Row) -> bool:
    """Return whether `one` certainly costs no more than `other`.

    Times measured one after the other do not tell on a busy machine.  What does: the same backbone
    and sampling, no more frames and none larger, and a head that costs no more, or next to nothing
    beside the features.
    """
    point, other_point = one.point, other.point
    alike = all(
        getattr(point, name) == getattr(other_point, name)
        for name in ("backbone", "sampling", "crop", "precision")
    )
    if not alike or point.frames > other_point.frames or point.side > other_point.side:
        return False
    extra = (one.ms_head or 0.0) - (other.ms_head or 0.0)
    return extra <= SAME_COST * (other.ms_per_clip or 0.0)


def accuracy_interval(folds: Sequence[FoldScore]) -> tuple[float, float]:
    """Return the 95 % interval (Wilson) of the accuracy over all clips of some folds."""
    right = sum(round(fold.accuracy * fold.videos) for fold in folds)
    clips = sum(fold.videos for fold in folds)
    interval = binomtest(right, clips).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
