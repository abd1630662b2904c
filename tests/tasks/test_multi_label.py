from __future__ import annotations

import numpy as np
import pytest

from vidclass.config import TaskConfig
from vidclass.errors import ConfigError, ShapeError
from vidclass.tasks.multi_label import MultiLabelDecision, MultiLabelTask

TASK = MultiLabelTask(("a", "b", "c"), "bg", thresholds=(0.5, 0.2, 0.9))


def test_targets_are_rows_with_all_classes_or_none() -> None:
    targets = TASK.targets(["a|c", "b", "bg"])
    assert targets.dtype == np.float32
    assert targets.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert TASK.unknown_labels(["a", "bg", "d"]) == ["d"]
    assert TASK.vocabulary == ["a", "b", "c", "bg"]
    assert TASK.targets([]).shape == (0, 3)


def test_classes_are_those_at_their_thresholds_most_probable_first() -> None:
    decision = TASK.decide(np.array([0.5, 0.6, 0.89]))
    # The most probable class of all does not reach its own threshold.
    assert decision == MultiLabelDecision("b", 0.6, ("b", "a"))
    assert decision.to_json() == {"labels": ["b", "a"], "none_of_these": False}
    assert (decision.text(), decision.cells()) == ("b, a", ["b|a", "false"])
    assert TASK.columns() == ["labels", "none_of_these"]


def test_none_of_these_has_no_label_and_the_highest_probability() -> None:
    decision = TASK.decide(np.array([0.4, 0.1, 0.8]))
    assert decision == MultiLabelDecision(None, 0.8, ())
    assert decision.to_json() == {"labels": [], "none_of_these": True}
    assert (decision.text(), decision.cells()) == ("none of these", ["", "true"])


def test_thresholds_are_a_half_before_calibration() -> None:
    task = MultiLabelTask(("a", "b"))
    assert task.assigned(np.array([[0.5, 0.49]])).tolist() == [[True, False]]
    with pytest.raises(ShapeError, match="1 thresholds for 2 labels"):
        MultiLabelTask(("a", "b"), thresholds=(0.5,))


def test_notes_say_what_cannot_be_calibrated() -> None:
    few = (np.eye(3, dtype=np.float32), np.full((3, 3), 0.4))
    task, notes = TASK.calibrated(few, TaskConfig(kind="multi-label"))
    assert task.thresholds == (0.5, 0.5, 0.5)
    assert notes == (
        "thresholds of 0.5, for lack of 5 validation clips with and without the class: "
        "'a', 'b', 'c'",
    )
    task, notes = TASK.calibrated(None, TaskConfig(kind="multi-label"))
    assert task.thresholds == (0.5, 0.5, 0.5)
    assert notes == ("all thresholds are 0.5: there is no validation clip to choose them on",)


def test_a_multi_label_task_has_no_unknown_clips() -> None:
    with pytest.raises(ConfigError, match="only single-label .*can have it.* is multi-label"):
        TASK.require_unknown("x")
