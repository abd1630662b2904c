"""Stored clips are read in blocks when needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidclass.errors import ConfigError, JobFailedError, StoreError
from vidclass.features.extract import Extraction
from vidclass.features.store.stored_clips import (
    BLOCK_CLIPS,
    MEMORY_VARIABLE,
    StoredClips,
    memory_mb,
)
from vidclass.types import ClipFeatures

D = 4


class Counting:
    """A source that counts the clips read from it; all features of clip k are k."""

    def __init__(self, count: int) -> None:
        self.clips = {f"k{n}": clip(n) for n in range(count)}
        self.reads: list[int] = []

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        self.reads.append(len(set(keys)))
        return {key: self.clips[key] for key in keys if key in self.clips}


def clip(number: int) -> ClipFeatures:
    return ClipFeatures(np.full((2, D), number, np.float16), np.arange(2.0))


def numbers(clips: Sequence[ClipFeatures]) -> list[int]:
    return [int(one.features[0, 0]) for one in clips]


@pytest.fixture
def source() -> Counting:
    return Counting(600)


@pytest.fixture
def large(source: Counting) -> StoredClips:
    return StoredClips(source, list(source.clips))


def test_it_is_a_sequence(large: StoredClips) -> None:
    assert (len(large), large.width, large.kept) == (600, D, False)
    assert numbers([large[0], large[599], large[-1]]) == [0, 599, 599]
    assert numbers(large[3:6]) == [3, 4, 5]
    assert numbers(large[::250]) == [0, 250, 500]
    assert numbers(list(large)) == list(range(600))
    assert numbers(large.read(np.array([5, 2, 5]))) == [5, 2, 5]
    with pytest.raises(IndexError):
        large[600]


def test_neighbours_are_read_together_and_nothing_else_stays(
    source: Counting, large: StoredClips
) -> None:
    assert numbers([large[row] for row in range(600)]) == list(range(600))
    assert source.reads == [BLOCK_CLIPS, BLOCK_CLIPS, 600 - 2 * BLOCK_CLIPS]
    source.reads.clear()
    list(large)
    assert max(source.reads) == BLOCK_CLIPS


def test_parts_and_joined_parts(source: Counting, large: StoredClips) -> None:
    part = large.at(np.array([9, 3]))
    assert source.reads == []
    assert numbers(list(part)) == [9, 3]
    assert numbers(list(part.joined(large.at(np.array([1, 9]))))) == [9, 3, 1, 9]
    with pytest.raises(StoreError, match="clips of two stores cannot be joined: .*one extraction"):
        part.joined(StoredClips(Counting(3), ["k0"]))


def test_a_set_that_fits_is_read_once(source: Counting) -> None:
    kept = StoredClips.from_source(source, [*source.clips, "k0"])
    assert kept.kept
    assert sum(source.reads) == 600
    assert numbers(list(kept)) == [*range(600), 0]
    assert numbers(list(kept.at(np.array([7]))) + kept[1:3]) == [7, 1, 2]
    assert sum(source.reads) == 600


def test_a_set_that_does_not_fit_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, "1")
    wide = ClipFeatures(np.zeros((4, 4096), np.float16), np.arange(4.0))  # 32 kB
    source = Counting(0)
    for count, kept in ((32, True), (33, False)):
        source.clips = {f"k{n}": wide for n in range(count)}
        assert StoredClips.from_source(source, list(source.clips)).kept is kept


def test_a_clip_that_was_removed_meanwhile_is_named(source: Counting, large: StoredClips) -> None:
    del source.clips["k7"]
    with pytest.raises(StoreError, match="clip k7 are not in the store any more.*Run the same"):
        list(large)


def test_the_memory_that_features_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MEMORY_VARIABLE, raising=False)
    assert memory_mb() == 768
    monkeypatch.setenv(MEMORY_VARIABLE, "300")
    assert memory_mb() == 300
    for wrong in ("0", "-1", "1.5", "much"):
        monkeypatch.setenv(MEMORY_VARIABLE, wrong)
        with pytest.raises(ConfigError, match=f"VIDCLASS_MEMORY_MB='{wrong}' must be a whole"):
            memory_mb()


def test_the_readable_clips_of_an_extraction(source: Counting) -> None:
    from vidclass.data.manifest import Manifest
    from vidclass.data.rows import Rows

    table = Rows.from_columns({"video": ["/a.avi", "/b.avi", "/c.avi"], "label": list("aab")}).table
    extraction = Extraction(Manifest(table), ["k4", None, "k2"], source, [], 0)
    rows, clips = extraction.rows, extraction.readable
    assert rows.tolist() == [0, 2]
    assert numbers(clips) == [4, 2]
    assert [one is None for one in extraction.clips] == [False, True, False]
    nothing = Extraction(Manifest(table), [None] * 3, source, [], 0)
    with pytest.raises(JobFailedError, match="none of the 3 clips could be read"):
        _ = nothing.readable
