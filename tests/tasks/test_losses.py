"""Losses and class weights against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.config import TrainingConfig
from vidclass.tasks.activations import softmax
from vidclass.tasks.base import LabelTask
from vidclass.tasks.hierarchy import HierarchyTask
from vidclass.tasks.losses import (
    clip_weights,
    focal_loss,
    leaf_weights,
    positive_weights,
    takes_indices,
)
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.examples import Examples
from vidclass.training.fit import fit_head

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0], [-30.0, 30.0, 0.0]], np.float32)
TARGETS = np.array([0, 1, 0])
TASK = SingleLabelTask(("a", "b", "c"))
SEVERAL = MultiLabelTask(("a", "b", "c"), "bg")
LEVELS = HierarchyTask(("s/x", "s/y", "t"))
PLAIN = TrainingConfig(balance_classes=False)


def by_hand(gamma: float, smoothing: float) -> NDArray[np.float64]:
    wide = LOGITS.astype(np.float64)
    p = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    targets = np.eye(3)[TARGETS] * (1 - smoothing) + smoothing / 3
    return -(targets * (1 - p) ** gamma * np.log(p)).sum(1)


def mean_loss(**settings: Any) -> float:
    config = TrainingConfig(**settings)
    value = TASK.loss(config, TARGETS)(TASK.loss_targets(TARGETS, config), LOGITS)
    return float(np.mean(np.asarray(value)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_loss_is_its_formula(gamma: float, smoothing: float) -> None:
    settings: dict[str, Any] = {"loss": "focal", "focal_gamma": gamma}
    found = mean_loss(label_smoothing=smoothing, **settings)
    assert found == pytest.approx(by_hand(gamma, smoothing).mean(), rel=1e-5)


def test_focal_loss_of_a_clip_worked_out_on_paper() -> None:
    # p = (1/2, 1/4, 1/4): (1 - 1/2)^2 * log 2
    logits = np.log(np.array([[2.0, 1.0, 1.0]], np.float32))
    found = focal_loss(np.array([[1.0, 0, 0]], np.float32), logits, 2.0)
    np.testing.assert_allclose(np.asarray(found), [0.25 * np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_focus_it_is_cross_entropy(smoothing: float) -> None:
    found = mean_loss(loss="focal", focal_gamma=0.0, label_smoothing=smoothing)
    assert found == pytest.approx(mean_loss(label_smoothing=smoothing), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_worst_clip_still_teaches_and_the_surest_gives_no_nan(gamma: float) -> None:
    import jax

    def total(logits: Any) -> Any:
        return focal_loss(np.eye(3, dtype=np.float32)[[0, 1]], logits, gamma).sum()

    slopes = np.asarray(jax.grad(total)(np.array([[-90.0, 90, 0], [-90, 90, 0]], np.float32)))
    assert np.isfinite(slopes).all()
    assert slopes[0, 0] == pytest.approx(-1, abs=1e-3)
    np.testing.assert_allclose(slopes[1], 0, atol=1e-3)


def test_only_plain_cross_entropy_takes_class_numbers() -> None:
    assert takes_indices(TrainingConfig())
    for settings in (
        {"loss": "focal"},
        {"label_smoothing": 0.1},
        {"augment": {"mixup": 0.2}},
    ):
        config = TrainingConfig(**settings)
        assert not takes_indices(config)
        np.testing.assert_array_equal(TASK.loss_targets(TARGETS, config), np.eye(3)[TARGETS])


def test_a_clip_weighs_as_its_class_or_as_its_classes_by_their_shares() -> None:
    weights = {0: 0.5, 1: 2.0, 2: 1.0}
    np.testing.assert_allclose(clip_weights(TARGETS, weights), [0.5, 2.0, 0.5])
    mixed = np.array([[1, 0, 0], [0.25, 0.75, 0]], np.float32)
    np.testing.assert_allclose(clip_weights(mixed, weights), [0.5, 0.125 + 1.5])


@pytest.mark.parametrize("settings", [{"loss": "focal"}, {"loss": "focal", "label_smoothing": 0.2}])
def test_the_loss_that_is_trained_on_is_weighed_by_class(settings: dict[str, Any]) -> None:
    """The first epoch of one batch reports the loss of a head that has no opinion yet."""
    targets = np.array([0] * 6 + [1] * 2 + [2] * 2)
    features = np.zeros((10, 2, 4), np.float32)
    data = Examples(features, np.ones((10, 2), bool), targets)
    config = TrainingConfig(epochs=1, batch_size=16, **settings)
    fitted = fit_head("mean", data, config, task=TASK)
    smooth = config.label_smoothing
    one_class = -((1 - 1 / 3) ** 2) * np.log(1 / 3)
    by_hand = (1 - smooth) * one_class + smooth * one_class  # all classes have p = 1/3
    # Weights have a mean of 1 over the clips, and the loss is the mean over the clips.
    assert fitted.history[0]["loss"] == pytest.approx(by_hand, rel=1e-5)
    assert isinstance(fitted.model, keras.Model)


def value(task: LabelTask, targets: Any, logits: Any, config: TrainingConfig = PLAIN) -> Any:
    targets = np.array(targets, np.float32)
    loss = task.loss(config, targets)
    return np.asarray(
        loss(keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(logits))
    )


def test_the_loss_of_several_labels_is_binary_cross_entropy_summed() -> None:
    targets = np.array([[1, 0, 1], [0, 0, 0]])
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 80.0, -80.0]], np.float32)
    each = np.where(targets == 1, np.log1p(np.exp(-logits)), np.log1p(np.exp(logits)))
    np.testing.assert_allclose(value(SEVERAL, targets, logits), each.sum(1), rtol=1e-5)
    smooth = TrainingConfig(balance_classes=False, label_smoothing=0.2)
    wanted = targets * 0.8 + 0.1
    each = wanted * np.log1p(np.exp(-logits)) + (1 - wanted) * np.log1p(np.exp(logits))
    np.testing.assert_allclose(value(SEVERAL, targets, logits, smooth), each.sum(1), rtol=1e-5)


def test_balancing_weighs_the_clips_that_have_a_rare_class() -> None:
    targets = np.array([[1, 0, 0]] + [[0, 1, 0]] * 3, np.float32)
    np.testing.assert_allclose(positive_weights(targets), [np.sqrt(3), np.sqrt(1 / 3), 2.0])
    logits = np.zeros((4, 3), np.float32)
    half = np.log(2)
    expected = np.array([np.sqrt(3) + 2] + [np.sqrt(1 / 3) + 2] * 3) * half
    found = value(SEVERAL, targets, logits, TrainingConfig())
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert positive_weights(np.ones((4, 1), np.float32)).tolist() == [0.1]
    assert positive_weights(np.eye(1000, 1, dtype=np.float32)).tolist() == [10.0]


def test_the_loss_of_a_parent_is_that_of_the_leaves_below_it_together() -> None:
    targets = LEVELS.targets(["s", "s/y", "t"])
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0], [0.1, 0.2, 0.3]], np.float32)
    expected = -np.log((softmax(logits) * targets).sum(1))
    np.testing.assert_allclose(value(LEVELS, targets, logits), expected, rtol=1e-5)
    smooth = TrainingConfig(balance_classes=False, label_smoothing=0.3)
    expected = 0.7 * expected - 0.3 * np.log(softmax(logits)).mean(1)
    np.testing.assert_allclose(value(LEVELS, targets, logits, smooth), expected, rtol=1e-5)


def test_leaves_are_weighed_by_their_share() -> None:
    targets = LEVELS.targets(["s", "s/y", "t", "t"])
    np.testing.assert_allclose(leaf_weights(targets), [4 / 1.5, 4 / 4.5, 4 / 6])
    assert leaf_weights(targets[2:]).tolist() == [1, 1, 1]
    found = value(LEVELS, targets, np.zeros((4, 3), np.float32), TrainingConfig())
    weights = np.array([(8 / 3 + 8 / 9) / 2, 8 / 9, 2 / 3, 2 / 3])
    logs = np.log([1.5, 3, 3, 3])
    np.testing.assert_allclose(found, weights * logs, rtol=1e-5)
