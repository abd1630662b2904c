"""Clips and groups per class and split."""

from __future__ import annotations

from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.data.split_summary import SplitCount, split_summary


def test_clips_and_groups_of_each_class() -> None:
    columns = {
        "video": ["/1", "/2", "/3", "/4", "/5"],
        "label": ["a|b", "a", "b", "b", "a"],
        "group": ["g", "g", None, None, None],
        "split": ["test", "test", "test", "train", None],
        "fold": [10, 10, 2, 2, 2],
    }
    manifest = Manifest(Rows.from_columns(columns).table)
    assert split_summary(manifest, "split") == {
        "train": {"": SplitCount(1, 1), "a": SplitCount(0, 0), "b": SplitCount(1, 1)},
        "test": {"": SplitCount(3, 2), "a": SplitCount(2, 1), "b": SplitCount(2, 2)},
    }
    assert list(split_summary(manifest, "fold")) == ["2", "10"]
