"""Heads learn what the targets of multi-label and hierarchical tasks say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.config import TaskConfig, TrainingConfig
from vidclass.tasks.activations import sigmoid
from vidclass.tasks.base import LabelTask
from vidclass.tasks.hierarchy import HierarchyTask
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.training.examples import Examples
from vidclass.training.fit import FittedHead, fit_head

SEVERAL = MultiLabelTask(("a", "b", "c"), "bg")
LEVELS = HierarchyTask(("s/x", "s/y", "t"))


def clips(targets: NDArray[Any], centres: NDArray[Any], seed: int = 0) -> Examples:
    """Clips of 4 steps whose features are the sum of what their classes look like."""
    rng = np.random.default_rng(seed)
    looks = (centres @ np.eye(3, 6))[:, None]
    features = (looks + rng.normal(0, 0.2, (len(targets), 4, 6))).astype(np.float32)
    return Examples(features, np.ones((len(targets), 4), bool), targets)


def several(count: int, seed: int = 0) -> Examples:
    """Every combination of three classes in turn, and none of them."""
    targets = np.array([[k >> 0 & 1, k >> 1 & 1, k >> 2 & 1] for k in range(count)], np.float32)
    return clips(targets, targets, seed)


def fit(training: Examples, task: LabelTask, **more: Any) -> FittedHead:
    quick = TrainingConfig(epochs=15, learning_rate=0.1, cosine=False, batch_size=64, refit=False)
    return fit_head(more.pop("head", "mean"), training, quick, task=task, **more)


@pytest.mark.parametrize("head", ["mean", "prototype"])
def test_several_labels_and_none_are_learned(head: str) -> None:
    validation = several(40, seed=1)
    fitted = fit(several(160), SEVERAL, validation=validation, head=head)
    unseen = several(40, seed=2)
    probabilities = fitted.probabilities(unseen)
    task, notes = SEVERAL.calibrated(fitted.validation, TaskConfig(kind="multi-label"))
    assert notes == ()
    assert len(set(task.thresholds)) == 3
    assert (task.assigned(probabilities) == (unseen.targets > 0)).mean() > 0.95
    assert set(fitted.history[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert fitted.history[-1]["val_accuracy"] > 0.9
    logits = fitted.model.predict(unseen.inputs(), verbose=0)
    np.testing.assert_allclose(probabilities, sigmoid(logits), atol=1e-6)


def test_parents_alone_help_to_learn_their_level() -> None:
    labels = ["s/x", "t", "s", "s/y"] * 30
    leaf = np.array([0, 2, 1, 1] * 30)
    training = clips(LEVELS.targets(labels), np.eye(3)[leaf])
    fitted = fit(training, LEVELS)
    unseen = clips(LEVELS.targets(["s/x", "s/y", "t"] * 5), np.eye(3)[[0, 1, 2] * 5], seed=3)
    probabilities = fitted.probabilities(unseen)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (probabilities.argmax(1) == unseen.targets.argmax(1)).all()
    nodes, top = LEVELS.tree.level_probabilities(probabilities)[0]
    assert nodes == ["s", "t"]
    assert (top.argmax(1) == np.array([0, 0, 1] * 5)).all()
    assert fitted.history[-1]["accuracy"] == 1.0


def test_a_refit_keeps_the_kind() -> None:
    config = TrainingConfig(epochs=2, batch_size=64)
    fitted = fit_head("mean", several(16), config, task=SEVERAL, validation=several(8, seed=1))
    assert fitted.task == SEVERAL
    assert fitted.validation is not None
    assert fitted.validation[0].shape == fitted.validation[1].shape == (8, 3)


def test_one_class_against_none_is_enough() -> None:
    task = MultiLabelTask(("a",), "bg")
    targets = (np.arange(40) % 2 == 0).astype(np.float32)[:, None]
    data = clips(targets, np.pad(targets, [(0, 0), (0, 2)]))
    config = TrainingConfig(epochs=20, learning_rate=0.05)
    fitted = fit_head("mean", data, config, task=task)
    assert ((fitted.probabilities(data) > 0.5) == (targets > 0)).all()
