from __future__ import annotations

from typing import Any

import optuna
import pytest

from vidclass.sweeping.choose import distributions, next_point
from vidclass.sweeping.space import Point, SweepSpace
from vidclass.sweeping.study import quiet

SPACE = SweepSpace(
    backbone=("efficientnet_lite0",), frames=(4, 8, 16), head=("mean", "temporal", "gru", "lstm")
)


@pytest.fixture
def study() -> optuna.Study:
    with quiet():
        return optuna.create_study(directions=["maximize", "minimize"])


def walk(study: optuna.Study, sampler: Any, count: int, seed: int = 0) -> list[Point]:
    """The points that are tried one after the other; longer clips with `temporal` are best."""
    tried: list[Point] = []
    with quiet():
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


def test_a_grid_is_tried_in_its_order(study: optuna.Study) -> None:
    assert walk(study, "grid", 99) == SPACE.points()


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_nothing_is_tried_twice_and_in_the_end_everything_was(
    study: optuna.Study, sampler: str
) -> None:
    tried = walk(study, sampler, 99)
    assert len(tried) == len(set(tried)) == 12
    assert tried != SPACE.points()
    assert next_point(SPACE, study, tried, sampler="grid", seed=0) is None


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_order_follows_from_the_seed(study: optuna.Study, sampler: str) -> None:
    again, other = (optuna.create_study(directions=["maximize", "minimize"]) for _ in range(2))
    first = walk(study, sampler, 8)
    assert walk(again, sampler, 8) == first
    assert walk(other, sampler, 8, seed=1) != first


def test_tpe_goes_where_accuracy_and_cost_promise_most() -> None:
    found = [
        walk(optuna.create_study(directions=["maximize", "minimize"]), "tpe", 9, seed)
        for seed in range(5)
    ]
    # Of nine of the twelve, chance would find all three in 84 of 220 cases.
    best = {point for point in SPACE.points() if point.head == "temporal"}
    assert sum(best <= set(points) for points in found) >= 4
