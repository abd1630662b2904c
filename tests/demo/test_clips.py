from __future__ import annotations

import csv
import re
from pathlib import Path

import av
import numpy as np
import pytest

from vidclass.demo.clips import LABELS, MOTIONS, REVERSAL_PAIRS, draw_films, make_demo_clips
from vidclass.errors import ConfigError
from vidclass.types import UInt8Array

NAME = re.compile(r"v_(?P<label>[A-Z][A-Za-z]+)_g(?P<group>\d\d)_c(?P<clip>\d\d)\.avi")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert make_demo_clips(folder, train_groups=2, test_groups=1) == folder
    return folder


def rows(folder: Path, split: str) -> list[dict[str, str]]:
    with (folder / f"{split}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def decoded(path: Path) -> UInt8Array:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def test_the_labels_are_two_reversal_pairs_and_two_more() -> None:
    assert LABELS == ("Grow", "Shrink", "Sunrise", "Sunset", "Spin", "Blink")
    assert REVERSAL_PAIRS == (("Grow", "Shrink"), ("Sunrise", "Sunset"))


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_table_lists_exactly_the_files_of_its_folder(small: Path, split: str) -> None:
    listed = rows(small, split)
    assert list(listed[0]) == ["video_name", "tag"]
    files = sorted(file.name for file in (small / split).iterdir())
    assert sorted(row["video_name"] for row in listed) == files
    for row in listed:
        match = NAME.fullmatch(row["video_name"])
        assert match is not None and match["label"] == row["tag"]


def test_no_group_is_in_two_splits_and_each_has_every_label(small: Path) -> None:
    groups = {
        split: {NAME.fullmatch(row["video_name"])["group"] for row in rows(small, split)}  # type: ignore[index]
        for split in ("train", "test")
    }
    assert groups == {"train": {"01", "02"}, "test": {"03"}}
    assert [row["tag"] for row in rows(small, "test")] == sorted(LABELS)


def test_the_files_have_the_documented_format(small: Path) -> None:
    for path in small.rglob("*.avi"):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "mpeg4"
            assert (stream.width, stream.height) == (320, 240)
            assert stream.average_rate == 25
            assert 2 <= stream.frames / 25 <= 8 and stream.frames % 2 == 1


@pytest.mark.parametrize(("forwards", "backwards"), REVERSAL_PAIRS)
def test_the_files_of_a_pair_are_reversals_of_each_other(
    small: Path, forwards: str, backwards: str
) -> None:
    for path in small.rglob(f"v_{forwards}_*.avi"):
        frames, reverse = (
            decoded(path),
            decoded(path.with_name(path.name.replace(forwards, backwards))),
        )
        np.testing.assert_array_equal(frames, reverse[::-1])
        assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 5


@pytest.mark.parametrize("motion", range(len(MOTIONS)))
def test_films_move_and_are_equal_for_the_same_seed(motion: int) -> None:
    films, again = (draw_films(3, 5, 1, motion) for _ in range(2))
    assert list(films) == [
        name for name in (MOTIONS[motion].label, MOTIONS[motion].backwards) if name
    ]
    for label, frames in films.items():
        assert frames[0].shape == (240, 320, 3) and frames[0].dtype == np.uint8
        np.testing.assert_array_equal(np.stack(frames), np.stack(again[label]))
    film = np.stack(films[MOTIONS[motion].label]).astype(int)
    assert np.abs(film - film[:1]).mean((1, 2, 3)).max() > 1


@pytest.mark.parametrize("other", [(4, 5, 1), (3, 6, 1), (3, 5, 2)])
def test_another_seed_group_or_clip_is_another_film(other: tuple[int, int, int]) -> None:
    first, second = draw_films(3, 5, 1, 2)["Spin"], draw_films(*other, 2)["Spin"]
    assert np.abs(first[0].astype(int) - second[0]).mean() > 1


def test_evenly_spaced_frames_of_a_film_and_its_reversal_are_equal() -> None:
    for group in range(1, 4):
        films = draw_films(0, group, 1, 0)
        count = len(films["Grow"])
        for parts in (1, 4, 8, 16, 20, 32):
            chosen = [int((i + 0.5) * count / parts) for i in range(parts)]
            assert [count - 1 - index for index in reversed(chosen)] == chosen


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_progress_is_reported(
    small: Path, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    make_demo_clips(
        tmp_path,
        train_groups=1,
        test_groups=1,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps[-1] == (12, 12) and steps == sorted(steps)
    for path in (tmp_path / "train").iterdir():
        assert path.read_bytes() == (small / "train" / path.name).read_bytes()


@pytest.mark.slow
def test_several_clips_a_group_are_numbered(tmp_path: Path) -> None:
    make_demo_clips(tmp_path, train_groups=1, test_groups=1, clips_per_group=2)
    names = [row["video_name"] for row in rows(tmp_path, "test") if row["tag"] == "Blink"]
    assert names == ["v_Blink_g02_c01.avi", "v_Blink_g02_c02.avi"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, r"seed=-1 must be 0 or more"),
        ({"train_groups": 0}, r"train_groups=0 must be between 1 and 99"),
        ({"test_groups": 0}, r"test_groups=0 must be between 1 and 99"),
        ({"clips_per_group": 100}, r"clips_per_group=100 must be between 1 and 99"),
        (
            {"train_groups": 90, "test_groups": 10},
            r"train_groups \+ test_groups=100 must be between 1 and 99",
        ),
    ],
)
def test_wrong_numbers_are_errors_that_name_them(
    tmp_path: Path, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_demo_clips(tmp_path / "demo", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "demo").exists()
