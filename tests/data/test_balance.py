"""Assigning groups to splits with every class in each."""

from __future__ import annotations

import numpy as np

from vidclass.data.balance import (
    GroupClasses,
    best_assignment,
    complete_split,
    fill_missing_classes,
)


def test_gaps_are_filled_by_the_smallest_spare_unit() -> None:
    units = GroupClasses.from_labels(list("aaaabb"), list("112334"))
    part = fill_missing_classes(units, np.zeros(4, dtype=np.int64), 2)
    assert (units.groups_per_split(part, 2) > 0).all()
    # One unit with both classes is enough for both gaps.
    units = GroupClasses.from_labels(list("abab"), list("1122"))
    assert sorted(fill_missing_classes(units, np.zeros(2, dtype=np.int64), 2)) == [0, 1]


def test_one_move_can_complete_train_for_two_classes() -> None:
    units = GroupClasses.from_labels(list("ababc"), list("11223"))
    part = complete_split(units, np.array([1, 1, 0]), 2, target=0)
    assert sorted(part[:2]) == [0, 1]


def test_a_hopeless_draw_is_repeated_and_the_nearest_kept() -> None:
    units = GroupClasses.from_labels(list("aab"), list("112"))
    calls = []

    def draw(rng: np.random.Generator) -> np.ndarray:
        calls.append(1)
        return rng.integers(2, size=2)

    part = best_assignment(units, 2, seed=0, draw=draw)
    assert len(calls) == 20
    assert part.shape == (2,)


def test_units_count_a_clip_for_each_of_its_classes() -> None:
    units = GroupClasses.from_labels(["a|b", "a", "b|c"], ["x", "x", "y"])
    assert units.labels == ["a", "b", "c"]
    assert units.clips_per_class.tolist() == [2, 2, 1]
    assert [classes.tolist() for classes in units.classes] == [[0, 1], [1, 2]]
    assert [clips.tolist() for clips in units.clips] == [[2, 1], [1, 1]]
    assert units.groups_per_class().tolist() == [1, 2, 1]
