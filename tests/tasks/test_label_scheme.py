from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from vidclass.config import TaskConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA
from vidclass.errors import ConfigError, ManifestError
from vidclass.tasks.label_scheme import LabelScheme, label_scheme, resolved_task, task_notes
from vidclass.tasks.tree import LabelTree


def made(*labels: str) -> Manifest:
    count = len(labels)
    columns: dict[str, Any] = {name: [None] * count for name in SCHEMA}
    columns |= {"video": [f"/{k}.mp4" for k in range(count)], "label": labels}
    columns["start_s"] = [0.0] * count
    return Manifest(pl.DataFrame(columns, schema=dict(SCHEMA)))


TREE = LabelTree.of(["walk", "ball/tennis", "ball/team/soccer", "ball/team/basket", "ball"])


def test_what_others_lie_below_is_no_leaf() -> None:
    assert TREE.leaves == ("ball/team/basket", "ball/team/soccer", "ball/tennis", "walk")
    assert TREE.depth == 3
    assert "ball" in TREE
    assert "ball/team" in TREE
    assert "team" not in TREE
    assert TREE.leaves_below("ball") == [0, 1, 2]
    assert TREE.leaves_below("walk") == [3]


def test_a_leaf_that_ends_further_up_stands_for_itself_below() -> None:
    nodes, members = TREE.level(2)
    assert nodes == ["ball/team", "ball/tennis", "walk"]
    assert members.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert TREE.level(3)[0] == list(TREE.leaves)
    for level in (1, 2, 3):
        np.testing.assert_array_equal(TREE.level(level)[1].sum(1), 1)


@pytest.mark.parametrize("odd", ["a//b", "/a", "a/", "a / b", "a/ b"])
def test_levels_without_a_name_or_with_blanks_are_named(odd: str) -> None:
    with pytest.raises(ManifestError, match=rf"levels of a label have names.*received: '{odd}'\."):
        LabelTree.of(["fine/leaf", odd])


def test_truth_of_one_class_a_clip() -> None:
    truth = LabelScheme(("a", "b")).truth(["b", "a", "b"])
    assert truth.dtype == np.int64
    assert truth.tolist() == [1, 0, 1]


def test_truth_of_several_labels_and_of_none() -> None:
    scheme = LabelScheme(("a", "b", "c"), "multi-label", "nothing")
    truth = scheme.truth(["a|c", "b", "nothing"])
    assert truth.dtype == np.float32
    assert truth.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert scheme.unknown(["a", "nothing", "d"]) == ["d"]
    assert scheme.truth([]).shape == (0, 3)


def test_truth_in_a_hierarchy_is_the_leaves_that_it_may_be() -> None:
    scheme = LabelScheme(TREE.leaves, "hierarchy")
    assert scheme.truth(["ball/team", "walk"]).tolist() == [[1, 1, 0, 0], [0, 0, 0, 1]]
    assert scheme.unknown(["ball", "ball/golf", "walk"]) == ["ball/golf"]


def test_the_kind_follows_from_the_labels() -> None:
    assert resolved_task(made("a", "b"), TaskConfig()).kind == "single-label"
    assert resolved_task(made("a", "a|b"), TaskConfig()).kind == "multi-label"
    none = resolved_task(made("a", "b"), TaskConfig(none_label="b"))
    assert none.kind == "multi-label"
    assert label_scheme(made("a", "b"), none).labels == ("a",)
    # Slashes alone make no hierarchy: they may be part of a name.
    assert label_scheme(made("a/b", "a/c"), resolved_task(made("a/b", "a/c"), TaskConfig())) == (
        LabelScheme(("a/b", "a/c"))
    )


@pytest.mark.parametrize("kind", ["single-label", "hierarchy"])
def test_several_labels_are_refused_where_one_is_wanted(kind: str) -> None:
    message = r"1 clip of 2 have several labels.*knows one label a clip.*kind='multi-label'"
    with pytest.raises(ManifestError, match=message):
        resolved_task(made("a", "a|b"), TaskConfig.checked(kind=kind))


def test_unknown_is_refused_once_labels_are_several() -> None:
    with pytest.raises(ConfigError, match="`unknown` is for single-label classifiers, not for"):
        resolved_task(made("a", "a|b"), TaskConfig(unknown=True))


def test_a_label_for_none_that_no_clip_has() -> None:
    with pytest.raises(
        ConfigError, match=r"none_label='bg' is the label of no clip\. Labels: 'a', 'b'"
    ):
        resolved_task(made("a", "b"), TaskConfig(none_label="bg"))


def test_clips_of_none_of_the_classes_have_no_class() -> None:
    with pytest.raises(
        ManifestError, match=r"none of the classes \('bg'\) have no class beside it.*'a\|bg'"
    ):
        resolved_task(made("a", "bg", "a|bg"), TaskConfig(none_label="bg"))
    with pytest.raises(ManifestError, match="all clips are of 'bg', none of the classes"):
        resolved_task(made("bg", "bg"), TaskConfig(none_label="bg"))


def test_notes_say_what_was_made_of_the_labels() -> None:
    clips = made("a", "a|b", "bg")
    task = resolved_task(clips, TaskConfig(none_label="bg"))
    assert task_notes(clips, task) == (
        "a multi-label classifier: 1 of 3 clips have several labels, 1 of none of the classes "
        "('bg')",
    )
    clips = made("a/b", "a/c", "a", "d")
    task = resolved_task(clips, TaskConfig(kind="hierarchy"))
    assert task_notes(clips, task) == (
        "a hierarchy of 2 levels with 3 leaves; 1 clip labelled with a parent only",
    )
    assert task_notes(clips, TaskConfig(kind="single-label")) == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "hierarchy", "none_label": "bg"}, "none_label='bg' is not for kind='hierarchy'"),
        ({"unknown": True, "none_label": "bg"}, "`unknown` and `none_label` exclude each other"),
        ({"unknown": True, "kind": "hierarchy"}, "`unknown` is for single-label classifiers"),
        ({"unknown_precision": 0.9}, "`unknown_precision` is used only with unknown=True"),
        ({"unknown": True, "unknown_precision": 1.5}, "unknown_precision=1.5: "),
        ({"kind": "several"}, "kind='several': "),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TaskConfig.checked(**given)


def test_folders_keep_their_reading(tmp_path: Path) -> None:
    for name in ("sport/tennis", "sport/golf", "walk"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.mp4").write_bytes(b"x")
    assert Manifest.from_source(tmp_path).labels == ["sport", "walk"]
