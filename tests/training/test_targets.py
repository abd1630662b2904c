from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.config import TaskConfig, TrainingConfig
from vidclass.errors import ConfigError, ShapeError
from vidclass.heads.registry import heads
from vidclass.tasks.answers import level_scores, sigmoid, softmax
from vidclass.tasks.label_scheme import LabelScheme
from vidclass.training.fit import Examples, FittedHead, fit_head
from vidclass.training.targets import (
    answer_rule,
    check_head,
    leaf_weights,
    objective,
    positive_weights,
)
from vidclass.training.truth import class_members

SEVERAL = LabelScheme(("a", "b", "c"), "multi-label", "bg")
LEVELS = LabelScheme(("s/x", "s/y", "t"), "hierarchy")
PLAIN = TrainingConfig(balance_classes=False)


def clips(truth: NDArray[Any], centres: NDArray[Any], seed: int = 0) -> Examples:
    """Clips of 4 steps whose features are the sum of what their classes look like."""
    rng = np.random.default_rng(seed)
    looks = (centres @ np.eye(3, 6))[:, None]
    features = (looks + rng.normal(0, 0.2, (len(truth), 4, 6))).astype(np.float32)
    return Examples(features, np.ones((len(truth), 4), bool), truth)


def several(count: int, seed: int = 0) -> Examples:
    """Every combination of three classes in turn, and none of them."""
    truth = np.array([[k >> 0 & 1, k >> 1 & 1, k >> 2 & 1] for k in range(count)], np.float32)
    return clips(truth, truth, seed)


def fit(training: Examples, scheme: LabelScheme, **more: Any) -> FittedHead:
    quick = TrainingConfig(epochs=15, learning_rate=0.1, cosine=False, batch_size=64, refit=False)
    return fit_head(more.pop("head", "mean"), training, quick, classes=3, scheme=scheme, **more)


def value(scheme: LabelScheme, truth: Any, logits: Any, config: TrainingConfig = PLAIN) -> Any:
    truth = np.array(truth, np.float32)
    loss, _ = objective(scheme, config, truth)
    return np.asarray(loss(keras.ops.convert_to_tensor(truth), keras.ops.convert_to_tensor(logits)))


def test_the_loss_of_several_labels_is_binary_cross_entropy_summed() -> None:
    truth = np.array([[1, 0, 1], [0, 0, 0]])
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 80.0, -80.0]], np.float32)
    each = np.where(truth == 1, np.log1p(np.exp(-logits)), np.log1p(np.exp(logits)))
    np.testing.assert_allclose(value(SEVERAL, truth, logits), each.sum(1), rtol=1e-5)
    smooth = TrainingConfig(balance_classes=False, label_smoothing=0.2)
    wanted = truth * 0.8 + 0.1
    each = wanted * np.log1p(np.exp(-logits)) + (1 - wanted) * np.log1p(np.exp(logits))
    np.testing.assert_allclose(value(SEVERAL, truth, logits, smooth), each.sum(1), rtol=1e-5)


def test_balancing_weighs_the_clips_that_have_a_rare_class() -> None:
    truth = np.array([[1, 0, 0]] + [[0, 1, 0]] * 3, np.float32)
    np.testing.assert_allclose(positive_weights(truth), [np.sqrt(3), np.sqrt(1 / 3), 2.0])
    logits = np.zeros((4, 3), np.float32)
    half = np.log(2)
    expected = np.array([np.sqrt(3) + 2] + [np.sqrt(1 / 3) + 2] * 3) * half
    found = value(SEVERAL, truth, logits, TrainingConfig())
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert positive_weights(np.ones((4, 1), np.float32)).tolist() == [0.1]
    assert positive_weights(np.eye(1000, 1, dtype=np.float32)).tolist() == [10.0]


def test_the_loss_of_a_parent_is_that_of_the_leaves_below_it_together() -> None:
    truth = LEVELS.truth(["s", "s/y", "t"])
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0], [0.1, 0.2, 0.3]], np.float32)
    expected = -np.log((softmax(logits) * truth).sum(1))
    np.testing.assert_allclose(value(LEVELS, truth, logits), expected, rtol=1e-5)
    smooth = TrainingConfig(balance_classes=False, label_smoothing=0.3)
    expected = 0.7 * expected - 0.3 * np.log(softmax(logits)).mean(1)
    np.testing.assert_allclose(value(LEVELS, truth, logits, smooth), expected, rtol=1e-5)


def test_leaves_are_weighed_by_their_share() -> None:
    truth = LEVELS.truth(["s", "s/y", "t", "t"])
    np.testing.assert_allclose(leaf_weights(truth), [4 / 1.5, 4 / 4.5, 4 / 6])
    assert leaf_weights(truth[2:]).tolist() == [1, 1, 1]
    found = value(LEVELS, truth, np.zeros((4, 3), np.float32), TrainingConfig())
    weights = np.array([(8 / 3 + 8 / 9) / 2, 8 / 9, 2 / 3, 2 / 3])
    logs = np.log([1.5, 3, 3, 3])
    np.testing.assert_allclose(found, weights * logs, rtol=1e-5)


@pytest.mark.parametrize("head", ["mean", "prototype"])
def test_several_labels_and_none_are_learned(head: str) -> None:
    validation = several(40, seed=1)
    fitted = fit(several(160), SEVERAL, validation=validation, head=head)
    unseen = several(40, seed=2)
    probabilities = fitted.probabilities(unseen)
    rule, notes = answer_rule(SEVERAL, fitted.validation, TaskConfig(kind="multi-label"))
    assert notes == ()
    assert len(set(rule.thresholds)) == 3
    assert (rule.chosen(probabilities) == (unseen.truth > 0)).mean() > 0.95
    assert set(fitted.history[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert fitted.history[-1]["val_accuracy"] > 0.9
    logits = fitted.model.predict(unseen.inputs(), verbose=0)
    np.testing.assert_allclose(probabilities, sigmoid(logits), atol=1e-6)


def test_parents_alone_help_to_learn_their_level() -> None:
    labels = ["s/x", "t", "s", "s/y"] * 30
    leaf = np.array([0, 2, 1, 1] * 30)
    training = clips(LEVELS.truth(labels), np.eye(3)[leaf])
    fitted = fit(training, LEVELS)
    unseen = clips(LEVELS.truth(["s/x", "s/y", "t"] * 5), np.eye(3)[[0, 1, 2] * 5], seed=3)
    probabilities = fitted.probabilities(unseen)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (probabilities.argmax(1) == unseen.truth.argmax(1)).all()
    _, nodes, top = level_scores(LEVELS, probabilities)[0]
    assert nodes == ["s", "t"]
    assert (top.argmax(1) == np.array([0, 0, 1] * 5)).all()
    assert fitted.history[-1]["accuracy"] == 1.0


def test_a_refit_keeps_the_kind() -> None:
    config = TrainingConfig(epochs=2, batch_size=64)
    fitted = fit_head(
        "mean", several(16), config, classes=3, scheme=SEVERAL, validation=several(8, seed=1)
    )
    assert fitted.kind == "multi-label"
    assert fitted.validation is not None
    assert fitted.validation[0].shape == fitted.validation[1].shape == (8, 3)


def test_one_class_against_none_is_enough() -> None:
    scheme = LabelScheme(("a",), "multi-label", "bg")
    truth = (np.arange(40) % 2 == 0).astype(np.float32)[:, None]
    data = clips(truth, np.pad(truth, [(0, 0), (0, 2)]))
    config = TrainingConfig(epochs=20, learning_rate=0.05)
    fitted = fit_head("mean", data, config, classes=1, scheme=scheme)
    assert ((fitted.probabilities(data) > 0.5) == (truth > 0)).all()


def test_a_clip_of_several_classes_is_one_of_each() -> None:
    rows, classes = class_members(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32))
    assert (rows.tolist(), classes.tolist()) == ([0, 0, 2], [0, 2, 1])
    rows, classes = class_members(np.array([2, 0]))
    assert (rows.tolist(), classes.tolist()) == ([0, 1], [2, 0])


@pytest.mark.parametrize("truth", [np.zeros((2, 3, 1), np.float32), np.zeros(2, np.float32)])
def test_truth_of_another_shape_is_refused(truth: NDArray[Any]) -> None:
    with pytest.raises(ShapeError, match=r"truth must be \(N,\) whole numbers.*received: \(2,"):
        Examples(np.zeros((2, 4, 6), np.float32), np.ones((2, 4), bool), truth)


def test_heads_that_share_out_one_probability_are_refused() -> None:
    task = TaskConfig(kind="multi-label")
    with pytest.raises(ConfigError, match=r"head='rolling_average\(window=3\)' shares out one"):
        check_head("rolling_average(window=3)", task)
    check_head("rolling_average", TaskConfig(kind="hierarchy"))
    with pytest.raises(ConfigError, match="head='gruu'"):
        check_head("gruu", task)
    for name, head in heads().items():
        if head.independent:
            check_head(name, task)


def test_what_cannot_be_calibrated_is_said() -> None:
    few = (np.eye(3, dtype=np.float32), np.full((3, 3), 0.4))
    rule, notes = answer_rule(SEVERAL, few, TaskConfig(kind="multi-label"))
    assert rule.thresholds == (0.5, 0.5, 0.5)
    assert notes == (
        "thresholds of 0.5, for want of 5 validation clips with and without the class: "
        "'a', 'b', 'c'",
    )
    rule, notes = answer_rule(SEVERAL, None, TaskConfig(kind="multi-label"))
    assert rule.thresholds == (0.5, 0.5, 0.5)
    assert notes == ("all thresholds are 0.5: there is no validation clip to choose them on",)


def test_a_threshold_for_unknown_clips_is_found_or_it_is_said_why_not() -> None:
    scheme = LabelScheme(("a", "b"))
    sure = (np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.7, 0.3], [0.8, 0.2]]))
    assert answer_rule(scheme, sure, TaskConfig(kind="single-label"))[0].unknown_below is None
    asked = TaskConfig(kind="single-label", unknown=True)
    assert answer_rule(scheme, sure, asked)[0].unknown_below == 0.7
    precise = TaskConfig(kind="single-label", unknown=True, unknown_precision=1.0)
    assert answer_rule(scheme, sure, precise)[0].unknown_below == 0.9
    wrong = (1 - sure[0], sure[1])
    for task, why in (
        (asked, "no validation clip is named rightly"),
        (precise, "at no probability are 100 % of the validation clips above it named rightly"),
    ):
        validation = (np.ones(3, int), sure[1]) if task is asked else wrong
        rule, notes = answer_rule(scheme, validation, task)
        assert rule.unknown_below is None
        assert notes == (f"no threshold for unknown clips: {why}",)
    assert answer_rule(scheme, None, asked)[1] == (
        "no threshold for unknown clips: there is no validation clip",
    )
