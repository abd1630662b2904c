"""Near duplicates: copies are found, strangers are not, by product and by search alike."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.errors import ConfigError, ShapeError, StoreError
from vidclass.features import near_duplicates as module
from vidclass.features.near_duplicates import (
    NearDuplicate,
    clip_vector,
    duplicate_groups,
    near_duplicates,
)
from vidclass.types import ClipFeatures


def clip_of(rows: object) -> ClipFeatures:
    features = np.asarray(rows, np.float16)
    return ClipFeatures(features, np.arange(len(features), dtype=np.float64))


def scenes(count: int, *, copies: int, noise: float = 0.3, seed: int = 0) -> list[ClipFeatures]:
    """Clips in an order without meaning; clip i is of scene `i % count`."""
    random = np.random.default_rng(seed)
    base = random.normal(size=(count, 8, 24))
    return [
        clip_of(base[row % count] + noise * random.normal(size=(8, 24)))
        for row in range(count * copies)
    ]


def test_copies_are_found_and_the_strongest_come_first() -> None:
    first, second = scenes(2, copies=1)
    random = np.random.default_rng(1)
    rough = clip_of(first.features + 0.4 * random.normal(size=(8, 24)))
    found = near_duplicates([rough, second, first, None, first])
    assert [(pair.first, pair.second) for pair in found] == [(2, 4), (0, 2), (0, 4)]
    assert found[0].similarity == pytest.approx(1, abs=1e-4)
    assert 0.85 < found[1].similarity == found[2].similarity < 1
    assert near_duplicates([rough, first], threshold=0.99) == []


def test_clips_are_compared_in_time() -> None:
    there = np.eye(4).repeat(3, axis=0)
    assert near_duplicates([clip_of(there), clip_of(there[::-1])]) == []
    # The same course in other numbers of frames, also in fewer than there are quarters.
    twice = clip_of(there.repeat(2, axis=0))
    assert len(near_duplicates([clip_of(there), twice, clip_of(np.eye(4))])) == 3
    still = [clip_of(np.ones((count, 3))) for count in (1, 2, 3, 7)]
    assert len(near_duplicates(still)) == 6


def test_the_vector_is_the_means_of_the_quarters() -> None:
    vector = clip_vector(clip_of([[8.0], [2.0], [0.0], [0.0], [4.0], [4.0]]))
    # Quarters are one and a half frames long: 8 8 2, 2 0 0, ...
    expected = np.array([6, 4 / 6, 8 / 6, 4])
    assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-3)


def test_what_cannot_be_compared_is_like_nothing() -> None:
    empty = clip_of(np.zeros((0, 3)))
    zero = clip_of(np.zeros((2, 3)))
    assert near_duplicates([empty, None, zero, zero, empty]) == []
    assert duplicate_groups([empty, None, zero, zero]).tolist() == [0, 1, 2, 3]
    assert near_duplicates([]) == []


def test_a_chain_is_one_group_and_groups_are_numbered_in_order() -> None:
    angles = np.deg2rad([0, 180, 25, 50])
    clips = [clip_of([[np.cos(a), np.sin(a)]]) for a in angles]
    assert near_duplicates([clips[0], clips[3]]) == []
    assert duplicate_groups(clips).tolist() == [0, 1, 0, 0]
    assert duplicate_groups([clips[1], *clips]).tolist() == [0, 1, 0, 1, 1]


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 40), st.integers(1, 12), st.sampled_from([0.5, 0.85]), st.integers(0, 99))
def test_search_and_product_agree(count: int, copies: int, threshold: float, seed: int) -> None:
    clips: list[ClipFeatures | None] = [*scenes(count, copies=copies, seed=seed), None]
    with pytest.MonkeyPatch.context() as patch:
        exact = near_duplicates(clips, threshold=threshold)
        groups = duplicate_groups(clips, threshold=threshold)
        patch.setattr(module, "EXACT_CLIPS", 0)
        searched = near_duplicates(clips, threshold=threshold)
        assert duplicate_groups(clips, threshold=threshold).tolist() == groups.tolist()
    assert {(pair.first, pair.second) for pair in searched} == {
        (pair.first, pair.second) for pair in exact
    }
    for one, other in zip(searched, exact, strict=True):
        assert one.similarity == pytest.approx(other.similarity, abs=1e-5)


def test_more_copies_than_a_search_first_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_CLIPS", 0)
    clips = scenes(3, copies=50, noise=0.1)
    assert len(near_duplicates(clips)) == 3 * 50 * 49 / 2
    assert duplicate_groups(clips).tolist() == [row % 3 for row in range(150)]


def test_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = scenes(700, copies=3, noise=0.2)
    expected = [(row, row + step) for step in (700, 1400) for row in range(2100 - step)]
    for exact_clips in (5000, 0):
        monkeypatch.setattr(module, "EXACT_CLIPS", exact_clips)
        found = near_duplicates(clips)
        assert sorted((pair.first, pair.second) for pair in found) == sorted(expected)
        assert duplicate_groups(clips).tolist() == [row % 700 for row in range(2100)]


def test_a_search_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "EXACT_CLIPS", 0)
    assert near_duplicates(scenes(2, copies=2)) != []
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = scenes(2, copies=2)
    for threshold in (0.0, 1.0):
        with pytest.raises(ConfigError, match=rf"threshold={threshold} must be between 0 and 1"):
            near_duplicates(clips, threshold=threshold)
    with pytest.raises(ShapeError, match=r"different widths cannot be compared: \[3, 24\]"):
        near_duplicates([*clips, clip_of(np.ones((2, 3)))])

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(module, "EXACT_CLIPS", 0)
    monkeypatch.setattr("lance.write_dataset", full_disk)
    with pytest.raises(StoreError, match=r"No space left on device\. Free some disk space, or set"):
        near_duplicates(clips)


def test_pairs_are_plain_values() -> None:
    assert NearDuplicate(0, 1, 0.9) == NearDuplicate(first=0, second=1, similarity=0.9)
