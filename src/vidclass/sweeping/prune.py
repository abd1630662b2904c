"""When to end a trial early: only where more folds could hardly change the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import binomtest

from vidclass.sweeping.rows import Row
from vidclass.training.crossval import FoldResult

# Two measurements of the same cost differ by as much on a machine that does other things too.
SAME_COST = 1.1


def beaten_by(folds: Sequence[FoldResult], ms_per_clip: float, others: Sequence[Row]) -> Row | None:
    """A finished trial that costs no more and is clearly better on the same folds; else None.

    Clearly better: on the clips of these folds, the two 95 % intervals (Wilson) do not touch.  For
    intervals of like width that is a difference of 2.8 standard errors.  Both trials saw the same
    clips, so their difference is in truth less uncertain than that: the rule errs towards going on.
    A trial that is cheaper than all of its betters is never ended: it may be on the front.  Nor is
    one that has no fold left to do.

    Args:
        folds: What the trial has got so far.
        ms_per_clip: What it costs.
        others: The finished ones.
    """
    for other in others:
        if other.ms_per_clip is None or other.ms_per_clip > ms_per_clip * SAME_COST:
            continue
        theirs = {fold.fold: fold for fold in other.folds}
        if len(folds) < len(theirs) and all(fold.fold in theirs for fold in folds):
            same = [theirs[fold.fold] for fold in folds]
            if interval(folds)[1] < interval(same)[0]:
                return other
    return None


def interval(folds: Sequence[FoldResult]) -> tuple[float, float]:
    """95 % interval (Wilson) of the accuracy over all clips of some folds."""
    right = sum(round(fold.accuracy * fold.videos) for fold in folds)
    clips = sum(fold.videos for fold in folds)
    found = binomtest(right, clips).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
