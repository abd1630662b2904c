from __future__ import annotations

import json

import numpy as np
import pytest

from vidclass.errors import ConfigError, ManifestError
from vidclass.tasks.hierarchy import HierarchyTask

TASK = HierarchyTask(("s/x", "s/y", "t"))


def test_targets_are_the_leaves_that_a_clip_may_be() -> None:
    task = HierarchyTask(("ball/team/basket", "ball/team/soccer", "ball/tennis", "walk"))
    assert task.targets(["ball/team", "walk"]).tolist() == [[1, 1, 0, 0], [0, 0, 0, 1]]
    assert task.unknown_labels(["ball", "ball/golf", "walk"]) == ["ball/golf"]


def test_a_level_may_be_sure_where_the_leaves_are_not() -> None:
    decision = TASK.decide(np.array([0.3, 0.31, 0.39]))
    assert (decision.label, decision.probability) == ("t", 0.39)
    assert decision.levels == (("s", pytest.approx(0.61)), ("t", 0.39))
    assert decision.text() == "s (61.0 %), t (39.0 %)"
    assert (decision.cells(), TASK.columns()) == (["s", "t"], ["level_1", "level_2"])
    top, leaf = decision.to_json()["levels"]
    assert (top["level"], top["label"], leaf["level"], leaf["label"]) == (1, "s", 2, "t")


def test_accuracy_by_level_counts_the_clips_whose_label_reaches_it() -> None:
    y_true = TASK.targets(["s/x", "s/x", "t", "s"])
    probabilities = np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.4, 0.2, 0.4], [0.3, 0.3, 0.4]])
    metrics = TASK.metrics(probabilities, y_true)
    assert metrics.videos == 3
    assert metrics.accuracy == pytest.approx(1 / 3)
    assert [(row["level"], row["videos"]) for row in metrics.levels] == [(1, 4), (2, 3)]
    # At the top: both of s/x, and the last, whose leaves together are likelier than t.
    assert [row["accuracy"] for row in metrics.levels] == [0.75, pytest.approx(1 / 3)]
    values = json.loads(json.dumps(metrics.to_json()))
    assert (values["task"], values["labels"]) == ("hierarchy", ["s/x", "s/y", "t"])
    assert len(values["levels"][0]["accuracy_interval"]) == 2
    assert metrics.details()[0].startswith("level 1: accuracy 75.0 % (95 % interval ")
    assert set(metrics.pooled_json([metrics])) == {"task", "levels", "per_class"}


def test_metrics_without_a_leaf_among_the_clips_are_refused() -> None:
    task = HierarchyTask(("s/x", "s/y"))
    with pytest.raises(ManifestError, match="none of 1 clips is labelled with a leaf, such as"):
        task.metrics(np.array([[0.5, 0.5]]), task.targets(["s"]))


def test_a_hierarchy_has_no_unknown_clips() -> None:
    with pytest.raises(ConfigError, match="only single-label .*can have it.* is a hierarchy"):
        TASK.require_unknown("x")
