"""What a head is taught to make small: losses, and the targets and weights that go with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import TrainingConfig

# The largest class has this many times the clips of the smallest before classes are weighed.
UNBALANCED = 1.5
# The slope of focal loss with gamma below 1 is infinite where a head is wholly sure.
_LEAST_DOUBT = 1e-6


def loss_of(config: TrainingConfig) -> Any:
    """The loss that a model is compiled with; see `targets_of` for what it is compared with."""
    import keras

    if takes_indices(config):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if config.loss == "cross_entropy":
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        )

    def focal(targets: Any, logits: Any) -> Any:
        smooth = config.label_smoothing
        targets = targets * (1 - smooth) + smooth / logits.shape[-1]
        return focal_loss(targets, logits, config.focal_gamma)

    return focal


def takes_indices(config: TrainingConfig) -> bool:
    """Whether the loss is told the number of the class, and not a share of each class."""
    return (
        config.loss == "cross_entropy" and config.label_smoothing == 0 and config.augment.mixup == 0
    )


def targets_of(truth: NDArray[Any], config: TrainingConfig, classes: int) -> NDArray[Any]:
    """Class numbers (N,), or for a loss that takes shares a row for each clip, (N,K) float32.

    What has a row for each clip already stays, and is smoothed by its loss.
    """
    if takes_indices(config) or truth.ndim == 2:
        return truth
    return np.asarray(np.eye(classes, dtype=np.float32)[truth])


def focal_loss(targets: Any, logits: Any, gamma: float) -> Any:
    """Focal loss (Lin et al. 2017) over K classes: -sum of t (1 - p)^gamma log p.  (B,K) -> (B,).

    Without its class weights alpha: those are `balance_classes`.  With gamma 0 it is
    cross-entropy.  Unlike Keras's own it never clips probabilities, which would stop a head from
    learning from the clips it gets most wrong.
    """
    from keras import ops

    logits = ops.cast(logits, "float32")
    log_p = ops.log_softmax(logits, axis=-1)
    doubt = ops.maximum(-ops.expm1(log_p), _LEAST_DOUBT)
    return -ops.sum(targets * ops.power(doubt, gamma) * log_p, axis=-1)


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


def clip_weights(targets: NDArray[Any], weights: dict[int, float]) -> NDArray[np.float32]:
    """The weight of each clip, (N,): that of its class, or of its classes by their shares."""
    by_class = np.array([weights[index] for index in range(len(weights))], np.float32)
    return by_class[targets] if targets.ndim == 1 else np.asarray(targets @ by_class, np.float32)
