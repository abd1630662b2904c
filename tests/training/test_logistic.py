"""Linear heads as logistic regressions, against training by gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ordered_clips import TASK, ordered, told_apart_by_mean
from vidclass.heads import heads
from vidclass.training import logistic as module
from vidclass.training.ensemble import fit
from vidclass.training.fit import FittedHead, fit_head
from vidclass.training.logistic import LogisticHead, fit_logistic
from vidclass.training.presets import run_config


@pytest.mark.parametrize("head", ["mean", "mean_std", "temporal"])
def test_the_solution_is_about_that_of_training_by_gradients(head: str) -> None:
    data = ordered(60, noise=0.8) if head == "temporal" else told_apart_by_mean(60)
    rows, test = np.arange(40), np.arange(40, 60)
    solved = LogisticHead.from_examples(head, data, classes=2)
    assert solved is not None
    solved.fit(rows)
    probabilities = solved.probabilities(test)
    assert probabilities.shape == (20, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    trained = fit_head(head, data.at(rows), heads()[head].training, task=TASK)
    by_gradients = trained.probabilities(data.at(test))
    assert (probabilities.argmax(1) == by_gradients.argmax(1)).mean() >= 0.9
    # The weights are in the model itself.
    of_model = FittedHead(solved.model, TASK, [], 1).probabilities(data.at(test))
    np.testing.assert_allclose(of_model, probabilities, atol=1e-5)


@pytest.mark.parametrize("unseen", [0, 2])
def test_a_class_without_clips_is_nearly_impossible(unseen: int) -> None:
    data = ordered(20)
    targets = data.targets + 1 if unseen == 0 else data.targets
    solved = LogisticHead.from_examples("temporal", replace(data, targets=targets), classes=3)
    assert solved is not None
    solved.fit(np.arange(16))
    probabilities = solved.probabilities(np.arange(20))
    assert probabilities[:, unseen].max() < 1e-9
    assert (probabilities.argmax(1) == targets).mean() > 0.9


def test_validation_clips_are_predicted_before_they_are_trained_on() -> None:
    data = ordered(60, noise=0.8)
    training, validation = data.at(np.arange(40)), data.at(np.arange(40, 60))
    fitted = fit_logistic("temporal", training, task=TASK, validation=validation)
    alone = fit_logistic("temporal", training, task=TASK)
    together = fit_logistic("temporal", data, task=TASK)
    if fitted is None or alone is None or together is None:
        pytest.fail("a linear head was not solved")
    targets, probabilities = fitted.validation or pytest.fail("it was given")
    np.testing.assert_array_equal(targets, validation.targets)
    np.testing.assert_allclose(probabilities, alone.probabilities(validation), atol=1e-5)
    np.testing.assert_allclose(fitted.probabilities(data), together.probabilities(data), atol=1e-5)
    [row] = fitted.history
    assert list(row) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    log_loss = -np.log(probabilities[np.arange(20), targets]).mean()
    assert row["val_loss"] == pytest.approx(log_loss)
    assert fitted.is_logistic


def test_settings_of_training_many_clips_and_other_heads_take_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = ordered(20)
    assert fit_logistic("gru", data, task=TASK) is None
    training = ({}, {"seed": 3}, {"epochs": 2})
    assert [
        fit(
            "mean", data, run_config(head="mean", training=given), task=TASK, validation=None
        ).is_logistic
        for given in training
    ] == [True, True, False]
    monkeypatch.setattr(module, "MAX_CLIPS", 19)
    assert fit_logistic("mean", data, task=TASK) is None


@pytest.mark.parametrize("head", ["prototype", "rolling_average", "gru", "attention"])
def test_heads_that_are_not_linear_in_pooled_features_are_not_solved(head: str) -> None:
    assert LogisticHead.from_examples(head, ordered(8), classes=2) is None
