"""Splits and folds of clips with several classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.data.clip import join_labels, labels_in
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.data.splits import fold_assignments, split_clips, with_folds
from vidclass.errors import ManifestError, SplitError

Clip = tuple[str, str | None]
CLIPS = st.lists(
    st.tuples(
        st.sets(st.sampled_from("abc"), min_size=1).map(join_labels),
        st.none() | st.sampled_from("rstuvwxyz"),
    ),
    min_size=2,
    max_size=40,
)


def manifest_of(clips: Iterable[Clip], order: list[int] | None = None) -> Manifest:
    rows = list(enumerate(clips))
    rows = rows if order is None else [rows[index] for index in order]
    columns = {
        "video": [f"/clips/{number:02}.avi" for number, _ in rows],
        "label": [label for _, (label, _) in rows],
        "group": [group for _, (_, group) in rows],
    }
    return Manifest(Rows.from_columns(columns).table)


def by_video(manifest: Manifest, assigned: Iterable[object]) -> dict[str, object]:
    return dict(zip(manifest.table["video"], assigned, strict=True))


def sides_of(manifest: Manifest, assigned: Iterable[object]) -> dict[str, set[object]]:
    """Return the splits or folds that each class and each group is in."""
    sides_by_name = defaultdict(set)
    rows = manifest.table.select("label", "group").rows()
    for (label, group), side in zip(rows, assigned, strict=True):
        for name in labels_in(label):
            sides_by_name[name].add(side)
        if group is not None:
            sides_by_name[f"group {group}"].add(side)
    return sides_by_name


@settings(deadline=None, max_examples=60)
@given(clips=CLIPS, seed=st.integers(0, 3), random=st.randoms(use_true_random=False))
def test_every_class_is_everywhere_or_named(clips: list[Clip], seed: int, random: object) -> None:
    manifest = manifest_of(clips)
    order = list(range(len(clips)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = manifest_of(clips, order)
    try:
        result = split_clips(manifest, seed=seed)
    except SplitError as error:
        short = [f"{label!r} has" in str(error) for label in manifest.labels]
        assert any(short) or len(manifest.labels) == 1
        with pytest.raises(SplitError):
            split_clips(shuffled, seed=seed)
        return
    splits = result.table["split"].to_list()
    sides_by_name = sides_of(manifest, splits)
    for name in manifest.labels:
        for split in {"train", "validation", "test"} - sides_by_name[name]:
            assert split != "train"
            assert any(f"without a {split} clip" in n and f"'{name}'" in n for n in result.notes)
    assert all(len(sides) == 1 for key, sides in sides_by_name.items() if key.startswith("group"))
    again = split_clips(shuffled, seed=seed).table["split"]
    assert by_video(shuffled, again) == by_video(manifest, splits)


@settings(deadline=None, max_examples=60)
@given(clips=CLIPS, folds=st.integers(2, 3), random=st.randoms(use_true_random=False))
def test_folds_of_any_structure(clips: list[Clip], folds: int, random: object) -> None:
    manifest = manifest_of(clips)
    try:
        assigned = fold_assignments(manifest, folds=folds, seed=0)
    except SplitError as error:
        named = [f"{label!r}" in str(error) for label in manifest.labels]
        assert any(named)
        return
    sides_by_name = sides_of(manifest, assigned)
    assert all(len(sides_by_name[name]) > 1 for name in manifest.labels)
    assert all(len(sides) == 1 for key, sides in sides_by_name.items() if key.startswith("group"))
    order = list(range(len(clips)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = manifest_of(clips, order)
    again = fold_assignments(shuffled, folds=folds, seed=0)
    assert by_video(shuffled, again) == by_video(manifest, assigned)


def test_a_class_that_only_occurs_beside_others_is_known() -> None:
    columns = {
        "video": [f"/{number}.avi" for number in range(4)],
        "label": ["a|b", "a|b", "b", "a"],
        "split": ["train", "train", "validation", "test"],
    }
    assert len(split_clips(Manifest(Rows.from_columns(columns).table), test_fraction=0)) == 4
    columns["label"] = ["a|b", "a|b", "b|c", "a"]
    with pytest.raises(ManifestError, match=r"validation set: 'c' never occur in train"):
        split_clips(Manifest(Rows.from_columns(columns).table))


def test_folds_are_filled_in_and_given_ones_kept() -> None:
    clips = [("a", None), ("b", None)] * 4
    filled = with_folds(manifest_of(clips), folds=4)
    assert sorted(filled.table["fold"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert filled.notes == ()
    again = with_folds(filled, folds=2, seed=9)
    assert again.table.equals(filled.table)
    assert again.notes == ("the 4 given folds were kept.",)
