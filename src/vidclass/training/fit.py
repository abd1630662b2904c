"""Fit a head on features that are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.bundle.answers import probabilities_of
from vidclass.config import TrainingConfig
from vidclass.data.label_scheme import Kind, LabelScheme
from vidclass.errors import ShapeError
from vidclass.files import cache_folder
from vidclass.training.targets import check_truth, class_members, objective
from vidclass.types import Progress, no_progress

# The largest class has this many times the clips of the smallest before classes are weighed.
UNBALANCED = 1.5


@dataclass(frozen=True)
class Examples:
    """Clips ready for a head.  features (N,T,D) float32; mask (N,T) bool.

    truth (N,) int, or (N,K) float32: of several labels or of a hierarchy (`LabelScheme.truth`).
    """

    features: NDArray[np.float32]
    mask: NDArray[np.bool_]
    truth: NDArray[Any]

    def __post_init__(self) -> None:
        """Check that the three agree."""
        if self.features.shape[:2] != self.mask.shape or len(self.truth) != len(self.mask):
            raise ShapeError(
                f"features {self.features.shape}, mask {self.mask.shape} and truth "
                f"{self.truth.shape} do not fit"
            )
        if wrong := check_truth(self.truth):
            raise ShapeError(wrong)

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.truth)

    def inputs(self) -> dict[str, NDArray[Any]]:
        """What a head takes."""
        return {"features": self.features, "mask": self.mask}

    def joined(self, other: Examples) -> Examples:
        """These clips and the others."""
        return Examples(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.mask, other.mask]),
            np.concatenate([self.truth, other.truth]),
        )

    def at(self, rows: NDArray[Any]) -> Examples:
        """The clips in these rows."""
        return Examples(self.features[rows], self.mask[rows], self.truth[rows])


@dataclass(frozen=True)
class FittedHead:
    """A trained head, with the weights of its best epoch.

    Attributes:
        model: The Keras model.
        history: One row an epoch: epoch, loss, accuracy, and, with a validation set, val_loss and
            val_accuracy.
        best_epoch: The epoch, from 1, that the weights come from.
        validation: True classes (V,) of the validation clips and their probabilities (V,K) at the
            best epoch, before the refit; None without a validation set.
        kind: Of its labels: what its logits mean.
    """

    model: Any
    history: list[dict[str, float]]
    best_epoch: int
    validation: tuple[NDArray[Any], NDArray[np.float64]] | None = None
    kind: Kind = "single-label"

    def probabilities(self, examples: Examples) -> NDArray[np.float64]:
        """Class probabilities (N,K)."""
        logits = np.asarray(self.model.predict(examples.inputs(), verbose=0), np.float64)
        return probabilities_of(logits, self.kind)


def fit_head(
    head: str,
    training: Examples,
    config: TrainingConfig,
    *,
    classes: int,
    validation: Examples | None = None,
    scheme: LabelScheme | None = None,
    progress: Progress = no_progress,
) -> FittedHead:
    """Train a new head; the weights are those of the best epoch.

    The best epoch is that of the lowest validation loss; without a validation set, the last one.
    With `config.refit` the head is then trained anew, on all clips, up to that epoch.

    Args:
        head: Its name.
        training: The clips to learn from.
        config: How.
        classes: K.
        validation: The clips that decide which epoch is best.
        scheme: What their labels mean, if more than one class a clip; their truth is as it says.
        progress: Told of the stages `train` and `refit`, epoch by epoch.

    Raises:
        ConfigError: there is no such head.
    """
    kind: Kind = "single-label" if scheme is None else scheme.kind
    model = _new_head(head, training, config, classes, scheme)
    log = _run(model, training, config, classes, validation, _ticks(progress, "train", config))
    history = _rows(log.history)
    losses = [row.get("val_loss", -row["epoch"]) for row in history]
    best = int(np.argmin(losses)) + 1
    if validation is None:
        return FittedHead(model, history, best, kind=kind)
    held_out = (validation.truth, FittedHead(model, [], best, kind=kind).probabilities(validation))
    if config.refit:
        together = training.joined(validation)
        model = _new_head(head, together, config, classes, scheme)
        ticks = _ticks(progress, "refit", config)
        _run(model, together, config, classes, None, ticks, epochs=best)
    return FittedHead(model, history, best, held_out, kind)


def _new_head(
    head: str,
    training: Examples,
    config: TrainingConfig,
    classes: int,
    scheme: LabelScheme | None,
) -> Any:
    import keras

    from vidclass.heads.registry import build_head

    _share_compiled_code()
    keras.utils.set_random_seed(config.seed)
    frames, width = training.features.shape[1:]
    model = build_head(head, frames, width, classes)
    adapt(model, training)
    if scheme is None or scheme.kind == "single-label":
        loss, metrics = _loss(config), ["accuracy"]
    else:
        loss, metrics = objective(scheme, config, training.truth)
    model.compile(_optimizer(config, len(training)), loss, metrics=metrics)
    return model


def _run(
    model: Any,
    training: Examples,
    config: TrainingConfig,
    classes: int,
    validation: Examples | None,
    ticks: Any,
    *,
    epochs: int | None = None,
) -> Any:
    import keras

    callbacks = [ticks]
    if validation is not None:
        patience = config.patience or config.epochs
        callbacks.append(
            keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
        )
    weights = None
    if config.balance_classes and training.truth.ndim == 1:
        weights = class_weights(training.truth, classes)
    return model.fit(
        training.inputs(),
        _targets(training, config, classes),
        batch_size=config.batch_size,
        epochs=epochs or config.epochs,
        validation_data=None
        if validation is None
        else (validation.inputs(), _targets(validation, config, classes)),
        class_weight=weights,
        callbacks=callbacks,
        verbose=0,
    )


def _ticks(progress: Progress, stage: str, config: TrainingConfig) -> Any:
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, _: progress(stage, epoch + 1, config.epochs)
    )


def adapt(model: Any, training: Examples) -> None:
    """Let every layer that measures its input see the training clips.

    Such a layer has `adapt_to`, or `adapt_to_classes`, which is given their classes too.
    """
    import keras

    for layer in model.layers:
        if not (hasattr(layer, "adapt_to") or hasattr(layer, "adapt_to_classes")):
            continue
        before = keras.Model(model.input, layer.input)
        seen = before.predict(training.inputs(), verbose=0)
        arrays = [np.asarray(a) for a in (seen if isinstance(seen, list) else [seen])]
        if hasattr(layer, "adapt_to"):
            layer.adapt_to(*arrays)
        else:
            rows, members = class_members(training.truth)
            layer.adapt_to_classes(*(array[rows] for array in arrays), members)


def class_weights(truth: NDArray[np.int64], classes: int) -> dict[int, float] | None:
    """Weights inverse to the classes' shares, of mean 1 over the clips; None when balanced.

    >>> class_weights(np.array([0, 0, 0, 1]), 2)
    {0: 0.6666666666666666, 1: 2.0}
    """
    counts = np.bincount(truth, minlength=classes)
    present = counts[counts > 0]
    if present.max() < UNBALANCED * present.min():
        return None
    return {
        index: float(len(truth) / (len(present) * count)) if count else 1.0
        for index, count in enumerate(counts)
    }


def _optimizer(config: TrainingConfig, clips: int) -> Any:
    import keras

    rate: Any = config.learning_rate
    if config.cosine:
        steps = config.epochs * -(-clips // config.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    if config.weight_decay:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer
    return keras.optimizers.Adam(rate)


def _loss(config: TrainingConfig) -> Any:
    import keras

    if config.label_smoothing == 0:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=config.label_smoothing
    )


def _targets(examples: Examples, config: TrainingConfig, classes: int) -> NDArray[Any]:
    """Class indices, or one row of zeros and a one for each clip if labels are smoothed.

    What has a row for each clip already stays, and is smoothed by its loss.
    """
    if config.label_smoothing == 0 or examples.truth.ndim == 2:
        return examples.truth
    return np.asarray(np.eye(classes, dtype=np.float32)[examples.truth])


def _rows(history: dict[str, list[float]]) -> list[dict[str, float]]:
    count = len(history["loss"])
    return [
        {"epoch": epoch + 1, **{name: float(values[epoch]) for name, values in history.items()}}
        for epoch in range(count)
    ]


def _share_compiled_code() -> None:
    """Let JAX keep compiled training steps on disk: the next fold or run starts at once."""
    import keras

    if keras.backend.backend() == "jax":
        config = import_module("jax").config
        if config.jax_compilation_cache_dir is None:
            config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
            config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
