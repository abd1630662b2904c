"""The split for fine-tuning: clips that the run was trained on never become validation or test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import polars as pl

from vidclass._core.text import counted, listed
from vidclass.config import SplitConfig
from vidclass.data.checks import find_leaks, require_no_issues
from vidclass.data.splits import assign_splits, require_two_classes
from vidclass.errors import LeakError, SplitError
from vidclass.features.identity import identify

# In the order of how much of a clip goes into the weights.
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TunedSplit:
    """The split, and its relation to that of the run.

    Attributes:
        splits: Split of each clip, (N,).
        shares_validation: True if a validation clip was a validation clip of the run, too.
        notes: Sentences for the user.
    """

    splits: list[str]
    shares_validation: bool
    notes: tuple[str, ...] = ()


def split_for_tuning(
    clips: pl.DataFrame,
    group_ids: Sequence[str],
    earlier: pl.DataFrame,
    config: SplitConfig,
    *,
    seed: int,
) -> TunedSplit:
    """Keep the run's split for its own clips, and split the others anew.

    A clip is recognised by its video's path or content, by its group, and, if a video of the run
    is gone, by its name and label.  Given splits are kept if they hold out no clip that the run
    was trained on.

    Args:
        clips: Table of the clips.
        group_ids: Group of each clip, as `Manifest.group_ids`.
        earlier: Table of the clips of the run and of the runs before it, with their splits.
        config: Fractions of test and validation, for clips that are new.
        seed: Seed of their split.

    Raises:
        LeakError: A given split holds out clips that the run was trained on.
        SplitError: No clip is left to train on, or the new clips cannot be split.
    """
    before = _split_by_group(group_ids, _earlier_splits(clips, earlier))
    given = {
        group_id: split
        for group_id, split in zip(group_ids, clips["split"], strict=True)
        if split is not None
    }
    _require_unseen(clips, group_ids, given, before)
    fixed = before | given
    splits_so_far = [fixed.get(group_id) for group_id in group_ids]
    splits, notes = _split_new(clips, group_ids, splits_so_far, config, seed=seed)
    if "train" not in splits:
        raise SplitError(
            f"none of the {len(splits)} clips is left to train on: the run holds them out for "
            f"{listed(sorted(set(splits)))}. Name clips that it may be trained on."
        )
    kept = sum(group_id in before and group_id not in given for group_id in group_ids)
    if kept:
        notes.append(f"{counted(kept, 'clip')} of {len(group_ids)} keep the split of the run.")
    filled = clips.with_columns(pl.Series("split", splits, dtype=pl.String))
    require_no_issues(find_leaks(filled, pl.Series(group_ids)))
    shares_validation = any(
        split == "validation" and before.get(group_id) == "validation"
        for group_id, split in zip(group_ids, splits, strict=True)
    )
    return TunedSplit(splits, shares_validation, (*notes, *_missing_splits(splits)))


def _missing_splits(splits: list[str]) -> list[str]:
    texts = {
        "validation": "there are no validation clips: the last epoch is kept.",
        "test": "there are no test clips: nothing measures this run.",
    }
    return [text for split, text in texts.items() if split not in splits]


def _split_new(
    clips: pl.DataFrame,
    group_ids: Sequence[str],
    splits: Sequence[str | None],
    config: SplitConfig,
    *,
    seed: int,
) -> tuple[list[str], list[str]]:
    """Fill in the new clips: they give the test and validation clips that the others lack."""
    new = [row for row, split in enumerate(splits) if split is None]
    test = 0.0 if "test" in splits else config.test_fraction
    validation = 0.0 if "validation" in splits else config.validation_fraction
    filled = ["train" if split is None else split for split in splits]
    if not new or not (test or validation):
        return filled, []
    labels = clips["label"].gather(new).to_list()
    try:
        require_two_classes(labels)
        assigned, notes = assign_splits(
            labels,
            [group_ids[row] for row in new],
            test_fraction=test,
            validation_fraction=validation,
            seed=seed,
        )
    except SplitError as error:
        raise SplitError(
            f"of the {counted(len(new), 'clip')} that the run does not know: {error} Or give "
            "them a `split`."
        ) from error
    for row, split in zip(new, assigned, strict=True):
        filled[row] = split
    return filled, notes


def _require_unseen(
    clips: pl.DataFrame, group_ids: Sequence[str], given: dict[str, str], before: dict[str, str]
) -> None:
    """Refuse given splits that hold out a clip that the head, or the choice of an epoch, has seen.

    Raises:
        LeakError: They do.
    """
    leaks = [
        f"{PurePath(video).name!r} ({split}, was {before[group_id]})"
        for video, group_id, split in zip(clips["video"], group_ids, clips["split"], strict=True)
        if split is not None
        and group_id in before
        and _SPLITS.index(before[group_id]) < _SPLITS.index(given[group_id])
    ]
    if leaks:
        raise LeakError(
            f"a leak: {counted(len(leaks), 'clip')} given for validation or test, or their groups, "
            f"took part in the training of the run: {listed(leaks)}. Drop them, or the `split` "
            "column: the run's own split is then kept."
        )


def _split_by_group(group_ids: Sequence[str], splits: list[str | None]) -> dict[str, str]:
    by_group: dict[str, str] = {}
    for group_id, split in zip(group_ids, splits, strict=True):
        if split is not None:
            by_group[group_id] = _most_seen([split, *filter(None, [by_group.get(group_id)])])
    return by_group


def _earlier_splits(table: pl.DataFrame, earlier: pl.DataFrame) -> list[str | None]:
    """Return the split that each clip of `table`, or another of its group, had in the runs."""
    hashes = _hashes([*table["video"], *earlier["video"]])
    index: dict[Any, str] = {}
    for video, label, group, split in earlier.select("video", "label", "group", "split").rows():
        for key in _keys(video, label, group, hashes, by_name=not Path(video).exists()):
            index[key] = _most_seen([split, *filter(None, [index.get(key)])])
    return [
        _most_seen(splits) if splits else None
        for splits in (
            [index[key] for key in _keys(video, label, group, hashes, by_name=True) if key in index]
            for video, label, group in table.select("video", "label", "group").rows()
        )
    ]


def _keys(
    video: str, label: str, group: str | None, hashes: dict[str, str], *, by_name: bool
) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = [("path", video)]
    if video in hashes:
        keys.append(("content", hashes[video]))
    if group is not None:
        keys.append(("group", group))
    if by_name:
        keys.append(("name", label, PurePath(video).name))
    return keys


def _hashes(videos: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each video that can be read."""
    paths = {Path(video): video for video in dict.fromkeys(videos)}
    return {paths[done.item]: done.result.sha256 for done in identify(paths) if done.result}


def _most_seen(splits: list[str]) -> str:
    return min(splits, key=_SPLITS.index)
