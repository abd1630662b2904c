from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from vidclass.config import TrainingConfig
from vidclass.errors import ConfigError, ShapeError
from vidclass.tasks.losses import class_weights
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training import fit as module
from vidclass.training.examples import Examples
from vidclass.training.fit import fit_head

TASK = SingleLabelTask(("a", "b", "c"))


def easy(
    count: int, *, seed: int = 0, noise: float = 0.3, counts: tuple[int, ...] = ()
) -> Examples:
    """Clips of 4 steps whose features point to their class, one of 3."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), counts) if counts else np.arange(count) % 3
    centres = np.eye(3, 6, dtype=np.float32)[truth][:, None]
    features = (centres + rng.normal(0, noise, (len(truth), 4, 6))).astype(np.float32)
    return Examples(features, np.ones((len(truth), 4), bool), truth)


def config(**changes: Any) -> TrainingConfig:
    quick = {"epochs": 6, "learning_rate": 0.05, "cosine": False, "refit": False, "batch_size": 64}
    return TrainingConfig(**quick | changes)


def fit(training: Examples, **changes: Any) -> module.FittedHead:
    validation = changes.pop("validation", None)
    return fit_head("mean", training, config(**changes), task=TASK, validation=validation)


def accuracy(fitted: module.FittedHead, examples: Examples) -> float:
    return float((fitted.probabilities(examples).argmax(1) == examples.targets).mean())


def test_an_easy_task_is_learned_and_probabilities_add_up_to_one() -> None:
    fitted = fit(easy(60), epochs=20)
    assert accuracy(fitted, easy(60, seed=1)) > 0.95
    np.testing.assert_allclose(fitted.probabilities(easy(9)).sum(1), 1)
    assert fitted.best_epoch == 20  # the last one: nothing says which is better
    assert fitted.validation is None
    assert [row["epoch"] for row in fitted.history] == list(range(1, 21))
    assert set(fitted.history[0]) == {"epoch", "loss", "accuracy"}


def test_the_best_epoch_is_that_of_the_lowest_validation_loss_and_comes_back() -> None:
    training = easy(12, noise=1.0)
    lying = easy(12, seed=1, noise=1.0)
    lying = Examples(lying.features, lying.mask, (lying.targets + 1) % 3)  # learning makes it worse
    fitted = fit(training, validation=lying)
    losses = [row["val_loss"] for row in fitted.history]
    assert len(losses) == 6
    assert fitted.best_epoch == int(np.argmin(losses)) + 1 < 6
    truth, probabilities = fitted.validation or pytest.fail("it was given")
    np.testing.assert_array_equal(truth, lying.targets)
    loss = -np.log(probabilities[np.arange(12), truth]).mean()
    assert loss == pytest.approx(min(losses), abs=1e-5)
    np.testing.assert_allclose(fitted.probabilities(lying), probabilities, atol=1e-6)


def test_patience_ends_training_early() -> None:
    lying = easy(12, seed=1)
    lying = Examples(lying.features, lying.mask, (lying.targets + 1) % 3)
    fitted = fit(easy(12), validation=lying, epochs=30, patience=2)
    assert len(fitted.history) == fitted.best_epoch + 2


def test_the_refit_learns_from_all_clips_for_the_best_number_of_epochs() -> None:
    training, validation = easy(12), easy(12, seed=1, noise=0.8)
    steps: list[tuple[str, int, int]] = []
    fitted = fit_head(
        "mean",
        training,
        config(refit=True),
        task=TASK,
        validation=validation,
        progress=lambda *step: steps.append(step),
    )
    best = fitted.best_epoch
    stages = [("train", n, 6) for n in range(1, 7)] + [("refit", n, 6) for n in range(1, best + 1)]
    assert steps == stages
    by_hand = fit(training.joined(validation), epochs=best)
    unseen = easy(9, seed=2)
    np.testing.assert_allclose(
        fitted.probabilities(unseen), by_hand.probabilities(unseen), atol=1e-5
    )
    _, before = fitted.validation or pytest.fail("it was given")
    without = fit(training, validation=validation)
    np.testing.assert_allclose(before, without.probabilities(validation), atol=1e-5)


def test_the_seed_decides() -> None:
    unseen = easy(9, seed=3)
    first, again, other = (
        fit(easy(12), seed=seed, epochs=2, batch_size=4).probabilities(unseen) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_class_weights_are_the_inverse_of_shares_with_mean_one() -> None:
    assert class_weights(np.array([0, 0, 0, 1]), 2) == {0: pytest.approx(2 / 3), 1: 2.0}
    assert class_weights(np.array([0, 0, 1, 1, 1, 2, 2]), 3) == {
        0: pytest.approx(7 / 6),
        1: pytest.approx(7 / 9),
        2: pytest.approx(7 / 6),
    }
    truth = np.array([0, 0, 0, 0, 2])
    weights = class_weights(truth, 3) or {}
    assert weights[1] == 1.0  # it has no clip
    assert np.mean([weights[index] for index in truth.tolist()]) == pytest.approx(1)


@pytest.mark.parametrize("truth", [[0, 1], [0, 0, 0, 0, 1, 1, 1], [0, 0]])
def test_nearly_balanced_classes_are_not_weighed(truth: list[int]) -> None:
    assert class_weights(np.array(truth), 2) is None


@pytest.mark.parametrize(("balance", "expected"), [(True, {0: 0.5, 1: 2.0, 2: 2.0}), (False, None)])
def test_classes_are_weighed_if_asked(
    monkeypatch: pytest.MonkeyPatch, balance: bool, expected: dict[int, float] | None
) -> None:
    seen = []
    monkeypatch.setattr(
        keras.Model, "fit", lambda self, *args, **rest: seen.append(rest) or _History()
    )
    fit(easy(0, counts=(16, 4, 4)), balance_classes=balance)
    assert seen[0]["class_weight"] == expected


class _History:
    history = {"loss": [1.0]}


def test_cosine_decay_ends_at_zero_and_smoothing_softens() -> None:
    training = easy(12)
    options = {"cosine": True, "batch_size": 4, "weight_decay": 0.01}
    fitted = fit(training, label_smoothing=0.2, **options)
    optimizer = fitted.model.optimizer
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert int(optimizer.iterations) == 18  # three batches in each of six epochs
    assert float(optimizer.learning_rate) == pytest.approx(0, abs=1e-7)
    sharp = fit(training, **options)
    assert fitted.probabilities(training).max() < sharp.probabilities(training).max()


def test_layers_that_measure_see_the_training_clips_alone() -> None:
    training, validation = easy(12), easy(12, seed=1)
    fitted = fit(training, validation=validation, epochs=1)
    layer = next(layer for layer in fitted.model.layers if hasattr(layer, "adapt_to"))
    np.testing.assert_allclose(
        np.asarray(layer.mean.value)[0], training.features.mean((0, 1)), atol=1e-5
    )


def test_one_clip_and_empty_clips_can_be_learned_from() -> None:
    one = easy(1)
    empty = Examples(one.features * 0, ~one.mask, one.targets)
    for name in ("mean", "temporal"):
        fitted = fit_head(name, one.joined(empty), config(epochs=1), task=TASK)
        assert np.isfinite(fitted.probabilities(empty)).all()


def test_examples_check_themselves() -> None:
    good = easy(3)
    assert len(good) == 3
    assert len(good.at(np.array([2, 0]))) == 2
    with pytest.raises(ShapeError, match=r"features \(3, 4, 6\), mask \(2, 4\) and targets \(3,\)"):
        Examples(good.features, good.mask[:2], good.targets)
    with pytest.raises(ShapeError, match=r"targets \(1,\) do not fit"):
        Examples(good.features, good.mask, good.targets[:1])


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'mean'"):
        fit_head("meen", easy(3), config(), task=TASK)


@pytest.mark.parametrize("given", [None, "somewhere"])
def test_compiled_steps_are_kept_in_the_cache_unless_the_user_chose(
    monkeypatch: pytest.MonkeyPatch, session_cache: Any, given: str | None
) -> None:
    import jax

    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", given)
    try:
        module.share_compiled_code()
        wanted = given or str(session_cache / "jax")
        assert jax.config.jax_compilation_cache_dir == wanted
        monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
        jax.config.update("jax_compilation_cache_dir", None)
        module.share_compiled_code()
        assert jax.config.jax_compilation_cache_dir is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
