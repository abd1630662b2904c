"""Duplicates by bytes and by features, the most harmful first."""

from __future__ import annotations

import numpy as np

from inspected_clips import manifest_of
from vidclass.audit.duplicates import DuplicateSet, duplicate_issues, find_duplicates
from vidclass.types import ClipFeatures


def test_exact_duplicates_and_what_they_are_across() -> None:
    manifest = manifest_of(
        label=["a", "a", "a", "b", "a", "a", "a"],
        group=["g", "g", "h", "i", "g", "j", "j"],
        split=["train", "train", "train", "test", "train", None, "train"],
        fold=[0, 0, 0, 0, 0, 1, 2],
    )
    keys = ["k0", "k0", "k1", "k1", None, "k2", "k2"]
    assert find_duplicates(manifest, keys, None) == [
        DuplicateSet((2, 3), 1.0, True, ("labels", "splits", "groups")),
        DuplicateSet((5, 6), 1.0, True, ("folds",)),
        DuplicateSet((0, 1), 1.0, True, ()),
    ]


def test_without_groups_each_file_is_its_own() -> None:
    manifest = manifest_of(label=["a", "a"])
    assert find_duplicates(manifest, ["k", "k"], None)[0].across == ("groups",)


def test_two_rows_of_one_video_are_no_duplicates() -> None:
    manifest = manifest_of(label=["a", "b"], video=["/v/x.avi", "/v/x.avi"])
    assert not find_duplicates(manifest, ["k", "k"], None)


def test_unreadable_clips_are_no_duplicates() -> None:
    assert not find_duplicates(manifest_of(label=["a", "a"]), [None, None], None)


def clip(seed: int, noise: float = 0.0) -> ClipFeatures:
    rng = np.random.default_rng(seed)
    frames = rng.normal(0, 1, (4, 64)) + noise * np.random.default_rng(99).normal(0, 1, (4, 64))
    return ClipFeatures(frames.astype(np.float16), np.arange(4.0))


def test_near_duplicates_but_not_the_exact_ones_again() -> None:
    manifest = manifest_of(label=["a", "a", "b", "a", "a"], group=["g", "h", "i", "j", "j"])
    features = [clip(0), clip(0), clip(0, noise=0.01), clip(1), None]
    duplicates = find_duplicates(manifest, ["k0", "k0", "k1", "k2", None], features)
    assert [(one.rows, one.exact, one.across) for one in duplicates] == [
        ((0, 2), False, ("labels", "groups")),
        ((0, 1), True, ("groups",)),
    ]
    assert 0.99 < duplicates[0].similarity <= 1


def test_duplicates_count_under_the_most_harmful_column() -> None:
    exact = DuplicateSet((0, 1, 2), 1.0, True, ("labels", "splits", "groups"))
    near = DuplicateSet((2, 3), 0.99, False, ("groups",))
    harmless = DuplicateSet((4, 5), 0.99, False, ())
    first, second, third = duplicate_issues([exact, near, harmless])
    assert (first.kind, first.severity, first.rows) == (
        "exact_duplicates_across_labels",
        "error",
        (0, 1, 2),
    )
    assert first.title == "1 set of exact duplicates across labels: 3 clips"
    assert (second.kind, second.severity) == ("near_duplicates_across_groups", "warning")
    assert (third.kind, third.severity) == ("duplicates_inside_groups", "note")
    assert third.title == "1 set of duplicates inside a group and a class"
    assert not duplicate_issues([])
