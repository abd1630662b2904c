"""Train, validation and test, or K folds, that never share a group."""

from __future__ import annotations

from collections.abc import Sequence

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
from vidclass.data.checks import require_known_labels, require_no_leaks
from vidclass.data.clip import LABEL_SEPARATOR
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, SplitError


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
    require_two_classes(manifest)
    require_known_labels(manifest.table)
    if allow_leak:
        group_ids = [str(row) for row in range(len(manifest))]
    else:
        require_no_leaks(manifest.table, manifest.group_ids)
        group_ids = manifest.group_ids.to_list()
    splits = _given_splits(manifest.table["split"], group_ids)
    free = [row for row, split in enumerate(splits) if split is None]
    if not free:
        raise SplitError(
            f"no clips are left to train on: all {len(manifest)} are given for "
            f"{' or '.join(sorted(filter(None, set(splits))))}."
        )
    shares = _shares(
        test=0.0 if "test" in splits else test_fraction,
        validation=0.0 if "validation" in splits else validation_fraction,
    )
    labels = manifest.table["label"].to_list()
    groups = GroupClasses.from_labels(
        [labels[row] for row in free], [group_ids[row] for row in free]
    )
    noun = "clip" if allow_leak else _group_noun(manifest)
    names, notes = _assign(groups, shares, seed=seed, noun=noun)
    for row, name in zip(free, names, strict=True):
        splits[row] = name
    if allow_leak:
        notes.append("groups were not looked at: scores on these splits are too good.")
    return manifest.with_splits(splits).with_notes(*notes)


def _shares(*, test: float, validation: float) -> dict[str, float]:
    """Return the share of each split that gets clips."""
    shares = {
        "train": (1 - test) * (1 - validation),
        "validation": (1 - test) * validation,
        "test": test,
    }
    return {name: share for name, share in shares.items() if share > 0}


def _assign(
    groups: GroupClasses, shares: dict[str, float], *, seed: int, noun: str
) -> tuple[list[str], list[str]]:
    """Return the split of each clip, (N,), and notes."""
    names, sizes = list(shares), list(shares.values())
    several = len(groups.classes) < len(groups.group_of_clip)  # else no group can be divided
    hint = ", or split inside groups with allow_leak=True" if several else ""
    require_groups(
        groups, len(names), noun, ", ".join(names), f"Add recordings, drop the class{hint}."
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


def _group_noun(manifest: Manifest) -> str:
    return "group" if manifest.table["group"].is_not_null().any() else "video"


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
    if manifest.table["fold"].null_count() < len(manifest):
        assigned = _given_folds(manifest)
    else:
        assigned = _drawn_folds(manifest, folds, seed)
    table = manifest.table.select(
        pl.col("label").str.split(LABEL_SEPARATOR), pl.Series("fold", assigned)
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


def _given_folds(manifest: Manifest) -> IntArray:
    missing = manifest.table["fold"].null_count()
    if missing:
        raise SplitError(
            f"{missing} of {len(manifest)} clips have no fold: fill the column or drop it."
        )
    require_no_leaks(manifest.table, manifest.group_ids, column="fold")
    return manifest.table["fold"].to_numpy().astype(np.int64)


def _drawn_folds(manifest: Manifest, folds: int, seed: int) -> IntArray:
    if folds < 2:
        raise ConfigError(f"folds={folds}: at least 2 are needed.")
    require_seed(seed)
    require_two_classes(manifest)
    groups = GroupClasses.from_labels(
        manifest.table["label"].to_list(), manifest.group_ids.to_list()
    )
    most = int(groups.groups_per_class().min())
    advice = f"Use folds={most}, add" if most > 1 else "Add"
    require_groups(
        groups,
        folds,
        _group_noun(manifest),
        f"{folds} folds",
        f"{advice} recordings or drop the class.",
    )
    draw = _draw_by_shares if manifest.multi_label else _draw_stratified
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


def require_two_classes(manifest: Manifest) -> None:
    """Require clips of at least two classes.

    Raises:
        SplitError: there are fewer.
    """
    if len(manifest.labels) < 2:
        raise SplitError(
            f"only one class, {manifest.labels}: a classifier needs at least two. Was the folder "
            "above the classes meant?"
            if len(manifest)
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
