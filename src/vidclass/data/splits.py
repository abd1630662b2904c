"""Train, validation and test, or K folds, that never share a group."""

from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from vidclass._core.text import listed, quoted
from vidclass.data.balance import Draw, IntArray, Units, complete, fewest_gaps, share_out
from vidclass.data.checks import refuse_leaks, refuse_unknown_labels
from vidclass.data.groups import keep_together
from vidclass.data.manifest import Manifest
from vidclass.data.preconditions import (
    require_fraction,
    require_seed,
    require_two_classes,
    require_units,
)
from vidclass.data.rows import LABEL_SEPARATOR
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
    What is not given is cut from the other clips: `test_fraction` of them for test, and
    `validation_fraction` of what then remains for validation; 0 cuts none.  Every class is in every
    part; only where classes share groups can one be missing in validation or test (a note says
    which), never in train.

    Args:
        manifest: The clips; its own `split` column may be full, empty or in between.
        test_fraction: Share of the clips, in [0, 1); without effect where test clips are given.
        validation_fraction: Share of the rest, in [0, 1); likewise.
        seed: The same seed gives the same split.
        allow_leak: Treat every clip as a group of its own.

    Raises:
        ConfigError: a fraction or the seed is out of range.
        SplitError: a class has too few groups to be on every side.
        LeakError: the given splits share groups.
        ManifestError: a given test or validation clip has a label that no other clip has.
    """
    require_fraction("test_fraction", test_fraction)
    require_fraction("validation_fraction", validation_fraction)
    require_seed(seed)
    require_two_classes(manifest)
    refuse_unknown_labels(manifest.table)
    if not allow_leak:
        refuse_leaks(manifest.table)
    keys = _keys(manifest, allow_leak=allow_leak)
    splits = _given_splits(manifest.table["split"], keys)
    free = [row for row, split in enumerate(splits) if split is None]
    if not free:
        raise SplitError(
            f"no clips are left to train on: all {len(manifest)} are given for "
            f"{' or '.join(sorted(filter(None, set(splits))))}."
        )
    cut_test = 0.0 if "test" in splits else test_fraction
    cut_validation = 0.0 if "validation" in splits else validation_fraction
    shares = {
        "train": (1 - cut_test) * (1 - cut_validation),
        "validation": (1 - cut_test) * cut_validation,
        "test": cut_test,
    }
    labels = manifest.table["label"].to_list()
    units = Units.of([labels[row] for row in free], [keys[row] for row in free])
    noun = "clip" if allow_leak else _noun(manifest)
    part, names, notes = _cut(units, shares, seed=seed, noun=noun)
    for row, unit in zip(free, units.unit_of_clip, strict=True):
        splits[row] = names[part[unit]]
    if allow_leak:
        notes.append("groups were not looked at: scores on these splits are too good.")
    return manifest.with_splits(splits).with_notes(*notes)


def _cut(
    units: Units, shares: dict[str, float], *, seed: int, noun: str
) -> tuple[IntArray, list[str], list[str]]:
    """The part of each unit, (U,), the names of the parts, and notes."""
    names = [name for name, share in shares.items() if share > 0]
    sizes = [shares[name] for name in names]
    several = len(units.classes) < len(units.unit_of_clip)  # else there is no inside of a group
    hint = ", or split inside groups with --allow-leak" if several else ""
    require_units(
        units, len(names), noun, ", ".join(names), f"Add recordings, drop the class{hint}."
    )
    part = fewest_gaps(units, len(names), seed=seed, draw=lambda rng: share_out(units, sizes, rng))
    part = complete(units, part, len(names), target=names.index("train"))
    notes = []
    for name, held in zip(names, units.held(part, len(names)), strict=True):
        absent = [units.labels[index] for index in np.flatnonzero(held == 0)]
        if absent:
            notes.append(
                f"classes without a {name} clip: {listed(quoted(absent))}; "
                "their groups are shared with other classes."
            )
    return part, names, notes


def _given_splits(given: pl.Series, keys: list[str]) -> list[str | None]:
    """Validation and test as given, also for the rest of a group; None for what is free."""
    held_out = {
        key: split
        for key, split in zip(keys, given, strict=True)
        if split is not None and split != "train"
    }
    return [held_out.get(key) for key in keys]


def _keys(manifest: Manifest, *, allow_leak: bool) -> list[str]:
    if allow_leak:
        return [str(row) for row in range(len(manifest))]
    return keep_together(manifest.table).to_list()


def _noun(manifest: Manifest) -> str:
    return "group" if manifest.table["group"].is_not_null().any() else "video"


def tail_validation(manifest: Manifest, fraction: float) -> Manifest:
    """Validate on the last rows of the training set, as the Keras example does.

    Test clips stay; of the n others in their order, those from `int(n * (1 - fraction))` on are
    for validation.  Neither classes nor groups are looked at: notes say what that costs.

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
            "drop them from `split`, or do not ask for a tail."
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
    sides = result.table.with_columns(keep_together(result.table)).filter(pl.col("split") != "test")
    shared = sides.group_by("unit").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1)
    if len(shared):
        notes.append(f"on both sides of the tail: {listed(shared['unit'].sort())}.")
    return result.with_notes(*notes)


def with_folds(manifest: Manifest, *, folds: int, seed: int = 0) -> Manifest:
    """Fill the fold column with what `fold_assignments` gives; given folds stay, with a note.

    Raises:
        ConfigError, LeakError, SplitError: as `fold_assignments`.
    """
    part = fold_assignments(manifest, folds=folds, seed=seed)
    table = manifest.table.with_columns(pl.Series("fold", part, dtype=pl.Int64))
    filled = Manifest(table, manifest.notes)
    if manifest.table["fold"].is_null().all():
        return filled
    return filled.with_notes(f"the {len(set(part.tolist()))} given folds were kept.")


def fold_assignments(manifest: Manifest, *, folds: int, seed: int) -> IntArray:
    """The test fold of each clip, (n,): the `fold` column where there is one, else K folds.

    Groups stay whole, every class is in every fold if that can be had, and never in one only.

    Args:
        manifest: The clips; `split` is not looked at.
        folds: K, at least 2; without effect where folds are given.
        seed: The same seed gives the same folds.

    Raises:
        ConfigError: `folds` or the seed is out of range.
        LeakError: the given folds share groups.
        SplitError: a class has fewer groups than folds, or would be in one fold only.
    """
    if manifest.table["fold"].null_count() < len(manifest):
        part = _given_folds(manifest)
    else:
        part = _drawn_folds(manifest, folds, seed)
    table = manifest.table.select(
        pl.col("label").str.split(LABEL_SEPARATOR), pl.Series("fold", part)
    )
    lone = table.explode("label").group_by("label").agg(pl.col("fold").unique()).sort("label")
    lone = lone.filter(pl.col("fold").list.len() == 1)
    if len(lone):
        cases = [f"{label!r} in fold {fold[0]}" for label, fold in lone.rows()]
        raise SplitError(
            f"classes in one fold only could not be learnt for it: {listed(cases)}. "
            "Add recordings or drop the class."
        )
    return part


def _given_folds(manifest: Manifest) -> IntArray:
    missing = manifest.table["fold"].null_count()
    if missing:
        raise SplitError(
            f"{missing} of {len(manifest)} clips have no fold: fill the column or drop it."
        )
    refuse_leaks(manifest.table, column="fold")
    return manifest.table["fold"].to_numpy().astype(np.int64)


def _drawn_folds(manifest: Manifest, folds: int, seed: int) -> IntArray:
    if folds < 2:
        raise ConfigError(f"folds={folds}: at least 2 are needed.")
    require_seed(seed)
    require_two_classes(manifest)
    units = Units.of(manifest.table["label"].to_list(), _keys(manifest, allow_leak=False))
    most = int(units.per_class().min())
    advice = f"Use --folds {most}, add" if most > 1 else "Add"
    require_units(
        units, folds, _noun(manifest), f"{folds} folds", f"{advice} recordings or drop the class."
    )

    draw = _draw_shares if manifest.multi_label else _draw_folds
    part = fewest_gaps(units, folds, seed=seed, draw=draw(units, folds))
    return part[units.unit_of_clip]


def _draw_shares(units: Units, folds: int) -> Draw:
    """For clips of several classes, which scikit-learn's splitters do not take."""
    return lambda rng: share_out(units, [1 / folds] * folds, rng)


def _draw_folds(units: Units, folds: int) -> Draw:
    counts = np.array([clips.sum() for clips in units.clips])
    # The same folds without groups to mind, but much faster for many clips.
    alone = bool((counts == 1).all())
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    # Unit by unit, so that the order of the clips does not matter.
    unit_of_clip = np.repeat(np.arange(len(counts)), counts)
    classes = np.repeat(np.concatenate(units.classes), np.concatenate(units.clips))

    def draw(rng: np.random.Generator) -> IntArray:
        splitter = kind(folds, shuffle=True, random_state=int(rng.integers(2**32)))
        part = np.zeros(len(counts), dtype=np.int64)
        sides = splitter.split(classes, classes, None if alone else unit_of_clip)
        for fold, (_, held_out) in enumerate(sides):
            part[unit_of_clip[held_out]] = fold
        return part

    return draw
