"""Copies and near duplicates are found, by product and by search alike, and share a group."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.config import SplitConfig
from vidclass.data.checks import find_leaks, require_no_issues
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, LeakError, ManifestError, ShapeError, StoreError
from vidclass.features import near_duplicates as module
from vidclass.features.near_duplicates import (
    NearDuplicate,
    assign_groups,
    clip_vector,
    duplicate_groups,
    join_copies,
    join_near_duplicates,
    near_duplicates,
)
from vidclass.types import ClipFeatures


def clip_of(rows: object) -> ClipFeatures:
    features = np.asarray(rows, np.float16)
    return ClipFeatures(features, np.arange(len(features), dtype=np.float64))


def scenes(count: int, *, copies: int, noise: float = 0.3, seed: int = 0) -> list[ClipFeatures]:
    """Return noisy copies of some scenes; clip i shows scene `i % count`."""
    random = np.random.default_rng(seed)
    base = random.normal(size=(count, 8, 24))
    return [
        clip_of(base[row % count] + noise * random.normal(size=(8, 24)))
        for row in range(count * copies)
    ]


def test_copies_are_found_and_the_most_similar_come_first() -> None:
    first, second = scenes(2, copies=1)
    random = np.random.default_rng(1)
    rough = clip_of(first.features + 0.4 * random.normal(size=(8, 24)))
    pairs = near_duplicates([rough, second, first, None, first])
    assert [(pair.first, pair.second) for pair in pairs] == [(2, 4), (0, 2), (0, 4)]
    assert pairs[0].similarity == pytest.approx(1, abs=1e-4)
    assert 0.85 < pairs[1].similarity == pairs[2].similarity < 1
    assert near_duplicates([rough, first], threshold=0.99) == []


def test_clips_are_compared_in_time() -> None:
    course = np.eye(4).repeat(3, axis=0)
    assert near_duplicates([clip_of(course), clip_of(course[::-1])]) == []
    # The same course in other numbers of frames, also in fewer than there are quarters.
    twice = clip_of(course.repeat(2, axis=0))
    assert len(near_duplicates([clip_of(course), twice, clip_of(np.eye(4))])) == 3
    still = [clip_of(np.ones((count, 3))) for count in (1, 2, 3, 7)]
    assert len(near_duplicates(still)) == 6


def test_the_vector_is_the_means_of_the_quarters() -> None:
    vector = clip_vector(clip_of([[8.0], [2.0], [0.0], [0.0], [4.0], [4.0]]))
    # Quarters are one and a half frames long: 8 8 2, 2 0 0, ...
    expected = np.array([6, 4 / 6, 8 / 6, 4])
    assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-3)


def test_empty_and_missing_clips_have_no_duplicates() -> None:
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


def test_more_copies_than_a_search_first_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_CLIPS", 0)
    clips = scenes(3, copies=50, noise=0.1)
    assert len(near_duplicates(clips)) == 3 * 50 * 49 / 2
    assert duplicate_groups(clips).tolist() == [row % 3 for row in range(150)]


def test_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = scenes(700, copies=3, noise=0.2)
    expected = [(row, row + step) for step in (700, 1400) for row in range(2100 - step)]
    for exact_clips in (5000, 0):
        monkeypatch.setattr(module, "EXACT_CLIPS", exact_clips)
        pairs = near_duplicates(clips)
        assert sorted((pair.first, pair.second) for pair in pairs) == sorted(expected)
        assert duplicate_groups(clips).tolist() == [row % 700 for row in range(2100)]


def test_a_search_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "EXACT_CLIPS", 0)
    assert near_duplicates(scenes(2, copies=2)) != []
    assert list(tmp_path.iterdir()) == []


def test_invalid_arguments_and_a_full_disk_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Manifest]:
    """Return a function that writes files, all of them valid videos; None writes no file."""
    monkeypatch.setattr(module, "probe", lambda path: None)

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
    copies = f"copies of {name}"
    assert joined.table["group"].to_list() == [copies, None, copies, None, copies]
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


def test_a_copy_in_the_same_group_changes_nothing(files: Callable[..., Manifest]) -> None:
    manifest = files("same", "same", group=["g", "g"])
    assert join_copies(manifest) is manifest


def test_only_files_of_the_same_size_are_hashed(
    files: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    monkeypatch.setattr(module, "identify", lambda videos: hashed.extend(videos) or iter(()))
    # Missing files, empty ones and folders are no copies of one another.
    manifest = files("1", "22", None, None, "", "", "33")
    assert join_copies(manifest) is manifest
    assert [video.name for video in hashed] == ["1.avi", "6.avi"]


def test_groups_as_configured(files: Callable[..., Manifest]) -> None:
    manifest = files("same", "same", "x", group=["g", "h", "g"])
    assert assign_groups(manifest, SplitConfig()).table["group"].n_unique() == 1
    assert assign_groups(manifest, SplitConfig(allow_leak=True)) is manifest
    alone = assign_groups(manifest, SplitConfig(groups="none"))
    assert alone.table["group"].is_null().to_list() == [False, False, True]
    pattern = assign_groups(manifest, SplitConfig(group_pattern=r"(\d)\.avi"))
    assert pattern.table["group"].to_list() == ["0 + 1", "0 + 1", "2"]
    with pytest.raises(ManifestError, match=r"groups='parent': no video lies in a folder"):
        assign_groups(manifest, SplitConfig(groups="parent"))


def at_angle(angle_deg: float) -> ClipFeatures:
    angle = np.deg2rad(angle_deg)
    return clip_of([[np.cos(angle), np.sin(angle)]])


def test_near_duplicates_never_split_a_known_group(files: Callable[..., Manifest]) -> None:
    manifest = files(*map(str, range(7)), group=["g", "g", "h", None, None, None, None])
    clips = [at_angle(angle) for angle in (0, 90, 93, 180, 185, 270)]
    joined = join_near_duplicates(manifest, [*clips, None])
    like = f"like {Path('set/3.avi')}"
    assert joined.table["group"].to_list() == ["g + h"] * 3 + [like, like, None, None]
    assert joined.notes == (
        "near duplicates joined 5 clips: 6 videos and groups to keep apart became 4.",
    )


def test_no_near_duplicates(files: Callable[..., Manifest]) -> None:
    manifest = files("0", "1", "2", group=["g", "g", None])
    joined = join_near_duplicates(manifest, [at_angle(0), at_angle(1), at_angle(90)])
    assert joined.table.equals(manifest.table)
    assert joined.notes == ("no near duplicates were found outside the known groups.",)
    close = [at_angle(0), at_angle(0), at_angle(15)]
    assert join_near_duplicates(manifest, close).table["group"].to_list() == ["g"] * 3
    assert join_near_duplicates(manifest, close, threshold=0.99).table.equals(manifest.table)


def test_a_moved_copy_is_still_a_copy(tiny_video: Callable[..., Path], tmp_path: Path) -> None:
    first = tiny_video()
    second = Path(shutil.copy(first, tmp_path / "other name.avi"))
    rows = {"video": [str(first), str(second)], "label": ["a", "b"], "split": ["train", "test"]}
    manifest = join_copies(Manifest(Rows.from_columns(rows).table))
    with pytest.raises(LeakError, match=r"'tiny\.avi' in train, 'other name\.avi' in test"):
        require_no_issues(find_leaks(manifest.table, manifest.group_ids))
