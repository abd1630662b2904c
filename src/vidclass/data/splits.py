"""Train, validation and test, or K folds, that never share a group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from vidclass._core.text import counted, listed, quoted
from vidclass.data.balance import (
    Draw,
    GroupClasses,
    IntArray,
    assign_by_shares,
    best_assignment,
    complete_split,
)
from vidclass.data.checks import find_leaks, find_unknown_labels, require_no_issues
from vidclass.data.clip import LABEL_SEPARATOR, labels_in
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, LeakError, SplitError


def split_clips(
    manifest: Manifest,
    *,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
    seed: int = 0,
    allow_leak: bool = False,
) -> Manifest:
    """Fill the split column; groups stay whole, and classes keep their shares.

    Given validation and test clips stay as they are, and with them the rest of their groups.
    The other clips are divided: `test_fraction` of them for test, and `validation_fraction` of the
    remaining ones for validation; 0 gives none.  Every class is in every split; only where classes
    share groups can one be missing in validation or test (a note says which), never in train.

    Args:
        manifest: The clips; its own `split` column may be full, empty or in between.
        test_fraction: Share of the clips, in [0, 1); without effect if test clips are given.
        validation_fraction: Share of the rest, in [0, 1); without effect if validation clips are
            given.
        seed: Seed of the assignment; the same seed gives the same split.
        allow_leak: Treat every clip as a group of its own.

    Raises:
        ConfigError: a fraction or the seed is out of range.
        SplitError: a class has too few groups to be in every split.
        LeakError: the given splits share groups.
        ManifestError: a given test or validation clip has a label that no other clip has.
    """
    require_fraction("test_fraction", test_fraction)
    require_fraction("validation_fraction", validation_fraction)
    require_seed(seed)
    require_two_classes(manifest.table["label"])
    require_no_issues(find_unknown_labels(manifest.table))
    if allow_leak:
        group_ids = [str(row) for row in range(len(manifest))]
    else:
        require_no_issues(find_leaks(manifest.table, manifest.group_ids))
        group_ids = manifest.group_ids.to_list()
    splits = _given_splits(manifest.table["split"], group_ids)
    free = [row for row, split in enumerate(splits) if split is None]
    if not free:
        raise SplitError(
            f"no clips are left to train on: all {len(manifest)} are given for "
            f"{' or '.join(sorted(filter(None, set(splits))))}."
        )
    labels = manifest.table["label"].to_list()
    names, notes = assign_splits(
        [labels[row] for row in free],
        [group_ids[row] for row in free],
        test_fraction=0.0 if "test" in splits else test_fraction,
        validation_fraction=0.0 if "validation" in splits else validation_fraction,
        seed=seed,
    )
    for row, name in zip(free, names, strict=True):
        splits[row] = name
    if allow_leak:
        notes.append("groups are ignored: scores on these splits are too good.")
    return manifest.with_splits(splits).with_notes(*notes)


def assign_splits(
    labels: Sequence[str],
    group_ids: Sequence[str],
    *,
    test_fraction: float,
    validation_fraction: float,
    seed: int,
) -> tuple[list[str], list[str]]:
    """Return the split of each of N clips, and notes; see `split_clips`.

    Args:
        labels: Label of each clip.
        group_ids: Group of each clip, as `Manifest.group_ids`; groups stay whole.
        test_fraction: Share of the clips for test; 0 gives none.
        validation_fraction: Share of the remaining clips for validation; 0 gives none.
        seed: Seed of the assignment.

    Raises:
        SplitError: a class has too few groups to be in every split.
    """
    shares = {
        "train": (1 - test_fraction) * (1 - validation_fraction),
        "validation": (1 - test_fraction) * validation_fraction,
        "test": test_fraction,
    }
    shares = {name: share for name, share in shares.items() if share > 0}
    names, sizes = list(shares), list(shares.values())
    groups = GroupClasses.from_labels(labels, group_ids)
    several = len(groups.classes) < len(groups.group_of_clip)  # else no group can be divided
    hint = ", or split inside groups with allow_leak=True" if several else ""
    require_groups(
        groups,
        len(names),
        _group_noun(group_ids),
        ", ".join(names),
        f"Add recordings, drop the class{hint}.",
    )
    assignment = best_assignment(
        groups, len(names), seed=seed, draw=lambda rng: assign_by_shares(groups, sizes, rng)
    )
    assignment = complete_split(groups, assignment, len(names), target=names.index("train"))
    notes = []
    for name, counts in zip(names, groups.groups_per_split(assignment, len(names)), strict=True):
        absent = [groups.labels[index] for index in np.flatnonzero(counts == 0)]
        if absent:
            notes.append(
                f"classes without a {name} clip: {listed(quoted(absent))}; "
                "their groups are shared with other classes."
            )
    return [names[split] for split in assignment[groups.group_of_clip]], notes


def _given_splits(given: pl.Series, group_ids: Sequence[str]) -> list[str | None]:
    """Return given validation and test splits, also for the rest of a group; None for the rest."""
    split_of_group = {
        group_id: split
        for group_id, split in zip(group_ids, given, strict=True)
        if split is not None and split != "train"
    }
    return [split_of_group.get(group_id) for group_id in group_ids]


def _group_noun(group_ids: Sequence[str]) -> str:
    """Return the word for a group in messages: `group`, or `video` or `clip` if there are none."""
    prefixes = {group_id.partition(": ")[0] for group_id in group_ids}
    return next((noun for noun in ("group", "video") if noun in prefixes), "clip")


def tail_validation(manifest: Manifest, fraction: float) -> Manifest:
    """Validate on the last rows of the training set, as the Keras example does.

    Test clips stay; of the N others in their order, those from `int(N * (1 - fraction))` on are
    for validation.  Classes and groups are ignored: notes say what that costs.

    Raises:
        ConfigError: `fraction` is not inside (0, 1).
        SplitError: validation clips are given already, or a side would be empty.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"fraction={fraction} of the tail must be between 0 and 1.")
    splits = manifest.table["split"].fill_null("train")
    if (splits == "validation").any():
        raise SplitError(
            f"{(splits == 'validation').sum()} clips are given for validation: "
            "drop them from the column 'split', or do not ask for a tail."
        )
    rows = np.flatnonzero((splits == "train").to_numpy())
    start = int(len(rows) * (1 - fraction))
    if not 0 < start < len(rows):
        raise SplitError(f"the last {fraction} of {len(rows)} training clips leave a side empty.")
    filled = splits.to_list()
    for row in rows[start:]:
        filled[row] = "validation"
    result = manifest.with_splits(filled)
    notes = ["validation is the tail of the training rows: it may lack classes and share groups."]
    for name in ("train", "validation"):
        absent = sorted(set(manifest.labels) - set(result.where(split=name).labels))
        if absent:
            notes.append(f"classes without a {name} clip: {listed(quoted(absent))}.")
    sides = result.table.select("split", group_id=manifest.group_ids)
    shared = (
        sides.filter(pl.col("split") != "test")
        .group_by("group_id")
        .agg(pl.col("split").n_unique())
        .filter(pl.col("split") > 1)
    )
    if len(shared):
        notes.append(f"on both sides of the tail: {listed(shared['group_id'].sort())}.")
    return result.with_notes(*notes)


def with_folds(manifest: Manifest, *, folds: int, seed: int = 0) -> Manifest:
    """Fill the fold column with `fold_assignments`; given folds stay, with a note.

    Raises:
        ConfigError, LeakError, SplitError: as `fold_assignments`.
    """
    assigned = fold_assignments(manifest, folds=folds, seed=seed)
    table = manifest.table.with_columns(pl.Series("fold", assigned, dtype=pl.Int64))
    filled = Manifest(table, manifest.notes)
    if manifest.table["fold"].is_null().all():
        return filled
    return filled.with_notes(f"the {len(set(assigned.tolist()))} given folds were kept.")


def fold_assignments(manifest: Manifest, *, folds: int, seed: int) -> IntArray:
    """Return the test fold of each clip, (N,): the column `fold` if it is given, else K folds.

    Groups stay whole, every class is in every fold if possible, and never in one only.

    Args:
        manifest: The clips; the column `split` is ignored.
        folds: K, at least 2; without effect if folds are given.
        seed: Seed of the assignment; the same seed gives the same folds.

    Raises:
        ConfigError: `folds` or the seed is out of range.
        LeakError: the given folds share groups.
        SplitError: a class has fewer groups than folds, or would be in one fold only.
    """
    require_no_issues(find_leaks(manifest.table, manifest.group_ids, column="fold"))
    labels, group_ids, given = (
        series.to_list()
        for series in (manifest.table["label"], manifest.group_ids, manifest.table["fold"])
    )
    return assign_folds(labels, group_ids, given, folds=folds, seed=seed)


def require_folds(manifest: Manifest, *, folds: int, seed: int) -> None:
    """Require that `fold_assignments` succeeds, and raise its errors."""
    fold_assignments(manifest, folds=folds, seed=seed)


def assign_folds(
    labels: Sequence[str],
    group_ids: Sequence[str],
    given: Sequence[int | None],
    *,
    folds: int,
    seed: int,
) -> IntArray:
    """Return the test fold of each of N clips; see `fold_assignments`.

    Args:
        labels: Label of each clip.
        group_ids: Group of each clip, as `Manifest.group_ids`; groups stay whole.
        given: Given fold of each clip, or None for all.
        folds: K, at least 2; without effect if folds are given.
        seed: Seed of the assignment.

    Raises:
        ConfigError: `folds` or the seed is out of range.
        LeakError: the given folds share groups.
        SplitError: a class has fewer groups than folds, or would be in one fold only.
    """
    if any(fold is not None for fold in given):
        assigned = _given_folds(group_ids, given)
    else:
        assigned = _drawn_folds(labels, group_ids, folds, seed)
    table = pl.DataFrame({"label": labels, "fold": assigned}).with_columns(
        pl.col("label").str.split(LABEL_SEPARATOR)
    )
    by_class = table.explode("label").group_by("label").agg(pl.col("fold").unique()).sort("label")
    in_one_fold = by_class.filter(pl.col("fold").list.len() == 1)
    if len(in_one_fold):
        cases = [f"{label!r} in fold {fold[0]}" for label, fold in in_one_fold.rows()]
        raise SplitError(
            f"classes in one fold only could not be learnt for it: {listed(cases)}. "
            "Add recordings or drop the class."
        )
    return assigned


def _given_folds(group_ids: Sequence[str], given: Sequence[int | None]) -> IntArray:
    missing = sum(fold is None for fold in given)
    if missing:
        raise SplitError(
            f"{missing} of {len(given)} clips have no fold: fill the column or drop it."
        )
    fold_of_group = dict(zip(group_ids, given, strict=True))
    leaks = {g for g, fold in zip(group_ids, given, strict=True) if fold_of_group[g] != fold}
    if leaks:
        raise LeakError(f"a leak: the given folds divide {listed(sorted(leaks))}.")
    return np.array(given, np.int64)


def _drawn_folds(
    labels: Sequence[str], group_ids: Sequence[str], folds: int, seed: int
) -> IntArray:
    if folds < 2:
        raise ConfigError(f"folds={folds}: at least 2 are needed.")
    require_seed(seed)
    require_two_classes(labels)
    groups = GroupClasses.from_labels(labels, group_ids)
    most = int(groups.groups_per_class().min())
    advice = f"Use folds={most}, add" if most > 1 else "Add"
    require_groups(
        groups,
        folds,
        _group_noun(group_ids),
        f"{folds} folds",
        f"{advice} recordings or drop the class.",
    )
    multi_label = any(LABEL_SEPARATOR in label for label in labels)
    draw = _draw_by_shares if multi_label else _draw_stratified
    assignment = best_assignment(groups, folds, seed=seed, draw=draw(groups, folds))
    return assignment[groups.group_of_clip]


def _draw_by_shares(groups: GroupClasses, folds: int) -> Draw:
    """Draw folds of clips with several classes, which scikit-learn's splitters do not take."""
    return lambda rng: assign_by_shares(groups, [1 / folds] * folds, rng)


def _draw_stratified(groups: GroupClasses, folds: int) -> Draw:
    counts = np.array([clips.sum() for clips in groups.clips])
    # StratifiedKFold gives the same folds if no group has two clips, but much faster.
    single_clips = bool((counts == 1).all())
    splitter_class = StratifiedKFold if single_clips else StratifiedGroupKFold
    # Group by group, so that the order of the clips does not matter.
    group_of_clip = np.repeat(np.arange(len(counts)), counts)
    classes = np.repeat(np.concatenate(groups.classes), np.concatenate(groups.clips))

    def draw(rng: np.random.Generator) -> IntArray:
        splitter = splitter_class(folds, shuffle=True, random_state=int(rng.integers(2**32)))
        assignment = np.zeros(len(counts), dtype=np.int64)
        pairs = splitter.split(classes, classes, None if single_clips else group_of_clip)
        for fold, (_, test_clips) in enumerate(pairs):
            assignment[group_of_clip[test_clips]] = fold
        return assignment

    return draw


def require_fraction(name: str, value: float) -> None:
    """Require a share in [0, 1).

    Raises:
        ConfigError: `value` is outside.
    """
    if not 0 <= value < 1:
        raise ConfigError(f"{name}={value} must be at least 0 and less than 1.")


def require_seed(seed: int) -> None:
    """Require a seed of at least 0.

    Raises:
        ConfigError: `seed` is negative.
    """
    if seed < 0:
        raise ConfigError(f"seed={seed} must not be negative.")


def require_two_classes(labels: Iterable[str]) -> None:
    """Require clips of at least two classes.

    Raises:
        SplitError: there are fewer.
    """
    classes = sorted({name for label in set(labels) for name in labels_in(label)})
    if len(classes) < 2:
        raise SplitError(
            f"only one class, {classes}: a classifier needs at least two. Was the folder above the "
            "classes meant?"
            if classes
            else "the manifest has no clips: there is nothing to split."
        )


def require_groups(groups: GroupClasses, need: int, noun: str, purpose: str, advice: str) -> None:
    """Require `need` groups in every class.

    Args:
        groups: Classes of each group.
        need: Smallest number of groups per class.
        noun: The word for a group in the message: group, video or clip.
        purpose: What so many are needed for.
        advice: What to do, as a sentence.

    Raises:
        SplitError: a class has fewer.
    """
    small = [
        f"{label!r} has {counted(int(count), noun)}"
        + (f" ({counted(int(clips), 'clip')})" if noun != "clip" else "")
        for label, count, clips in zip(
            groups.labels, groups.groups_per_class(), groups.clips_per_class, strict=True
        )
        if count < need
    ]
    if small:
        raise SplitError(
            f"{counted(len(small), 'class')} too small for {purpose}: at least "
            f"{counted(need, noun)} a class are needed, but {listed(small)}. {advice}"
        )
