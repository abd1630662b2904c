"""Class folders, split folders and image sequences become rows, or an error says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError

Touch = Callable[..., Path]
Write = Callable[..., Path]


def names(manifest: Manifest) -> list[str]:
    return [clip.video.name for clip in manifest.clips()]


def test_class_folders_are_read_at_any_depth(touch: Touch) -> None:
    root = touch("b/2.MP4", "b/deep/er/1.avi", "a b/x'y.mkv", "é/ü ö.webm", "b/.hid.mp4")
    touch("b/notes.txt", "b/.git/z.mp4", "__MACOSX/b/2.mp4", "empty/readme.md", "loose.mp4")
    touch("groups.csv")
    manifest = Manifest.from_source(root)
    assert manifest.labels == ["a b", "b", "é"]
    assert names(manifest) == ["x'y.mkv", "2.MP4", "1.avi", "ü ö.webm"]
    assert manifest.table["split"].null_count() == 4
    assert "1 hidden file ignored." in manifest.notes
    assert "1 hidden folder ignored." in manifest.notes
    assert "3 other files ignored." in manifest.notes
    assert "1 video outside class folders ignored." in manifest.notes
    assert "folders without videos: 'empty'." in manifest.notes
    assert "tables not read: 'groups.csv'; to use one, give it as the source." in manifest.notes


@pytest.mark.parametrize("word", ["val", "valid", "validation"])
def test_split_folders_fill_the_split(touch: Touch, word: str) -> None:
    root = touch("train/a/1.mp4", "train/b/2.mp4", f"{word}/a/3.mp4", "test/b/4.mp4", "doc/x.txt")
    manifest = Manifest.from_source(str(root))
    split_by_name = {clip.video.name: clip.split for clip in manifest.clips()}
    assert split_by_name == {
        "1.mp4": "train",
        "2.mp4": "train",
        "3.mp4": "validation",
        "4.mp4": "test",
    }
    assert names(manifest.where(split="validation")) == ["3.mp4"]


def test_a_class_may_be_called_train(touch: Touch) -> None:
    root = touch("train/1.mp4", "bus/2.mp4")
    assert Manifest.from_source(root).labels == ["bus", "train"]


def test_splits_beside_classes_are_refused(touch: Touch) -> None:
    root = touch("train/a/1.mp4", "test/a/2.mp4", "extra/3.mp4")
    with pytest.raises(ManifestError, match=r"splits 'test', 'train' beside other .* 'extra'\. Mo"):
        Manifest.from_source(root)


def test_a_folder_of_loose_videos_is_refused(touch: Touch) -> None:
    root = touch("1.mp4", "2.mp4", "empty/readme.md")
    with pytest.raises(ManifestError, match=r"has 2 videos directly in it and no class sub-folder"):
        Manifest.from_source(root)


def test_a_split_folder_of_loose_videos_is_refused(touch: Touch) -> None:
    root = touch("train/1.mp4", "test/2.mp4")
    with pytest.raises(ManifestError, match=r"test' has 1 video directly in it"):
        Manifest.from_source(root)


def test_a_folder_without_videos_is_refused(touch: Touch) -> None:
    with pytest.raises(ManifestError, match=r"no videos below .* Known extensions: \.3gp .*\.avi"):
        Manifest.from_source(touch("a/readme.md"))


def test_a_name_that_is_not_unicode_is_refused(touch: Touch) -> None:
    try:
        root = touch("a/bad\udce9.mp4")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system has only Unicode names")
    with pytest.raises(ManifestError, match=r"not valid Unicode: rename"):
        Manifest.from_source(root)


def test_a_folder_that_cannot_be_read_is_named(
    touch: Touch, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = touch("a/1.mp4")

    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch, pytest.raises(ManifestError, match="cannot be read: Perm"):
        patch.setattr("os.scandir", refuse)
        Manifest.from_source(root)
    with monkeypatch.context() as patch, pytest.raises(ManifestError, match="Permission denied"):
        patch.setattr(Path, "iterdir", refuse)
        Manifest.from_source(root)


def test_image_sequences_are_videos_with_a_given_rate(write: Write) -> None:
    for label in ("run", "wave"):
        for number in (1, 2):
            write(f"clips/{label}/first/img_{number:05}.jpg")
        root = write(f"clips/{label}/film.mp4").parents[1]
    with pytest.raises(
        ManifestError,
        match=r"2 image sequences without a frame rate: .*run/first.* with `fps`, or in a",
    ):
        Manifest.from_source(root)
    clips = Manifest.from_source(root, fps=12.5).clips()
    assert [(clip.video.name, clip.label, clip.fps) for clip in clips] == [
        ("film.mp4", "run", None),
        ("first", "run", 12.5),
        ("film.mp4", "wave", None),
        ("first", "wave", 12.5),
    ]


def test_a_class_folder_may_name_several_classes(write: Write) -> None:
    root = write("clips/wave|run/1.mp4").parents[1]
    assert Manifest.from_source(root).clips()[0].label == "run|wave"
    write("clips/wave|/2.mp4")
    with pytest.raises(ManifestError, match=r"wave\|' names no class: a bar stands"):
        Manifest.from_source(root)
