"""Search strategy of a sweep: choose the next combination, end a hopeless trial early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from vidclass.sweeping.config import Point, Sampler, SweepSpace, untried
from vidclass.sweeping.result import Row
from vidclass.sweeping.study import require_optuna
from vidclass.training.out_of_fold import FoldResult

if TYPE_CHECKING:
    import optuna

# Trials that TPE draws at random before it has something to learn from.
STARTUP = 6
# Its proposals are looked at until one is new; in a small space it likes to repeat itself.
PROPOSALS = 20


def next_point(
    space: SweepSpace,
    study: optuna.Study,
    tried: Sequence[Point],
    *,
    sampler: Sampler,
    seed: int,
) -> Point | None:
    """A combination that is none of `tried`; None when all are.

    It follows from the finished trials and the seed alone, so that a sweep that was killed goes on
    as if it had not been.

    Args:
        space: The combinations.
        study: The trials so far.
        tried: The combinations of those that are finished.
        sampler: How it is chosen.
        seed: Of the choice.
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
    return _promising(space, study, left, seed=seed, count=len(tried))


def _promising(
    space: SweepSpace, study: optuna.Study, left: list[Point], *, seed: int, count: int
) -> Point:
    """The first new proposal of a tree-structured Parzen estimator of both accuracy and cost.

    Bergstra et al., NeurIPS 2011; for several objectives Ozaki et al., GECCO 2020.  The proposals
    come from a copy of the study in memory, so that those that are not taken leave no trace.
    """
    optuna = require_optuna()
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
        point = Point.of(trial.params)
        if point.resolved() in new:
            return point
    return left[int(rng.integers(len(left)))]


def distributions(space: SweepSpace) -> dict[str, Any]:
    """The axes as Optuna has them."""
    kind = require_optuna().distributions.CategoricalDistribution
    return {name: kind(values) for name, values in space.axes().items()}


# Two heads behind the same features cost the same where they differ by less than this share.
SAME_COST = 0.1


def beaten_by(trial: Row, others: Sequence[Row]) -> Row | None:
    """A finished trial that costs no more and is clearly better on the same folds; else None.

    Clearly better: on the clips of these folds, the two 95 % intervals (Wilson) do not touch.  For
    intervals of like width that is a difference of 2.8 standard errors.  Both trials saw the same
    clips, so their difference is in truth less uncertain than that: the rule errs towards going on.
    A trial that may be cheaper than all of its betters is never ended: it may be on the front.  Nor
    is one that has no fold left to do.

    Args:
        trial: What there is of it so far.
        others: The finished ones.
    """
    for other in others:
        theirs = {fold.fold: fold for fold in other.folds}
        if len(trial.folds) >= len(theirs) or not costs_no_more(other, trial):
            continue
        if all(fold.fold in theirs for fold in trial.folds):
            same = [theirs[fold.fold] for fold in trial.folds]
            if interval(trial.folds)[1] < interval(same)[0]:
                return other
    return None


def costs_no_more(one: Row, other: Row) -> bool:
    """Whether `one` is sure to cost no more than `other`.

    Times that were measured one after the other do not tell, on a machine that does other things
    too.  What does: the same backbone and the same way to take frames, no more of them and no
    larger, and a head that costs no more, or next to nothing beside the features.
    """
    ours, theirs = one.point, other.point
    alike = all(
        getattr(ours, name) == getattr(theirs, name)
        for name in ("backbone", "sampling", "crop", "precision")
    )
    if not alike or ours.frames > theirs.frames or ours.side > theirs.side:
        return False
    extra = (one.ms_head or 0.0) - (other.ms_head or 0.0)
    return extra <= SAME_COST * (other.ms_per_clip or 0.0)


def interval(folds: Sequence[FoldResult]) -> tuple[float, float]:
    """95 % interval (Wilson) of the accuracy over all clips of some folds."""
    right = sum(round(fold.accuracy * fold.videos) for fold in folds)
    clips = sum(fold.videos for fold in folds)
    found = binomtest(right, clips).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
