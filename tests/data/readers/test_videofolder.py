"""Hugging Face videofolders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError

Add = Callable[..., Path]


def rows(manifest: Manifest) -> list[tuple[str, str, str | None]]:
    return [(clip.video.name, clip.label, clip.split) for clip in manifest.clips()]


def test_videofolder_with_a_table_for_each_split(add: Add) -> None:
    add("train/a.mp4", "x")
    add("train/b.mp4", "x")
    add("train/metadata.csv", "file_name,label\na.mp4,run\nb.mp4,wave\n")
    add("validation/c.mp4", "x")
    root = add("validation/metadata.jsonl", '{"file_name": "c.mp4", "label": "run"}\n')
    manifest = Manifest.from_source(root)
    assert rows(manifest) == [
        ("a.mp4", "run", "train"),
        ("b.mp4", "wave", "train"),
        ("c.mp4", "run", "validation"),
    ]
    assert manifest.notes[0].startswith("read as videofolder: a Hugging Face videofolder")


def test_videofolder_with_one_table_and_with_two(add: Add) -> None:
    add("clips/a.mp4", "x")
    root = add("metadata.csv", "file_name,label\nclips/a.mp4,run\n")
    assert rows(Manifest.from_source(root)) == [("a.mp4", "run", None)]
    add("metadata.jsonl", '{"file_name": "clips/a.mp4", "label": "run"}\n')
    with pytest.raises(ManifestError, match=r"has two tables: metadata\.csv and metadata\.jsonl"):
        Manifest.from_source(root)
