"""Averaged weights, the score that says which epoch is best, and both together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from vidclass.config import TrainingConfig
from vidclass.tasks.activations import softmax
from vidclass.tasks.metrics import single_label_metrics
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.callbacks import BestEpoch, macro_f1
from vidclass.training.examples import Examples
from vidclass.training.fit import FittedHead, fit_head

K = 3
TASK = SingleLabelTask(("a", "b", "c"))


def easy(count: int, *, seed: int = 0, noise: float = 0.3) -> Examples:
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % K
    centres = np.eye(K, 6, dtype=np.float32)[truth][:, None]
    features = (centres + rng.normal(0, noise, (count, 4, 6))).astype(np.float32)
    return Examples(features, np.ones((count, 4), bool), truth)


def fit(training: Examples, validation: Examples | None = None, **changes: Any) -> FittedHead:
    quick: dict[str, Any] = {
        "epochs": 6, "learning_rate": 0.5, "optimizer": "sgd", "cosine": False, "refit": False,
        "batch_size": 64, "balance_classes": False,
    }  # fmt: skip
    config = TrainingConfig(**quick | changes)
    return fit_head("mean", training, config, task=TASK, validation=validation)


def trained(fitted: FittedHead) -> list[NDArray[Any]]:
    return [np.asarray(weight) for weight in fitted.model.trainable_weights]


def averaged(training: Examples, momentum: float, steps: int, **changes: Any) -> list[Any]:
    """The average by its definition: one batch an epoch, so epoch k ends with the k-th weights."""
    average = trained(fit(training, epochs=1, **changes))
    for step in range(2, steps + 1):
        now = trained(fit(training, epochs=step, **changes))
        average = [momentum * a + (1 - momentum) * b for a, b in zip(average, now, strict=True)]
    return average


def loss_with(fitted: FittedHead, weights: list[Any], examples: Examples) -> float:
    for variable, value in zip(fitted.model.trainable_weights, weights, strict=True):
        variable.assign(value)
    probabilities = fitted.probabilities(examples)
    return float(-np.log(probabilities[np.arange(len(examples)), examples.targets]).mean())


def test_without_validation_the_average_is_what_is_kept() -> None:
    training = easy(30)
    for mine, wanted in zip(
        trained(fit(training, epochs=4, ema=0.7)), averaged(training, 0.7, 4), strict=True
    ):
        np.testing.assert_allclose(mine, wanted, atol=1e-5)


def test_it_is_the_average_that_is_validated_and_the_steps_go_on_from_the_weights() -> None:
    training, validation = easy(30), easy(30, seed=1, noise=0.8)
    fitted = fit(training, validation, epochs=3, ema=0.7)
    seen = [row["val_loss"] for row in fitted.history]
    plain = [row["loss"] for row in fit(training, epochs=3).history]
    assert [row["loss"] for row in fitted.history] == pytest.approx(plain, abs=1e-5)
    for epoch in (1, 2, 3):
        wanted = loss_with(fitted, averaged(training, 0.7, epoch), validation)
        assert seen[epoch - 1] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("monitor", ["loss", "macro_f1"])
def test_the_average_of_the_best_epoch_comes_back(monitor: str) -> None:
    training, validation = easy(30, noise=1.0), easy(30, seed=1, noise=1.0)
    lying = Examples(validation.features, validation.mask, (validation.targets + 1) % K)
    fitted = fit(training, lying, ema=0.6, monitor=monitor)
    assert fitted.best_epoch < 6
    for mine, wanted in zip(
        trained(fitted), averaged(training, 0.6, fitted.best_epoch), strict=True
    ):
        np.testing.assert_allclose(mine, wanted, atol=1e-5)
    _, probabilities = fitted.validation or pytest.fail("it was given")
    np.testing.assert_allclose(fitted.probabilities(lying), probabilities, atol=1e-6)


def test_the_refit_ends_with_the_average_too() -> None:
    training, validation = easy(30), easy(12, seed=1, noise=0.8)
    fitted = fit(training, validation, ema=0.7, refit=True, epochs=3)
    wanted = averaged(training.joined(validation), 0.7, fitted.best_epoch)
    for mine, other in zip(trained(fitted), wanted, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


@pytest.mark.parametrize("optimizer", [{"optimizer": "adam"}, {"weight_decay": 0.01}])
def test_every_optimizer_averages(optimizer: dict[str, Any]) -> None:
    settings = {"optimizer": "adam"} | optimizer
    training = easy(30)
    for mine, wanted in zip(
        trained(fit(training, epochs=3, ema=0.5, **settings)),
        averaged(training, 0.5, 3, **settings),
        strict=True,
    ):
        np.testing.assert_allclose(mine, wanted, atol=1e-5)


def test_macro_f1_is_that_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 40)  # the fourth class does not occur
    probabilities = softmax(rng.normal(0, 1, (40, 4)))
    f1 = macro_f1(truth, probabilities.argmax(1))
    assert f1 == single_label_metrics(probabilities, truth, list("abcd")).macro_f1
    assert macro_f1(np.array([0, 1]), np.array([2, 2])) == 0


def test_the_best_epoch_by_macro_f1_is_in_the_history() -> None:
    training, validation = easy(30, noise=0.8), easy(30, seed=1, noise=1.2)
    fitted = fit(training, validation, monitor="macro_f1", epochs=12)
    scores = [row["val_macro_f1"] for row in fitted.history]
    losses = [row["val_loss"] for row in fitted.history]
    order = sorted(range(12), key=lambda e: (-scores[e], losses[e]))
    assert fitted.best_epoch == order[0] + 1
    truth, probabilities = fitted.validation or pytest.fail("it was given")
    f1 = f1_score(truth, probabilities.argmax(1), average="macro")
    assert f1 == pytest.approx(max(scores))


class Stub:
    """A model whose weights are the number of the epoch."""

    stop_training = False

    def __init__(self) -> None:
        self.epoch = 0

    def get_weights(self) -> list[int]:
        return [self.epoch]

    def set_weights(self, weights: list[int]) -> None:
        self.kept = weights


def walk(rows: list[tuple[float, float]], **settings: Any) -> tuple[int, Any, int]:
    """Best epoch, weights kept and epochs run, for (macro-F1, loss) of each epoch."""
    model = Stub()
    truth = np.arange(2)
    predictions = {1.0: truth, 0.0: 1 - truth}
    callback = BestEpoch(
        TrainingConfig(epochs=len(rows), **settings),
        truth,
        lambda: predictions[rows[model.epoch - 1][0]],
    )
    callback.set_model(model)
    for epoch, (_, loss) in enumerate(rows):
        model.epoch = epoch + 1
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    callback.on_train_end()
    return callback.best, getattr(model, "kept", None), model.epoch


def test_equal_macro_f1_goes_to_the_lower_loss_and_equal_loss_to_the_earlier_epoch() -> None:
    rows = [(0.0, 0.1), (1.0, 0.9), (1.0, 0.5), (1.0, 0.5), (1.0, 0.7)]
    assert walk(rows, monitor="macro_f1") == (3, [3], 5)
    assert walk(rows, monitor="loss") == (1, [1], 5)


def test_patience_counts_from_the_best_epoch() -> None:
    rows = [(1.0, 0.5), (0.0, 0.4), (0.0, 0.3), (1.0, 0.2)]
    assert walk(rows, monitor="macro_f1", patience=2) == (1, [1], 3)
    assert walk(rows, monitor="loss", patience=2) == (4, [4], 4)


def test_losses_that_are_no_numbers_are_never_best() -> None:
    nan = float("nan")
    assert walk([(0.0, nan), (0.0, 0.4), (0.0, nan)]) == (2, [2], 3)
    assert walk([(0.0, nan), (0.0, nan)]) == (0, None, 2)
    assert walk([(1.0, nan), (0.0, 0.4)], monitor="macro_f1") == (2, [2], 2)
