"""Every label task keeps the rules of `LabelTask`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidclass.config import TaskConfig, TrainingConfig
from vidclass.errors import ConfigError, ShapeError
from vidclass.tasks.base import LabelTask
from vidclass.tasks.hierarchy import HierarchyTask
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.tasks.resolve import TASKS, task_from_json
from vidclass.tasks.single_label import SingleLabelTask

# Each task with labels of clips: every class occurs, and so does what else a clip may have.
CASES: dict[str, tuple[LabelTask, list[str]]] = {
    "single": (SingleLabelTask(("a", "b", "c")), ["a", "b", "c"]),
    "rejecting": (SingleLabelTask(("a", "b", "c"), unknown_below=0.6), ["a", "b", "c"]),
    "several": (MultiLabelTask(("a", "b", "c")), ["a", "b|c", "a|b|c"]),
    "background": (
        MultiLabelTask(("a", "b", "c"), "bg", thresholds=(0.2, 0.5, 0.9)),
        ["a|b", "b|c", "bg"],
    ),
    "levels": (HierarchyTask(("s/x", "s/y", "t")), ["s/x", "s/y", "t", "s"]),
}
K = 3

every_task = pytest.mark.parametrize(("task", "labels"), CASES.values(), ids=list(CASES))
logit = st.floats(-500, 500, width=32)
logits_of_a_clip = st.lists(logit, min_size=K, max_size=K).map(lambda row: np.array([row]))


def spread(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 3, (count, K)).astype(np.float32)


def test_every_kind_is_here() -> None:
    assert {type(task) for task, _ in CASES.values()} == set(TASKS.values())


@every_task
def test_targets_are_indices_or_rows(task: LabelTask, labels: list[str]) -> None:
    targets = task.targets(label for label in labels)
    if task.targets_are_indices:
        assert (targets.shape, targets.dtype) == ((len(labels),), np.int64)
        assert set(targets.tolist()) <= set(range(K))
    else:
        assert (targets.shape, targets.dtype) == ((len(labels), K), np.float32)
        assert set(np.unique(targets)) <= {0.0, 1.0}
    assert len(task.targets([])) == 0
    assert task.unknown_labels(label for text in labels for label in text.split("|")) == []
    assert task.unknown_labels(["zz", "zz", "y"]) == ["y", "zz"]
    assert set(task.labels) <= set(task.vocabulary)


@every_task
def test_the_classes_of_its_own_labels_are_its_classes(task: LabelTask, labels: list[str]) -> None:
    named = sorted({label for text in labels for label in text.split("|")})
    again = task.with_labels(named)
    assert (type(again), again.labels) == (type(task), task.labels)
    assert all(isinstance(note, str) for note in task.notes(labels))


@settings(deadline=None, max_examples=40)
@given(logits=logits_of_a_clip)
@every_task
def test_probabilities_are_probabilities(
    task: LabelTask, labels: list[str], logits: NDArray[Any]
) -> None:
    probabilities = task.probabilities(logits)
    assert (probabilities.shape, probabilities.dtype) == ((1, K), np.float64)
    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if not task.multi_label:
        assert probabilities.sum() == pytest.approx(1)
    order = np.argsort(logits[0], kind="stable")
    assert (np.diff(probabilities[0][order]) >= 0).all()


@settings(deadline=None, max_examples=40)
@given(logits=logits_of_a_clip)
@every_task
def test_a_decision_fits_its_columns_and_its_json(
    task: LabelTask, labels: list[str], logits: NDArray[Any]
) -> None:
    probabilities = task.probabilities(logits)[0]
    rejecting = task == CASES["rejecting"][0]
    for unknown in (False, True) if rejecting else (False,):
        decision = task.decide(probabilities, unknown=unknown)
        assert decision.label is None or decision.label in task.labels
        assert decision.probability in probabilities
        if decision.label is None:
            assert decision.probability == probabilities.max()
        else:
            assert decision.probability == probabilities[task.labels.index(decision.label)]
        assert len(decision.cells()) == len(task.columns(unknown=unknown))
        assert all(isinstance(cell, str) for cell in [decision.text(), *decision.cells()])
        assert json.loads(json.dumps(decision.to_json())) == decision.to_json()


@every_task
def test_ties_are_decided_for_the_first_class(task: LabelTask, labels: list[str]) -> None:
    assert task.decide(np.full(K, 1.0)).label == task.labels[0]


@every_task
def test_json_gives_the_task_back(task: LabelTask, labels: list[str]) -> None:
    assert task_from_json(json.loads(json.dumps(task.to_json()))) == task


@every_task
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("balance", [False, True])
def test_the_loss_is_finite_and_least_for_the_truth(
    task: LabelTask, labels: list[str], smoothing: float, balance: bool
) -> None:
    config = TrainingConfig(label_smoothing=smoothing, balance_classes=balance)
    y_true = task.targets(labels)
    loss, targets = task.loss(config, y_true), task.loss_targets(y_true, config)

    def mean(logits: NDArray[Any]) -> float:
        return float(np.mean(np.asarray(loss(targets, logits.astype(np.float32)))))

    rows = np.eye(K)[y_true] if task.targets_are_indices else y_true
    right = mean(4 * rows - 2)
    assert np.isfinite(right)
    assert right < mean(np.zeros((len(labels), K))) < mean(2 - 4 * rows)
    weights = task.class_weights(y_true)
    assert weights is None or set(weights) == set(range(K))
    assert len(task.training_metrics()) == 1


@every_task
def test_metrics_are_plain_json_and_text(task: LabelTask, labels: list[str]) -> None:
    labels = labels * 3
    y_true, probabilities = task.targets(labels), task.probabilities(spread(len(labels)))
    metrics = task.metrics(
        probabilities, y_true, failures={"failed": 3, "failed_by_class": {"a": 1, "gone": 2}}
    )
    values = metrics.to_json()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["videos"] + values["failed"] <= len(labels) + 3
    assert 0 <= metrics.accuracy_interval[0] <= metrics.accuracy <= metrics.accuracy_interval[1]
    assert "3 more failed" in metrics.summary()
    header, rows = metrics.class_table()
    assert rows[-1][:3] == ["gone", "0", "2"]
    assert all(len(row) == len(header) for row in rows)
    assert all(metrics.figures().values())
    json.dumps([metrics.fold_json(), metrics.pooled_json([metrics, metrics])], allow_nan=False)
    inside = np.arange(len(labels)) % 2 == 0
    pooled = task.pooled_metrics(probabilities, y_true, [(task, inside), (task, ~inside)])
    assert pooled.accuracy == metrics.accuracy


@every_task
def test_metrics_of_arrays_that_do_not_fit_are_refused(task: LabelTask, labels: list[str]) -> None:
    y_true = task.targets(labels)
    with pytest.raises(ShapeError, match=r"clips and 3 labels"):
        task.metrics(task.probabilities(spread(len(labels) + 1)), y_true)


@every_task
def test_calibration_keeps_classes_and_may_lack_validation_clips(
    task: LabelTask, labels: list[str]
) -> None:
    labels = labels * 8
    validation = task.targets(labels), task.probabilities(spread(len(labels)))
    for clips in (None, validation):
        calibrated, notes = task.calibrated(clips, TaskConfig())
        assert (type(calibrated), calibrated.labels) == (type(task), task.labels)
        assert all(isinstance(note, str) for note in notes)


@every_task
def test_settings_that_need_class_indices_are_refused(task: LabelTask, labels: list[str]) -> None:
    task.require_training(TrainingConfig())
    for config in (TrainingConfig(loss="focal"), TrainingConfig(monitor="macro_f1")):
        if task.targets_are_indices:
            task.require_training(config)
        else:
            with pytest.raises(ConfigError, match=f"for single-label .* this one is {task.kind}"):
                task.require_training(config)


@every_task
def test_unknown_clips_take_a_threshold(task: LabelTask, labels: list[str]) -> None:
    if task == CASES["rejecting"][0]:
        task.require_unknown("model")
    else:
        with pytest.raises(ConfigError, match=r"^model has no probability below which a clip is"):
            task.require_unknown("model")
