"""Which combination is tried next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vidclass.sweeping.settings import Sampler
from vidclass.sweeping.space import Point, SweepSpace, untried
from vidclass.sweeping.study import require_optuna

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
