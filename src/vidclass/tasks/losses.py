"""Keras losses of the tasks, and the class weights that balance them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config.training import TrainingConfig

# Classes are weighted only if the largest has this many times the clips of the smallest.
UNBALANCED = 1.5
# Beyond this weight a single clip of a rare class would outweigh a batch.
MAX_WEIGHT = 10.0
# The slope of focal loss with gamma below 1 is infinite where a head is wholly sure.
_MIN_DOUBT = 1e-6


def categorical_loss(config: TrainingConfig) -> Any:
    """Return the loss of one class a clip: cross-entropy or focal loss, as configured.

    It takes class indices if `takes_indices(config)`, else one-hot or mixed rows.
    """
    import keras

    if takes_indices(config):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if config.loss == "cross_entropy":
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        )

    def focal(targets: Any, logits: Any) -> Any:
        smoothing = config.label_smoothing
        targets = targets * (1 - smoothing) + smoothing / logits.shape[-1]
        return focal_loss(targets, logits, config.focal_gamma)

    return focal


def takes_indices(config: TrainingConfig) -> bool:
    """Return whether `categorical_loss` takes class indices rather than rows."""
    return (
        config.loss == "cross_entropy" and config.label_smoothing == 0 and config.augment.mixup == 0
    )


def focal_loss(targets: Any, logits: Any, gamma: float) -> Any:
    """Return focal loss (Lin et al. 2017), -sum of t (1 - p)^gamma log p.  (B,K) -> (B,).

    It has no class weights alpha: those are `balance_classes`.  With gamma 0 it is cross-entropy.
    Unlike Keras's own it never clips probabilities, which would stop a head from learning from the
    clips it gets most wrong.
    """
    from keras import ops

    logits = ops.cast(logits, "float32")
    log_p = ops.log_softmax(logits, axis=-1)
    doubt = ops.maximum(-ops.expm1(log_p), _MIN_DOUBT)
    return -ops.sum(targets * ops.power(doubt, gamma) * log_p, axis=-1)


def binary_loss(weights: NDArray[np.float64], smoothing: float) -> Any:
    """Return binary cross-entropy, summed over the K classes, with weights (K,) of positives.

    Summing, as softmax cross-entropy does, lets the same learning rate suit both: the gradient of
    each logit is the probability less the target.
    """
    from keras import ops

    positive_weight = ops.convert_to_tensor(weights, "float32")

    def loss(targets: Any, logits: Any) -> Any:
        logits = ops.cast(logits, "float32")
        smoothed = ops.cast(targets, "float32") * (1.0 - smoothing) + 0.5 * smoothing
        # log(sigmoid(x)) is -softplus(-x), and log(1 - sigmoid(x)) is -softplus(x).
        positive = positive_weight * smoothed * ops.softplus(-logits)
        return ops.sum(positive + (1.0 - smoothed) * ops.softplus(logits), axis=-1)

    return loss


def marginal_loss(weights: NDArray[np.float64], smoothing: float) -> Any:
    """Return minus the log of the total probability of a clip's possible leaves, weights (K,).

    For a clip labelled with a leaf it is cross-entropy; for one labelled with a parent, the
    marginal likelihood of the leaves below it.  Smoothing mixes in the mean over all leaves.
    """
    from keras import ops

    leaf_weight = ops.convert_to_tensor(weights, "float32")

    def loss(targets: Any, logits: Any) -> Any:
        possible = ops.cast(targets, "float32")
        log_p = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        marginal = ops.logsumexp(ops.where(possible > 0, log_p, -1e9), axis=-1)
        weight = ops.sum(possible * leaf_weight, axis=-1) / ops.sum(possible, axis=-1)
        return -weight * ((1.0 - smoothing) * marginal + smoothing * ops.mean(log_p, axis=-1))

    return loss


def class_weights(targets: NDArray[np.int64], classes: int) -> dict[int, float] | None:
    """Return weights inverse to class frequencies, of mean 1 over the clips; None if balanced.

    >>> class_weights(np.array([0, 0, 0, 1]), 2)
    {0: 0.6666666666666666, 1: 2.0}
    """
    counts = np.bincount(targets, minlength=classes)
    present = counts[counts > 0]
    if present.max() < UNBALANCED * present.min():
        return None
    return {
        index: float(len(targets) / (len(present) * count)) if count else 1.0
        for index, count in enumerate(counts)
    }


def clip_weights(targets: NDArray[Any], weights: dict[int, float]) -> NDArray[np.float32]:
    """Return the weight (N,) of each clip: of its class, or of its classes by their shares."""
    by_class = np.array([weights[index] for index in range(len(weights))], np.float32)
    return by_class[targets] if targets.ndim == 1 else np.asarray(targets @ by_class, np.float32)


def positive_weights(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return weights (K,) of positive clips: the root of the ratio of negatives to positives.

    The ratio itself would make one half the decision border of every class, but inflate all
    probabilities of rare ones; its root is a compromise (measured in docs/how-to/labels.md).
    Weights are at most `MAX_WEIGHT`, and at least its inverse.

    >>> positive_weights(np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)).round(2).tolist()
    [0.58, 1.73]
    """
    positives = targets.sum(0, dtype=np.float64)
    ratio = (len(targets) - positives) / np.maximum(positives, 1)
    return np.asarray(np.clip(np.sqrt(ratio), 1 / MAX_WEIGHT, MAX_WEIGHT), np.float64)


def leaf_weights(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return weights (K,) inverse to the leaves' shares of the clips, of mean 1 over the clips.

    A clip labelled with a parent is shared out among the leaves below it.

    >>> leaf_weights(np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)).round(2).tolist()
    [0.67, 2.0]
    """
    counts = (targets / targets.sum(1, keepdims=True)).sum(0)
    weights = np.ones(len(counts))
    present = counts > 0
    weights[present] = len(targets) / (present.sum() * counts[present])
    return np.minimum(weights, MAX_WEIGHT)


def label_accuracy(targets: Any, logits: Any) -> Any:
    """Return the share (B,) of labels that are right at a probability of one half."""
    from keras import ops

    correct = ops.equal(ops.cast(targets, "float32") > 0.5, logits > 0)
    return ops.mean(ops.cast(correct, "float32"), axis=-1)


def leaf_accuracy(targets: Any, logits: Any) -> Any:
    """Return 1 or 0 (B,): whether the most probable leaf is one of a clip's possible leaves."""
    from keras import ops

    best = ops.one_hot(ops.argmax(logits, axis=-1), targets.shape[-1])
    return ops.sum(best * ops.cast(targets, "float32"), axis=-1)
