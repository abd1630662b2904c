"""A split for fine-tuning: what the run has learned from never becomes validation or test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import polars as pl

from vidclass._core.text import counted, listed
from vidclass.config import SplitConfig
from vidclass.data.checks import require_no_leaks
from vidclass.data.manifest import Manifest
from vidclass.data.splits import split_clips
from vidclass.errors import LeakError, SplitError
from vidclass.features.identity import identify

# The more a clip was learned from, the earlier.
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class TunedSplit:
    """The split, and what it has in common with the run's.

    Attributes:
        manifest: The clips, with their splits.
        held_from_run: Whether validation has clips that were the run's validation too.
    """

    manifest: Manifest
    held_from_run: bool


def split_for_tuning(
    manifest: Manifest, known: pl.DataFrame, config: SplitConfig, *, seed: int
) -> TunedSplit:
    """The split of a run for clips that it knows; an honest new one for the others.

    A clip is known by its video's path or content, by its group, and, where a video of the run is
    gone, by its name and label.  Given splits are kept if nothing that was learned from is held
    out by them.

    Args:
        manifest: The clips.
        known: Those of the run and of the runs before it, with their splits.
        config: The shares of test and validation, for clips that are new.
        seed: Of their split.

    Raises:
        LeakError: a given split holds out clips that the run has learned from.
        SplitError: no clip is left to train on, or the new clips cannot be split.
    """
    units = manifest.group_ids.to_list()
    before = _part_by_unit(units, _known_parts(manifest.table, known))
    given = dict(
        (unit, split)
        for unit, split in zip(units, manifest.table["split"], strict=True)
        if split is not None
    )
    _refuse_learned(manifest.table, units, given, before)
    settled = before | given
    splits = [settled.get(unit) for unit in units]
    splits, notes = _with_new(manifest, splits, config, seed=seed)
    if "train" not in splits:
        held_out = listed(sorted({split for split in splits if split}))
        raise SplitError(
            f"none of the {len(splits)} clips is left to train on: the run holds them out for "
            f"{held_out}. Name clips that it may learn from."
        )
    count = sum(unit in before and unit not in given for unit in units)
    if count:
        notes.append(f"{counted(count, 'clip')} of {len(units)} keep the split of the run.")
    result = manifest.with_splits(splits).with_notes(*notes, *_absent(splits))
    require_no_leaks(result.table, result.group_ids)
    held = any(
        split == "validation" and before.get(unit) == "validation"
        for unit, split in zip(units, splits, strict=True)
    )
    return TunedSplit(result, held)


def _absent(splits: list[str | None]) -> list[str]:
    texts = {
        "validation": "there are no validation clips: the last epoch is kept.",
        "test": "there are no test clips: nothing measures this run.",
    }
    return [text for part, text in texts.items() if part not in splits]


def _with_new(
    manifest: Manifest, splits: list[str | None], config: SplitConfig, *, seed: int
) -> tuple[list[str | None], list[str]]:
    """Fill in the new clips: parts that the others lack are cut from them, the rest is trained."""
    free = [row for row, split in enumerate(splits) if split is None]
    test = 0.0 if "test" in splits else config.test_fraction
    validation = 0.0 if "validation" in splits else config.validation_fraction
    filled = ["train" if split is None else split for split in splits]
    if not free or not (test or validation):
        return list(filled), []
    new = Manifest(manifest.table[free]).with_splits([None] * len(free))
    try:
        cut = split_clips(new, test_fraction=test, validation_fraction=validation, seed=seed)
    except SplitError as error:
        raise SplitError(
            f"of the {counted(len(free), 'clip')} that the run does not know: {error} Or give "
            "them a `split`."
        ) from error
    for row, split in zip(free, cut.table["split"], strict=True):
        filled[row] = split
    return list(filled), list(cut.notes)


def _refuse_learned(
    table: pl.DataFrame, units: list[str], given: dict[str, str], before: dict[str, str]
) -> None:
    """Nothing may be held out that was learned from: by the head, or by the choice of an epoch."""
    wrong = [
        f"{PurePath(video).name!r} ({split}, was {before[unit]})"
        for video, unit, split in zip(table["video"], units, table["split"], strict=True)
        if split is not None
        and unit in before
        and _PARTS.index(before[unit]) < _PARTS.index(given[unit])
    ]
    if wrong:
        raise LeakError(
            f"a leak: {counted(len(wrong), 'clip')} given for validation or test, or their groups, "
            f"took part in the training of the run: {listed(wrong)}. Drop them, or the `split` "
            "column: the run's own split is then kept."
        )


def _part_by_unit(units: list[str], parts: list[str | None]) -> dict[str, str]:
    found: dict[str, str] = {}
    for unit, part in zip(units, parts, strict=True):
        if part is not None:
            found[unit] = _worst([part, *filter(None, [found.get(unit)])])
    return found


def _known_parts(table: pl.DataFrame, known: pl.DataFrame) -> list[str | None]:
    """The part that each clip of `table`, or its like, has had in the run."""
    contents = _contents([*table["video"], *known["video"]])
    index: dict[Any, str] = {}
    for video, label, group, split in known.select("video", "label", "group", "split").rows():
        for key in _keys(video, label, group, contents, gone=not Path(video).exists()):
            index[key] = _worst([split, *filter(None, [index.get(key)])])
    return [
        _worst(found) if found else None
        for found in (
            [index[key] for key in _keys(video, label, group, contents, gone=True) if key in index]
            for video, label, group in table.select("video", "label", "group").rows()
        )
    ]


def _keys(
    video: str, label: str, group: str | None, contents: dict[str, str], *, gone: bool
) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = [("path", video)]
    if video in contents:
        keys.append(("content", contents[video]))
    if group is not None:
        keys.append(("group", group))
    if gone:
        keys.append(("name", label, PurePath(video).name))
    return keys


def _contents(videos: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each video that can be read."""
    names = {Path(video): video for video in dict.fromkeys(videos)}
    return {names[done.item]: done.result.sha256 for done in identify(names) if done.result}


def _worst(parts: list[str]) -> str:
    return min(parts, key=_PARTS.index)
