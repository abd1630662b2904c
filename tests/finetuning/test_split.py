"""Clips that a run was trained on never become validation or test."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from vidclass.config import SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA
from vidclass.errors import LeakError, SplitError
from vidclass.finetuning.split import TunedSplit, split_for_tuning


def table(rows: list[tuple[Path, str, str | None, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "video": [str(video) for video, *_ in rows],
            "label": [label for _, label, *_ in rows],
            "group": [group for *_, group, _ in rows],
            "split": [split for *_, split in rows],
            "fold": None,
            "start_s": 0.0,
            "stop_s": None,
            "fps": None,
        },
        schema=dict(SCHEMA),
    )


def videos(folder: Path, count: int) -> list[Path]:
    """Files whose contents all differ; nothing here decodes them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{folder.name}{number}.avi" for number in range(count)]
    for path in paths:
        path.write_bytes(f"{folder.name} {path.name}".encode())
    return paths


def split_clips(clips: Manifest, earlier: pl.DataFrame) -> TunedSplit:
    group_ids = clips.group_ids.to_list()
    return split_for_tuning(clips.table, group_ids, earlier, SplitConfig(), seed=0)


SPLITS = ["train", "train", "validation", "test"]


@pytest.fixture
def run(tmp_path: Path) -> pl.DataFrame:
    """The split of a run: a class a folder, four clips each."""
    return table(
        [
            (path, label, f"{label}{number}", SPLITS[number])
            for label in "ab"
            for number, path in enumerate(videos(tmp_path / label, 4))
        ]
    )


def without(clips: pl.DataFrame, *columns: str) -> Manifest:
    return Manifest(clips.with_columns(pl.lit(None, pl.String).alias(name) for name in columns))


def test_the_same_clips_keep_their_split(run: pl.DataFrame) -> None:
    split = split_clips(without(run, "split"), run)
    assert split.splits == SPLITS * 2
    assert split.notes == ("8 clips of 8 keep the split of the run.",)
    assert split.shares_validation


def test_copies_under_other_names_are_recognised_by_their_content(
    run: pl.DataFrame, tmp_path: Path
) -> None:
    copies = [
        (Path(shutil.copy(video, tmp_path / f"copy{number}.avi")), label, None, None)
        for number, (video, label) in enumerate(run.select("video", "label").rows())
    ]
    split = split_clips(Manifest(table(copies)), run)
    assert split.splits == SPLITS * 2


def test_videos_of_the_run_that_are_gone_are_recognised_by_name_and_label(
    run: pl.DataFrame, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    rows = []
    for video, label in run.select("video", "label").rows():
        path = Path(shutil.move(video, moved))
        path.write_bytes(b"re-encoded " + path.read_bytes())
        rows.append((path, label, None, None))
    split = split_clips(Manifest(table(rows)), run)
    assert split.splits == SPLITS * 2


def test_a_new_clip_of_a_known_group_goes_where_the_group_is(
    run: pl.DataFrame, tmp_path: Path
) -> None:
    more = [
        (path, "a", f"a{number}", None) for number, path in enumerate(videos(tmp_path / "more", 4))
    ]
    both = Manifest(pl.concat([without(run, "split").table, table(more)]))
    split = split_clips(both, run)
    assert split.splits == SPLITS * 3


def test_wholly_new_clips_are_split_anew(run: pl.DataFrame, tmp_path: Path) -> None:
    new = table(
        [(path, label, None, None) for label in "ab" for path in videos(tmp_path / f"n{label}", 5)]
    )
    split = split_clips(Manifest(new), run)
    splits = split.splits
    assert [splits.count(part) for part in ("train", "validation", "test")] == [6, 2, 2]
    assert not split.shares_validation


def test_parts_that_the_run_lacks_are_cut_from_new_clips_alone(
    run: pl.DataFrame, tmp_path: Path
) -> None:
    seen = run.with_columns(pl.lit("train").alias("split"))
    split = split_clips(without(run, "split"), seen)
    assert set(split.splits) == {"train"}
    assert "there are no validation clips: the last epoch is kept." in split.notes
    assert "there are no test clips: nothing measures this run." in split.notes
    new = table(
        [(path, label, None, None) for label in "ab" for path in videos(tmp_path / f"n{label}", 5)]
    )
    both = Manifest(pl.concat([without(run, "split").table, new]))
    splits = split_clips(both, seen).splits
    assert set(splits[:8]) == {"train"}
    assert set(splits[8:]) == {"train", "validation", "test"}
    few = Manifest(both.table[:9])
    with pytest.raises(SplitError, match=r"of the 1 clip that the run does not know: .* `split`"):
        split_clips(few, seen)


@pytest.mark.parametrize(
    ("was", "given", "allowed"),
    [
        ("train", "test", False),
        ("train", "validation", False),
        ("validation", "test", False),
        ("validation", "validation", True),
        ("test", "validation", True),
        ("test", "test", True),
        ("test", "train", True),
        ("validation", "train", True),
    ],
)
def test_given_splits_hold_out_nothing_that_was_trained_on(
    run: pl.DataFrame, was: str, given: str, allowed: bool
) -> None:
    column = [given if split == was else "train" for split in run["split"]]
    if given == "train":
        column[0] = None  # some are given, some not
    asked = Manifest(run.with_columns(pl.Series("split", column, dtype=pl.String)))
    if allowed:
        splits = split_clips(asked, run).splits
        assert splits == [split or "train" for split in column]
        return
    with pytest.raises(LeakError, match=rf"a leak: . clips given .* \({given}, was {was}\)"):
        split_clips(asked, run)


def test_the_run_that_has_seen_most_of_a_clip_counts(run: pl.DataFrame) -> None:
    earlier = run.with_columns(pl.Series("split", ["test", "test", "train", "train"] * 2))
    clips = pl.concat([run, earlier])
    split = split_clips(without(run, "split"), clips)
    assert set(split.splits) == {"train"}


def test_clips_that_are_all_held_out_leave_nothing_to_train_on(run: pl.DataFrame) -> None:
    held = Manifest(without(run, "split").table[[2, 3, 6, 7]])
    with pytest.raises(SplitError, match="none of the 4 clips is left to train on: the run holds"):
        split_clips(held, run)
