"""Failed clips are counted by class, and a class that lost all is named."""

from __future__ import annotations

import polars as pl
import pytest

from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA
from vidclass.features.failure_counts import Lost, lost_clips

LABELS = ["a", "a", "b", "a|c", "b"]
SPLITS = ["train", "test", "test", "test", None]


@pytest.fixture
def manifest() -> Manifest:
    rows = [
        (f"{k}.avi", label, None, split, None, 0.0, None, None)
        for k, (label, split) in enumerate(zip(LABELS, SPLITS, strict=True))
    ]
    return Manifest(pl.DataFrame(rows, schema=dict(SCHEMA), orient="row"))


def test_nothing_lost_is_nothing_to_tell(manifest: Manifest) -> None:
    lost = lost_clips(manifest, [False] * 5)
    assert (lost, lost.notes(), lost.whole_classes) == (Lost(), (), [])


def test_failures_are_counted_in_each_class(manifest: Manifest) -> None:
    lost = lost_clips(manifest, [True, False, False, True, True])
    assert lost.counts() == {"failed": 3, "failed_by_class": {"a": 2, "b": 1, "c": 1}}
    assert lost.notes() == (
        "3 clips failed and are in no score: 2 of 3 of 'a', 1 of 2 of 'b', 1 of 1 of 'c'",
        "no clip of 'c' could be read: this class is left out",
    )


def test_a_split_counts_its_own(manifest: Manifest) -> None:
    lost = lost_clips(manifest, [True, False, True, False, True], split="test")
    assert (lost.clips, lost.by_class, lost.whole_classes) == (1, {"b": 1}, ["b"])
    assert lost.notes()[0] == "1 clip failed and is in no score: 1 of 1 of 'b'"


def test_many_classes_are_told_in_part() -> None:
    names = {f"{k:02}": 1 for k in range(12)}
    lost = Lost(12, names, dict.fromkeys(names, 2))
    assert lost.notes()[0].endswith("1 of 2 of '09' and 2 more")
