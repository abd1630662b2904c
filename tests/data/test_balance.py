"""Assigning groups to splits with every class in each."""

from __future__ import annotations

import numpy as np

from vidclass.data.balance import (
    GroupClasses,
    best_assignment,
    complete_split,
    fill_missing_classes,
)


def test_missing_classes_are_filled_by_the_smallest_movable_group() -> None:
    groups = GroupClasses.from_labels(list("aaaabb"), list("112334"))
    assignment = fill_missing_classes(groups, np.zeros(4, dtype=np.int64), 2)
    assert (groups.groups_per_split(assignment, 2) > 0).all()
    # One group with both classes is enough for both gaps.
    groups = GroupClasses.from_labels(list("abab"), list("1122"))
    assert sorted(fill_missing_classes(groups, np.zeros(2, dtype=np.int64), 2)) == [0, 1]


def test_one_move_can_complete_train_for_two_classes() -> None:
    groups = GroupClasses.from_labels(list("ababc"), list("11223"))
    assignment = complete_split(groups, np.array([1, 1, 0]), 2, target=0)
    assert sorted(assignment[:2]) == [0, 1]


def test_a_draw_with_gaps_is_repeated_and_the_best_kept() -> None:
    groups = GroupClasses.from_labels(list("aab"), list("112"))
    calls = []

    def draw(rng: np.random.Generator) -> np.ndarray:
        calls.append(1)
        return rng.integers(2, size=2)

    assignment = best_assignment(groups, 2, seed=0, draw=draw)
    assert len(calls) == 20
    assert assignment.shape == (2,)


def test_a_clip_counts_for_each_of_its_classes() -> None:
    groups = GroupClasses.from_labels(["a|b", "a", "b|c"], ["x", "x", "y"])
    assert groups.labels == ["a", "b", "c"]
    assert groups.clips_per_class.tolist() == [2, 2, 1]
    assert [classes.tolist() for classes in groups.classes] == [[0, 1], [1, 2]]
    assert [clips.tolist() for clips in groups.clips] == [[2, 1], [1, 1]]
    assert groups.groups_per_class().tolist() == [1, 2, 1]
