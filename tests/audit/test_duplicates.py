"""Duplicates by bytes and by features, the harmful first."""

from __future__ import annotations

import numpy as np

from inspected_clips import manifest_of
from vidclass.audit.duplicates import Duplicates, find_duplicates
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
        Duplicates((2, 3), 1.0, True, ("labels", "splits", "groups")),
        Duplicates((5, 6), 1.0, True, ("folds",)),
        Duplicates((0, 1), 1.0, True, ()),
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
    found = find_duplicates(manifest, ["k0", "k0", "k1", "k2", None], features)
    assert [(one.rows, one.exact, one.across) for one in found] == [
        ((0, 2), False, ("labels", "groups")),
        ((0, 1), True, ("groups",)),
    ]
    assert 0.99 < found[0].similarity <= 1
