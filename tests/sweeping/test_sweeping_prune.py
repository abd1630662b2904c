from __future__ import annotations

from dataclasses import replace

import pytest
from made_rows import folds, row

from vidclass.sweeping.prune import beaten_by, interval
from vidclass.sweeping.rows import Row


def finished(*accuracies: float, ms: float = 10.0) -> Row:
    return replace(row(7, 0.5, ms), folds=folds(*accuracies))


def test_clearly_worse_at_the_same_cost_is_ended() -> None:
    other = finished(0.8, 0.8, 0.8)
    assert beaten_by(folds(0.4), 10.0, [other]) is other
    assert beaten_by(folds(0.6, 0.56), 10.0, [other]) is other


def test_what_more_folds_could_change_goes_on() -> None:
    other = finished(0.8, 0.8, 0.8)
    assert beaten_by(folds(0.62), 10.0, [other]) is None
    few = replace(other, folds=folds(0.8, 0.8, videos=5))
    assert beaten_by(folds(0.4, videos=5), 10.0, [few]) is None


def test_what_is_cheaper_than_its_betters_goes_on() -> None:
    dear = finished(0.9, 0.9, 0.9, ms=12.0)
    assert beaten_by(folds(0.1), 10.0, [dear]) is None
    assert beaten_by(folds(0.1), 10.95, [dear]) is dear  # as good as the same cost


def test_only_the_same_folds_are_compared() -> None:
    # The first fold is hard for everyone; the mean of the other is no measure for it.
    other = finished(0.3, 0.95, 0.95)
    assert beaten_by(folds(0.3), 10.0, [other]) is None
    assert beaten_by(folds(0.1), 10.0, [finished(0.9)]) is None  # it has no fold more to give
    assert beaten_by(folds(0.1), 10.0, [replace(other, folds=folds(0.9, 0.9)[1:])]) is None


def test_the_last_fold_is_not_thrown_away() -> None:
    assert beaten_by(folds(0.1, 0.1), 10.0, [finished(0.9, 0.9)]) is None


def test_the_interval_is_that_of_all_clips_together() -> None:
    low, high = interval(folds(0.5, 1.0, videos=20))
    assert low < 0.75 < high
    assert (low, high) == pytest.approx((0.598, 0.858), abs=2e-3)
