"""Copies and near duplicates stay on one side."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidclass.config import SplitConfig
from vidclass.data.checks import find_leaks, require_no_issues
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import LeakError, ManifestError
from vidclass.features import grouping
from vidclass.features.grouping import join_copies, join_near_duplicates, regrouped
from vidclass.types import ClipFeatures


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Manifest]:
    """A manifest of files with the given contents, all taken for videos; None writes no file."""
    monkeypatch.setattr(grouping, "_is_video", lambda video: True)

    def make(*contents: str | None, **columns: list[object]) -> Manifest:
        videos = [tmp_path / "set" / f"{number}.avi" for number in range(len(contents))]
        videos[0].parent.mkdir(exist_ok=True)
        for video, content in zip(videos, contents, strict=True):
            if content is not None:
                video.write_text(content)
        named = {"video": [str(video) for video in videos], "label": ["a"] * len(videos)}
        return Manifest(Rows.from_columns(named | columns).table)

    return make


def test_copies_share_a_group_and_are_named(files: Callable[..., Manifest]) -> None:
    manifest = files("same", "else", "same", "as long!", "same")
    joined = join_copies(manifest)
    name = str(Path("set/0.avi"))
    assert joined.table["group"].to_list() == [
        f"copies of {name}", None, f"copies of {name}", None, f"copies of {name}",
    ]  # fmt: skip
    others = [repr(str(Path(f"set/{number}.avi"))) for number in (0, 2, 4)]
    assert joined.notes == (
        f"the same content under several names stays on one side: {' = '.join(others)}.",
    )


def test_the_same_error_page_under_many_names_is_no_copy_of_a_video(
    tmp_path: Path, tiny_video: Callable[..., Path]
) -> None:
    video = tiny_video("a.avi", frames=3)
    shutil.copy(video, tmp_path / "b.avi")
    for name in ("c.avi", "d.avi"):
        (tmp_path / name).write_text("<html>404</html>")
    videos = [str(tmp_path / f"{name}.avi") for name in "abcd"]
    joined = join_copies(Manifest(Rows.from_columns({"video": videos, "label": ["x"] * 4}).table))
    first, second, *rest = joined.table["group"].to_list()
    assert first == second == f"copies of {Path(tmp_path.name) / 'a.avi'}"
    assert rest == [None, None]


def test_copies_bring_their_groups_together(files: Callable[..., Manifest]) -> None:
    joined = join_copies(files("same", "same", "x", "y", group=["g", "h", "h", None]))
    assert joined.table["group"].to_list() == ["g + h", "g + h", "g + h", None]


def test_a_copy_in_the_same_group_is_no_news(files: Callable[..., Manifest]) -> None:
    manifest = files("same", "same", group=["g", "g"])
    assert join_copies(manifest) is manifest


def test_only_files_of_one_size_are_read(
    files: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(grouping, "identify", lambda videos: read.extend(videos) or iter(()))
    # Missing files, empty ones and folders are no copies of one another.
    manifest = files("1", "22", None, None, "", "", "33")
    assert join_copies(manifest) is manifest
    assert [video.name for video in read] == ["1.avi", "6.avi"]


def test_groups_as_configured(files: Callable[..., Manifest]) -> None:
    manifest = files("same", "same", "x", group=["g", "h", "g"])
    assert regrouped(manifest, SplitConfig()).table["group"].n_unique() == 1
    assert regrouped(manifest, SplitConfig(allow_leak=True)) is manifest
    alone = regrouped(manifest, SplitConfig(groups="none"))
    assert alone.table["group"].is_null().to_list() == [False, False, True]
    pattern = regrouped(manifest, SplitConfig(group_pattern=r"(\d)\.avi"))
    assert pattern.table["group"].to_list() == ["0 + 1", "0 + 1", "2"]
    with pytest.raises(ManifestError, match=r"groups='parent': no video lies in a folder"):
        regrouped(manifest, SplitConfig(groups="parent"))


def clip_of(angle_deg: float) -> ClipFeatures:
    angle = np.deg2rad(angle_deg)
    return ClipFeatures(np.array([[np.cos(angle), np.sin(angle)]], np.float16), np.zeros(1))


def test_near_duplicates_never_split_a_known_group(files: Callable[..., Manifest]) -> None:
    manifest = files(*map(str, range(7)), group=["g", "g", "h", None, None, None, None])
    clips = [clip_of(angle) for angle in (0, 90, 93, 180, 185, 270)]
    joined = join_near_duplicates(manifest, [*clips, None])
    like = f"like {Path('set/3.avi')}"
    assert joined.table["group"].to_list() == ["g + h"] * 3 + [like, like, None, None]
    assert joined.notes == (
        "near duplicates joined 5 clips: 6 videos and groups to keep apart became 4.",
    )


def test_no_near_duplicates(files: Callable[..., Manifest]) -> None:
    manifest = files("0", "1", "2", group=["g", "g", None])
    joined = join_near_duplicates(manifest, [clip_of(0), clip_of(1), clip_of(90)])
    assert joined.table.equals(manifest.table)
    assert joined.notes == ("no near duplicates were found outside the known groups.",)
    close = [clip_of(0), clip_of(0), clip_of(15)]
    assert join_near_duplicates(manifest, close).table["group"].to_list() == ["g"] * 3
    assert join_near_duplicates(manifest, close, threshold=0.99).table.equals(manifest.table)


def test_a_moved_copy_is_still_a_copy(tiny_video: Callable[..., Path], tmp_path: Path) -> None:
    first = tiny_video()
    second = Path(shutil.copy(first, tmp_path / "other name.avi"))
    rows = {"video": [str(first), str(second)], "label": ["a", "b"], "split": ["train", "test"]}
    manifest = join_copies(Manifest(Rows.from_columns(rows).table))
    with pytest.raises(LeakError, match=r"'tiny\.avi' in train, 'other name\.avi' in test"):
        require_no_issues(find_leaks(manifest.table, manifest.group_ids))
