"""The split files of HMDB51."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError

Add = Callable[..., Path]


def rows(manifest: Manifest) -> list[tuple[str, str, str | None]]:
    return [(clip.video.name, clip.label, clip.split) for clip in manifest.clips()]


@pytest.fixture
def hmdb51(add: Add) -> Path:
    for label in ("brush_hair", "wave"):
        for number in range(3):
            add(f"{label}/{label}_{number}.avi", "x")
        add(
            f"test_train_splits/{label}_test_split1.txt",
            f"{label}_0.avi 1 \n{label}_1.avi 2 \n{label}_2.avi 0 \n",
        )
        root = add(
            f"test_train_splits/{label}_test_split2.txt", f"{label}_0.avi 2 \n{label}_1.avi 1 \n"
        )
    return root


def test_hmdb51_gives_a_split_and_counts_what_it_leaves_out(hmdb51: Path) -> None:
    manifest = Manifest.from_source(hmdb51)
    assert rows(manifest) == [
        ("brush_hair_0.avi", "brush_hair", "train"),
        ("brush_hair_1.avi", "brush_hair", "test"),
        ("wave_0.avi", "wave", "train"),
        ("wave_1.avi", "wave", "test"),
    ]
    assert all(clip.video.is_file() for clip in manifest.clips())
    assert "2 clips not used by this split left out." in manifest.notes
    second = Manifest.from_source(hmdb51 / "test_train_splits", root=hmdb51, official_split=2)
    assert rows(second)[0] == ("brush_hair_0.avi", "brush_hair", "test")


def test_hmdb51_that_is_wrong(hmdb51: Path, add: Add) -> None:
    with pytest.raises(ManifestError, match=r"no files of the official split 9; .* of 1, 2\."):
        Manifest.from_source(hmdb51, official_split=9)
    add("test_train_splits/wave_test_split1.txt", "wave_0.avi 1\nwave_1.avi 3\n")
    with pytest.raises(
        ManifestError, match=r"wave_test_split1\.txt, row 2 must be a video and 0, 1 or 2: 'wave_1"
    ):
        Manifest.from_source(hmdb51)
