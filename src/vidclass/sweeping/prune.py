"""When to end a trial early: only where more folds could hardly change the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import binomtest

from vidclass.sweeping.rows import Row
from vidclass.training.out_of_fold import FoldResult

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
