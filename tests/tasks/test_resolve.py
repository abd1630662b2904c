from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from vidclass.config import TaskConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA
from vidclass.errors import ConfigError, ManifestError
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.tasks.resolve import resolve_task, task_from_json
from vidclass.tasks.single_label import SingleLabelTask


def clips(*labels: str) -> Manifest:
    count = len(labels)
    columns: dict[str, Any] = {name: [None] * count for name in SCHEMA}
    columns |= {"video": [f"/{k}.mp4" for k in range(count)], "label": labels}
    columns["start_s"] = [0.0] * count
    return Manifest(pl.DataFrame(columns, schema=dict(SCHEMA)))


def test_the_task_follows_from_the_labels() -> None:
    assert resolve_task(clips("a", "b"), TaskConfig()) == SingleLabelTask(("a", "b"))
    assert resolve_task(clips("a", "a|b"), TaskConfig()) == MultiLabelTask(("a", "b"))
    none = resolve_task(clips("a", "b"), TaskConfig(none_label="b"))
    assert none == MultiLabelTask(("a",), "b")
    # Slashes alone make no hierarchy: they may be part of a name.
    assert resolve_task(clips("a/b", "a/c"), TaskConfig()) == SingleLabelTask(("a/b", "a/c"))


@pytest.mark.parametrize("kind", ["single-label", "hierarchy"])
def test_several_labels_are_refused_where_one_is_wanted(kind: str) -> None:
    message = r"1 clip of 2 have several labels.*knows one label a clip.*train a multi-label"
    with pytest.raises(ManifestError, match=message):
        resolve_task(clips("a", "a|b"), TaskConfig.checked(kind=kind))


def test_unknown_is_refused_once_labels_are_several() -> None:
    with pytest.raises(ConfigError, match="unknown=True is for single-label classifiers, not for"):
        resolve_task(clips("a", "a|b"), TaskConfig(unknown=True))


def test_a_label_for_none_that_no_clip_has() -> None:
    with pytest.raises(
        ConfigError, match=r"none_label='bg' is the label of no clip\. Labels: 'a', 'b'"
    ):
        resolve_task(clips("a", "b"), TaskConfig(none_label="bg"))


def test_clips_of_none_of_the_classes_have_no_class() -> None:
    with pytest.raises(
        ManifestError, match=r"none of the classes \('bg'\) have no class beside it.*'a\|bg'"
    ):
        resolve_task(clips("a", "bg", "a|bg"), TaskConfig(none_label="bg"))
    with pytest.raises(ManifestError, match="all clips have the label 'bg' for none of the cla"):
        resolve_task(clips("bg", "bg"), TaskConfig(none_label="bg"))


def notes(task: TaskConfig, *labels: str) -> tuple[str, ...]:
    return resolve_task(clips(*labels), task).notes(labels)


def test_notes_describe_the_task() -> None:
    assert notes(TaskConfig(none_label="bg"), "a", "a|b", "bg") == (
        "a multi-label classifier: 1 of 3 clips have several labels, 1 of none of the classes "
        "('bg')",
    )
    assert notes(TaskConfig(kind="hierarchy"), "a/b", "a/c", "a", "d") == (
        "a hierarchy of 2 levels with 3 leaves; 1 clip labelled with a parent only",
    )
    assert notes(TaskConfig(), "a", "b") == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"kind": "hierarchy", "none_label": "bg"},
            "none_label='bg' is for multi-label",
        ),
        ({"unknown": True, "none_label": "bg"}, "`unknown` and `none_label` exclude each other"),
        ({"unknown": True, "kind": "hierarchy"}, "unknown=True is for single-label classifiers"),
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": ["a"]}, "kind=None is none of"),
        ({"kind": "several", "labels": ["a"]}, "kind='several' is none of"),
        ({"kind": "hierarchy", "labels": ["a"], "thresholds": []}, "thresholds"),
        ({"kind": "hierarchy", "labels": "a"}, "labels"),
    ],
)
def test_values_that_describe_no_task_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task_from_json(values)
