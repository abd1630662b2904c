"""Differences between classifiers, their standard errors, and heads that are dropped early."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_clips import TASK, grouped, ordered
from vidclass.training import head_comparison
from vidclass.training.head_comparison import compare_heads, difference
from vidclass.training.presets import run_config


def test_a_constant_difference_is_certain() -> None:
    excess = difference(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.5, 2.5]), np.arange(3))
    assert (excess.mean, excess.error) == (0.5, 0.0)


def test_with_a_clip_a_group_it_is_the_usual_standard_error() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=50), rng.normal(size=50)
    excess = difference(one, other, np.arange(50))
    assert excess.mean == pytest.approx((one - other).mean())
    assert excess.error == pytest.approx((one - other).std(ddof=1) / np.sqrt(50))


def test_clips_of_a_group_do_not_count_as_independent() -> None:
    one = np.random.default_rng(1).normal(size=20)
    zeros, groups = np.zeros(20), np.arange(20)
    alone = difference(one, zeros, groups)
    # Each clip ten times: no more is known than before.
    repeated = difference(one.repeat(10), zeros.repeat(10), groups.repeat(10))
    assert repeated.error == pytest.approx(alone.error)
    assert difference(one.repeat(10), zeros.repeat(10), np.arange(200)).error < alone.error / 3


def test_one_group_tells_nothing_of_the_spread() -> None:
    assert difference(np.array([1.0, 3.0]), np.zeros(2), np.zeros(2, int)).error == 0.0


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9), st.integers(0, 4)), min_size=1))
def test_exchanging_the_two_changes_the_sign_alone(rows: list[tuple[float, float, int]]) -> None:
    one, other = (np.array([row[index] for row in rows]) for index in (0, 1))
    groups = np.array([row[2] for row in rows])
    forth, back = difference(one, other, groups), difference(other, one, groups)
    assert forth.mean == pytest.approx(-back.mean, abs=1e-12)
    assert forth.error == pytest.approx(back.error, abs=1e-12)


def test_a_head_that_is_clearly_worse_is_dropped_early(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []

    def train_poorly(name: str, *_: object, **__: object) -> SimpleNamespace:
        trained.append(name)
        return SimpleNamespace(probabilities=lambda data: np.full((len(data), 2), 0.5))

    monkeypatch.setattr(head_comparison, "fit_head", train_poorly)
    steps: list[tuple[str, int, int]] = []
    predictions = compare_heads(
        ["bigru", "temporal"],
        grouped(48),
        ordered(48),
        run_config(),
        task=TASK,
        folds=np.arange(48) // 12,
        progress=lambda *step: steps.append(step),
    )
    assert trained == ["bigru"]
    assert (predictions["bigru"].folds, predictions["temporal"].folds) == (1, 4)
    assert predictions["bigru"].evaluated.sum() == 12
    assert predictions["bigru"].accuracy == pytest.approx(0.5)
    assert steps[-1] == ("compare", 8, 8)
    assert [step[1] for step in steps] == sorted(step[1] for step in steps)
