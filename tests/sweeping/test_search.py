from __future__ import annotations

from dataclasses import replace
from typing import Any

import optuna
import pytest

from made_rows import folds, row
from vidclass.sweeping.config import Point, SweepSpace
from vidclass.sweeping.result import Row
from vidclass.sweeping.search import (
    accuracy_interval,
    better_row,
    costs_no_more,
    distributions,
    next_point,
)
from vidclass.sweeping.study import quiet_optuna

SPACE = SweepSpace(
    backbone=("efficientnet_lite0",), frames=(4, 8, 16), head=("mean", "temporal", "gru", "lstm")
)


@pytest.fixture
def study() -> optuna.Study:
    with quiet_optuna():
        return optuna.create_study(directions=["maximize", "minimize"])


def walk(study: optuna.Study, sampler: Any, count: int, seed: int = 0) -> list[Point]:
    """Return the points tried in order; longer clips with `temporal` are best."""
    tried: list[Point] = []
    with quiet_optuna():
        for _ in range(count):
            point = next_point(SPACE, study, tried, sampler=sampler, seed=seed)
            if point is None:
                break
            study.enqueue_trial(point.values())
            trial = study.ask(distributions(SPACE))
            accuracy = 0.5 + 0.3 * (point.head == "temporal") + point.frames / 100
            study.tell(trial, (accuracy, float(point.frames)))
            tried.append(point)
    return tried


def test_a_grid_is_tried_in_order(study: optuna.Study) -> None:
    assert walk(study, "grid", 99) == SPACE.points()


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_every_point_is_tried_exactly_once(study: optuna.Study, sampler: str) -> None:
    tried = walk(study, sampler, 99)
    assert len(tried) == len(set(tried)) == 12
    assert tried != SPACE.points()
    assert next_point(SPACE, study, tried, sampler="grid", seed=0) is None


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_order_depends_on_the_seed(study: optuna.Study, sampler: str) -> None:
    again, other = (optuna.create_study(directions=["maximize", "minimize"]) for _ in range(2))
    first = walk(study, sampler, 8)
    assert walk(again, sampler, 8) == first
    assert walk(other, sampler, 8, seed=1) != first


def test_tpe_favours_promising_accuracy_and_cost() -> None:
    searches = [
        walk(optuna.create_study(directions=["maximize", "minimize"]), "tpe", 9, seed)
        for seed in range(5)
    ]
    # Of nine of the twelve, chance would find all three in 84 of 220 cases.
    best = {point for point in SPACE.points() if point.head == "temporal"}
    assert sum(best <= set(points) for points in searches) >= 4


def finished(*accuracies: float, **changes: Any) -> Row:
    return replace(row(7, 0.5, 10.0, **changes), folds=folds(*accuracies))


def running(*accuracies: float, videos: int = 50, ms_head: float = 0.5, **changes: Any) -> Row:
    partial = row(8, 0.5, 10.0, state="pruned", **changes)
    return replace(partial, folds=folds(*accuracies, videos=videos), ms_head=ms_head)


def test_a_clearly_worse_trial_at_the_same_cost_is_ended() -> None:
    other = finished(0.8, 0.8, 0.8)
    assert better_row(running(0.4), [other]) is other
    assert better_row(running(0.6, 0.56), [finished(0.7, 0.6, 0.7), other]) is other


def test_a_trial_that_more_folds_could_save_continues() -> None:
    assert better_row(running(0.62), [finished(0.8, 0.8, 0.8)]) is None
    few = replace(finished(0.8), folds=folds(0.8, 0.8, videos=5))
    assert better_row(running(0.4, videos=5), [few]) is None


def test_only_the_same_folds_are_compared() -> None:
    # The first fold is hard for everyone; the mean of the other is no measure for it.
    assert better_row(running(0.3), [finished(0.3, 0.95, 0.95)]) is None
    others = replace(finished(0.9), folds=folds(0.9, 0.9, 0.9)[1:])
    assert better_row(running(0.1), [others]) is None


def test_a_trial_on_its_last_fold_continues() -> None:
    assert better_row(running(0.1, 0.1), [finished(0.9, 0.9)]) is None


@pytest.mark.parametrize(
    ("point", "no_more"),
    [
        ({}, True),
        ({"frames": 4}, True),
        ({"frames": 16}, False),
        ({"size": 160}, True),
        ({"size": 256}, False),
        ({"frames": 4, "size": 256}, False),
        ({"head": "temporal"}, True),
        ({"precision": "int8"}, False),
        ({"crop": "whole"}, False),
        ({"sampling": "first"}, False),
        ({"backbone": "MobileNetV2"}, False),  # it may be cheaper, but that is not certain
    ],
)
def test_only_a_row_that_certainly_costs_no_more_ends_a_trial(
    point: dict[str, Any], no_more: bool
) -> None:
    other = finished(0.9, 0.9, 0.9, **point)
    assert costs_no_more(other, running(0.1)) is no_more
    assert (better_row(running(0.1), [other]) is other) is no_more


def test_the_cost_of_a_head_counts_relative_to_its_features() -> None:
    expensive = replace(finished(0.9, 0.9, 0.9), ms_head=1.7)
    assert better_row(running(0.1, ms_head=0.5), [expensive]) is None
    assert better_row(running(0.1, ms_head=0.9), [expensive]) is expensive  # 0.8 of 10 ms


def test_the_interval_is_over_all_clips_together() -> None:
    low, high = accuracy_interval(folds(0.5, 1.0, videos=20))
    assert low < 0.75 < high
    assert (low, high) == pytest.approx((0.598, 0.858), abs=2e-3)
