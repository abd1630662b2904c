"""The right reader for a source, and options that it must use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, ManifestError

Touch = Callable[..., Path]
Add = Callable[..., Path]


def test_root_has_no_meaning_for_a_class_folder(touch: Touch) -> None:
    root = touch("a/1.mp4")
    with pytest.raises(ConfigError, match=r"root=.* read as folder: it is for .*table"):
        Manifest.from_source(root, root=root)


def test_a_missing_source_names_what_is_near(touch: Touch) -> None:
    root = touch("clips/a/1.mp4")
    with pytest.raises(
        ManifestError, match=r"'.*clip' does not exist\. Did you mean 'clips'\? A S"
    ):
        Manifest.from_source(root / "clip")
    with pytest.raises(ManifestError, match=r"does not exist\. A SOURCE is a folder with"):
        Manifest.from_source(root / "no" / "where")
    with pytest.raises(ManifestError, match=r"the source '' does not exist"):
        Manifest.from_source("")


def test_one_video_or_a_stranger_is_no_source(touch: Touch) -> None:
    root = touch("1.MP4", "notes.pdf")
    with pytest.raises(ManifestError, match=r"is one video, without a label\. A SOURCE is"):
        Manifest.from_source(root / "1.MP4")
    with pytest.raises(ManifestError, match=r"is not a source of labelled videos\. A SOURCE is"):
        Manifest.from_source(root / "notes.pdf")


def test_root_must_be_a_folder(touch: Touch) -> None:
    with pytest.raises(ManifestError, match=r"root='nowhere' is not a folder"):
        Manifest.from_source(touch("a/1.mp4"), root="nowhere")


def test_a_format_can_be_forced_and_must_fit(ucf101: Path, add: Add) -> None:
    manifest = Manifest.from_source(ucf101 / "UCF-101", format="folder")
    assert {clip.split for clip in manifest.clips()} == {None}
    with pytest.raises(ConfigError, match=r"format='hmdb' is not one of .* mean 'hmdb51'\?"):
        Manifest.from_source(ucf101, format="hmdb")
    with pytest.raises(
        ManifestError, match=r"cannot be read as hmdb51, .*\. It looks like ucf101: the official"
    ):
        Manifest.from_source(ucf101, format="hmdb51")
    with pytest.raises(ManifestError, match=r"cannot be read as kinetics, a Kinetics CSV"):
        Manifest.from_source(add("x.pdf", "") / "x.pdf", format="kinetics")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"official_split": 2}, r"official_split=2 means nothing for .*, read as folder: it is "),
        (
            {"multi_label": True},
            r"multi_label=True means nothing .* for label_studio, .*table",
        ),
        ({"fps": 0.0}, r"fps=0\.0 must be more than 0 and at most 1000"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    add: Add, options: dict[str, object], message: str
) -> None:
    root = add("clips/a/1.mp4", "x")
    with pytest.raises(ConfigError, match=message):
        Manifest.from_source(root / "clips", **options)  # type: ignore[arg-type]


def test_files_of_options_must_exist(add: Add) -> None:
    root = add("clips/a/1.mp4", "x")
    with pytest.raises(ManifestError, match=r"labels='no\.txt' is not a file"):
        Manifest.from_source(root / "clips", labels="no.txt")


def test_ucf11(shared: Path) -> None:
    manifest = Manifest.from_source(shared / "data" / "ucf11_9class" / "groups.csv")
    assert (len(manifest), len(manifest.labels)) == (274, 9)
    assert manifest.table["group"].n_unique() == 45
    assert sorted(manifest.table["fold"].unique()) == [0, 1, 2, 3, 4]
    assert manifest.notes == ()


def test_ucf101(shared: Path) -> None:
    manifest = Manifest.from_source(shared / "data" / "ucf101_tiny")
    assert (len(manifest), len(manifest.labels)) == (15, 3)
    assert set(manifest.table["group"]) == {
        "v_ApplyEyeMakeup_g01",
        "v_BenchPress_g01",
        "v_Diving_g01",
    }
