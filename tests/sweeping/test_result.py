from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from made_rows import folds, row
from vidclass.sweeping.config import SweepConfig, SweepSpace
from vidclass.sweeping.result import (
    Row,
    SweepResult,
    accuracy_of_choosing,
    pareto_front,
    ranked,
)

PAIRS = st.lists(
    st.tuples(st.integers(1, 6).map(float), st.integers(0, 6).map(lambda n: n / 6)),
    max_size=12,
)


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


@given(PAIRS)
def test_nothing_dominates_the_front(pairs: list[tuple[float, float]]) -> None:
    front = pareto_front([cost for cost, _ in pairs], [accuracy for _, accuracy in pairs])
    assert len(front) == len(pairs)
    assert any(front) == bool(pairs)
    best = [pair for pair, is_best in zip(pairs, front, strict=True) if is_best]
    for pair, is_best in zip(pairs, front, strict=True):
        assert is_best != any(dominates(other, pair) for other in best)


@given(PAIRS, st.randoms())
def test_the_order_does_not_matter(pairs: list[tuple[float, float]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def best(some: list[tuple[float, float]]) -> list[tuple[float, float]]:
        front = pareto_front([cost for cost, _ in some], [accuracy for _, accuracy in some])
        return sorted(pair for pair, is_best in zip(some, front, strict=True) if is_best)

    assert best(pairs) == best(shuffled)


def test_the_front_rises_with_the_cost() -> None:
    rows = [row(0, 0.8, 30), row(1, 0.7, 10), row(2, 0.75, 40), row(3, 0.6, 10), row(4, 0.8, 31)]
    marked = ranked([*rows, row(5, 0.1, 9, state="pruned"), row(6, 0, 0, state="failed")])
    assert [(row.number, row.pareto) for row in marked] == [
        (0, True),
        (4, False),
        (2, False),
        (1, True),
        (3, False),
        (5, False),
        (6, False),
    ]


def test_the_choice_on_other_folds_is_scored_on_the_fold_left_out() -> None:
    # Each of these trials is best because of one lucky fold.
    lucky = np.array([[0.9, 0.5, 0.5], [0.5, 0.9, 0.5], [0.5, 0.5, 0.9]])
    assert accuracy_of_choosing(lucky) == 0.5
    clear = np.array([[0.9, 0.8, 0.7], [0.5, 0.5, 0.5]])
    assert accuracy_of_choosing(clear) == np.mean(clear[0])
    assert accuracy_of_choosing(clear[:1]) is None
    assert accuracy_of_choosing(clear[:, :1]) is None


def nested_accuracy(rows: list[Row]) -> float | None:
    return SweepResult(Path(), SweepSpace(), SweepConfig(), rows).accuracy_of_choosing


def test_rows_of_different_folds_are_not_compared() -> None:
    assert nested_accuracy([row(0, 0.8, 1), row(1, 0.6, 1)]) == np.mean([0.78, 0.82])
    short = Row(2, "complete", row(0, 0, 0).point, folds(0.5))
    assert nested_accuracy([row(0, 0.8, 1), short]) is None
    assert nested_accuracy([]) is None
