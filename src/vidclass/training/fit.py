"""Train a head on stored features."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.files import cache_folder
from vidclass.config import AugmentConfig, TrainingConfig
from vidclass.tasks.base import LabelTask
from vidclass.tasks.losses import clip_weights
from vidclass.tasks.targets import class_members
from vidclass.training.augment import augmented, mixup, reversed_classes
from vidclass.training.examples import AnyExamples, Examples, StoredExamples, joined, sample
from vidclass.types import Progress, no_progress

# Size of the sample of stored clips that layers with statistics of their input are adapted to.
SAMPLE_BYTES = 128 << 20
_PREDICT_CLIPS = 256


@dataclass(frozen=True)
class FittedHead:
    """A trained head, with the weights of its best epoch.

    Attributes:
        model: Keras model.
        task: Label task that it was trained for.
        history: One row an epoch: epoch, loss, accuracy, and, with a validation set, val_loss,
            val_accuracy and, if that is monitored, val_macro_f1.
        best_epoch: Epoch, from 1, that the weights come from.
        validation: Targets of the V validation clips and their probabilities (V,K) at the best
            epoch, before the refit; None without a validation set.
        is_logistic: True if it was solved as a logistic regression.
    """

    model: Any
    task: LabelTask
    history: list[dict[str, float]]
    best_epoch: int
    validation: tuple[NDArray[Any], NDArray[np.float64]] | None = None
    is_logistic: bool = False

    def probabilities(self, examples: AnyExamples) -> NDArray[np.float64]:
        """Return class probabilities (N,K), in the order of the examples."""
        return self.task.probabilities(_logits(self.model, examples))


def fit_head(
    head: str,
    training: AnyExamples,
    config: TrainingConfig,
    *,
    task: LabelTask,
    validation: AnyExamples | None = None,
    progress: Progress = no_progress,
) -> FittedHead:
    """Train a new head; the weights are those of the best epoch.

    The best epoch is determined by `config.monitor`; without a validation set, it is the last one.
    With `config.refit` the head is then trained anew, on all clips, up to that epoch.

    Args:
        head: Name of the head.
        training: Training clips; their targets are those of `task`.
        config: Training settings.
        task: Label task.
        validation: Validation clips, which decide which epoch is best.
        progress: Callback; reports the stages `train` and `refit`, epoch by epoch.

    Raises:
        ConfigError: There is no such head, or a setting is not for this head or task.
    """
    task.require_training(config)
    becomes = reversed_classes(config.augment, head, task.labels)
    fit = _Fit(config, task, becomes)
    model = _new_head(head, training, config, task)
    best = fit.best_epoch(model, validation)
    reports = _reports(progress, "train", config)
    history = _rows(fit.run(model, training, [reports, *best], validation=validation))
    if validation is None:
        return FittedHead(model, task, history, len(history))
    epoch = best[0].best or len(history)
    measured = (validation.targets, task.probabilities(_logits(model, validation)))
    if config.refit:
        together = joined(training, validation)
        model = _new_head(head, together, config, task)
        fit.run(model, together, [_reports(progress, "refit", config)], epochs=epoch)
    return FittedHead(model, task, history, epoch, measured)


def _new_head(head: str, training: AnyExamples, config: TrainingConfig, task: LabelTask) -> Any:
    import keras

    from vidclass.heads.registry import build_head

    share_compiled_code()
    keras.utils.set_random_seed(config.seed)
    frames, width = training.steps
    model = build_head(head, frames, width, len(task.labels))
    adapt(model, training)
    loss = task.loss(config, training.targets)
    model.compile(_optimizer(config, len(training)), loss, metrics=task.training_metrics())
    return model


@dataclass(frozen=True)
class _Fit:
    """Settings that training and refit share."""

    config: TrainingConfig
    task: LabelTask
    becomes: NDArray[np.int64]

    def run(
        self,
        model: Any,
        training: AnyExamples,
        callbacks: list[Any],
        *,
        validation: AnyExamples | None = None,
        epochs: int | None = None,
    ) -> dict[str, list[float]]:
        """Train a compiled model; returns the history by name."""
        config = self.config
        if isinstance(training, Examples) and config.augment == AugmentConfig():
            weights = self._class_weights(training)
            source: dict[str, Any] = {"x": training.inputs(), "y": self._targets(training)}
            source |= {"batch_size": config.batch_size, "class_weight": weights}
        else:
            # `Batches` shuffles; Keras would fetch batches out of order.
            source = {"x": self._batches(training), "shuffle": False}
        log = model.fit(
            **source,
            epochs=epochs or config.epochs,
            validation_data=None if validation is None else self._validation(validation),
            validation_batch_size=config.batch_size,
            callbacks=callbacks,
            verbose=0,
        )
        history: dict[str, list[float]] = log.history
        return history

    def best_epoch(self, model: Any, validation: AnyExamples | None) -> list[Any]:
        """Return the callback that finds the best epoch; none without validation clips."""
        if validation is None:
            return []
        from vidclass.training.callbacks import BestEpoch

        return [
            BestEpoch(self.config, validation.targets, lambda: _logits(model, validation).argmax(1))
        ]

    def _class_weights(self, training: AnyExamples) -> dict[int, float] | None:
        if not self.config.balance_classes:
            return None
        return self.task.class_weights(training.targets)

    def _targets(self, examples: Examples) -> NDArray[Any]:
        return self.task.loss_targets(examples.targets, self.config)

    def _validation(self, validation: AnyExamples) -> Any:
        if isinstance(validation, Examples):
            return validation.inputs(), self._targets(validation)
        from vidclass.training.batches import Batches

        def make(part: Examples, _: np.random.Generator) -> tuple[Any, ...]:
            return part.inputs(), self._targets(part)

        return Batches(validation, make, batch_size=self.config.batch_size)

    def _batches(self, training: AnyExamples) -> Any:
        from vidclass.training.batches import Batches

        weights = self._class_weights(training)
        augment = self.config.augment

        def make(part: Examples, rng: np.random.Generator) -> tuple[Any, ...]:
            features, mask, indices = augmented(
                part.features,
                part.mask,
                part.targets,
                rng,
                config=augment,
                becomes=self.becomes,
            )
            targets = self.task.loss_targets(indices, self.config)
            if augment.mixup:
                features, mask, targets = mixup(features, mask, targets, rng, alpha=augment.mixup)
            inputs = {"features": features, "mask": mask}
            return (inputs, targets, *([] if weights is None else [clip_weights(targets, weights)]))

        return Batches(training, make, batch_size=self.config.batch_size, seed=self.config.seed)


def _logits(model: Any, examples: AnyExamples) -> NDArray[np.float64]:
    """Return the logits of each clip, (N,K)."""
    if isinstance(examples, Examples):
        return np.asarray(model.predict(examples.inputs(), verbose=0), np.float64)
    from vidclass.training.batches import Batches

    batches = Batches(examples, lambda part, _: (part.inputs(),), batch_size=_PREDICT_CLIPS)
    return np.asarray(model.predict(batches, verbose=0), np.float64)


def _reports(progress: Progress, stage: str, config: TrainingConfig) -> Any:
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, _: progress(stage, epoch + 1, config.epochs)
    )


def adapt(model: Any, training: AnyExamples) -> None:
    """Adapt every layer with statistics of its input to the training clips, or a sample of many.

    Such a layer has a method `adapt_to`, or `adapt_to_classes`, which takes classes, too.
    """
    import keras

    layers = [
        layer
        for layer in model.layers
        if hasattr(layer, "adapt_to") or hasattr(layer, "adapt_to_classes")
    ]
    if not layers:
        return
    if isinstance(training, StoredExamples):
        frames, width = training.steps
        training = sample(training, count=max(SAMPLE_BYTES // (frames * width * 4), 1))
    for layer in layers:
        before = keras.Model(model.input, layer.input)
        outputs = before.predict(training.inputs(), verbose=0)
        arrays = [np.asarray(a) for a in (outputs if isinstance(outputs, list) else [outputs])]
        if hasattr(layer, "adapt_to"):
            layer.adapt_to(*arrays)
        else:
            rows, classes = class_members(training.targets)
            layer.adapt_to_classes(*(array[rows] for array in arrays), classes)


def _optimizer(config: TrainingConfig, clips: int) -> Any:
    import keras

    rate: Any = config.learning_rate
    if config.cosine:
        steps = config.epochs * -(-clips // config.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    average = {} if config.ema is None else {"use_ema": True, "ema_momentum": config.ema}
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **average)
    if config.weight_decay:
        decay = config.weight_decay
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay, **average)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer
    return keras.optimizers.Adam(rate, **average)


def _rows(history: dict[str, list[float]]) -> list[dict[str, float]]:
    count = len(history["loss"])
    return [
        {"epoch": epoch + 1, **{name: float(values[epoch]) for name, values in history.items()}}
        for epoch in range(count)
    ]


def share_compiled_code() -> None:
    """Let JAX keep compiled training steps on disk, where the next fold or run finds them."""
    import keras

    if keras.backend.backend() == "jax":
        config = import_module("jax").config
        if config.jax_compilation_cache_dir is None:
            config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
            config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
