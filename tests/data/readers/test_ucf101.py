"""The official lists of UCF101."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError

Add = Callable[..., Path]


def rows(manifest: Manifest) -> list[tuple[str, str, str | None]]:
    return [(clip.video.name, clip.label, clip.split) for clip in manifest.clips()]


def test_ucf101_gives_the_first_official_split(ucf101: Path) -> None:
    manifest = Manifest.from_source(ucf101 / "UCF-101")
    assert rows(manifest) == [
        ("v_ApplyEyeMakeup_g08_c01.avi", "ApplyEyeMakeup", "train"),
        ("v_Diving_g08_c01.avi", "Diving", "train"),
        ("v_ApplyEyeMakeup_g01_c01.avi", "ApplyEyeMakeup", "test"),
        ("v_Diving_g01_c01.avi", "Diving", "test"),
    ]
    assert all(clip.video.is_file() for clip in manifest.clips())
    assert manifest.notes[:2] == (
        "read as ucf101: the official lists of UCF101 (classInd.txt, trainlist01.txt, "
        "testlist01.txt).",
        "official split 1 of 1, 2.",
    )


@pytest.mark.parametrize("source", ["", "UCF-101", "ucfTrainTestlist"])
def test_ucf101_may_be_given_by_any_of_its_folders(ucf101: Path, source: str) -> None:
    root = None if source != "ucfTrainTestlist" else ucf101 / "UCF-101"
    manifest = Manifest.from_source(ucf101 / source, root=root, official_split=2)
    assert rows(manifest)[0] == ("v_ApplyEyeMakeup_g01_c01.avi", "ApplyEyeMakeup", "train")
    assert all(clip.video.is_file() for clip in manifest.clips())


def test_ucf101_without_such_a_split(ucf101: Path) -> None:
    with pytest.raises(ManifestError, match=r"official split 3; there are lists for 1, 2\."):
        Manifest.from_source(ucf101 / "UCF-101", official_split=3)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classInd.txt", "1 ApplyEyeMakeup\nDiving\n", r"classInd\.txt, row 2 must be a number"),
        (
            "trainlist01.txt",
            "Diving/v_Diving_g08_c01.avi 1",
            r"trainlist01\.txt, row 1: .* has the class number '1', which is 'ApplyEyeMakeup'",
        ),
        ("testlist01.txt", "v_Diving_g01_c01.avi", r"row 1: .* must be CLASS/VIDEO with a class"),
        ("testlist01.txt", "\n\n", r"testlist01\.txt is empty"),
    ],
)
def test_ucf101_lists_that_are_wrong(
    ucf101: Path, add: Add, name: str, text: str, message: str
) -> None:
    add(f"ucfTrainTestlist/{name}", text)
    with pytest.raises(ManifestError, match=message):
        Manifest.from_source(ucf101 / "UCF-101")
