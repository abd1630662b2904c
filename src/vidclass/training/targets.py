"""What a head learns from labels that are not simply one class a clip: losses and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import listed, quoted
from vidclass.config import TaskConfig, TrainingConfig
from vidclass.errors import ConfigError
from vidclass.tasks.answers import AnswerRule
from vidclass.tasks.label_scheme import Kind, LabelScheme
from vidclass.tasks.multilabel import MIN_POSITIVES, best_thresholds
from vidclass.tasks.rejection import threshold_for_precision, threshold_keeping

# Beyond that a single clip of a rare class would outweigh a batch.
MOST_WEIGHT = 10.0


def check_head(head: str, task: TaskConfig) -> None:
    """Refuse heads whose answers to different classes are not free of one another.

    Raises:
        ConfigError: it is such a head, and the task is multi-label; or there is no such head.
    """
    if task.kind != "multi-label":
        return
    from vidclass.heads.registry import heads, parse_head
    from vidclass.training.presets import DEFAULT_HEAD, candidates

    names = candidates(head)
    if names is not None:
        head = DEFAULT_HEAD if DEFAULT_HEAD in names else names[0]
    found, _ = parse_head(head)
    if not found.independent:
        fit = sorted(name for name, other in heads().items() if other.independent)
        raise ConfigError(
            f"head={head!r} shares out one probability among all classes, so that no two of them "
            f"could be sure at once: for several labels a clip take one of {fit}."
        )


def check_training(config: TrainingConfig, kind: Kind) -> None:
    """Refuse settings that only single-label heads have.

    Raises:
        ConfigError: there is one, and the labels are of another kind.
    """
    if kind == "single-label":
        return
    wrong = {
        "loss='focal'": config.loss == "focal",
        "monitor='macro_f1'": config.monitor == "macro_f1",
        "augment.reverse": config.augment.reverse > 0,
    }
    for name, given in wrong.items():
        if given:
            raise ConfigError(f"{name} is for single-label classifiers; this one is {kind}.")


def objective(
    scheme: LabelScheme, config: TrainingConfig, truth: NDArray[np.float32]
) -> tuple[Any, list[Any]]:
    """Loss and metrics for Keras, of a multi-label scheme or a hierarchy.

    Args:
        scheme: The classes.
        config: `label_smoothing` and `balance_classes` are looked at.
        truth: (N,K) of the training clips.
    """
    weigh = leaf_weights if scheme.kind == "hierarchy" else positive_weights
    weights = weigh(truth) if config.balance_classes else np.ones(truth.shape[1])
    if scheme.kind == "hierarchy":
        return _marginal_loss(weights, config.label_smoothing), [_leaf_accuracy()]
    return _sigmoid_loss(weights, config.label_smoothing), [_label_accuracy()]


def positive_weights(truth: NDArray[np.float32]) -> NDArray[np.float64]:
    """(K,) weights of the clips with each class: the root of how many there are without it for one.

    The ratio itself would make half a probability the border for every class, but push up all
    probabilities of rare ones; its root is between that and none (measured in
    docs/how-to/labels.md).
    None weighs more than `MOST_WEIGHT`, or less than one part in as many.

    >>> positive_weights(np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)).round(2).tolist()
    [0.58, 1.73]
    """
    present = truth.sum(0, dtype=np.float64)
    ratio = (len(truth) - present) / np.maximum(present, 1)
    return np.asarray(np.clip(np.sqrt(ratio), 1 / MOST_WEIGHT, MOST_WEIGHT), np.float64)


def leaf_weights(truth: NDArray[np.float32]) -> NDArray[np.float64]:
    """(K,) weights inverse to the leaves' shares of the clips, of mean 1 over these.

    A clip labelled with a parent is shared out among the leaves below it.

    >>> leaf_weights(np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)).round(2).tolist()
    [0.67, 2.0]
    """
    counts = (truth / truth.sum(1, keepdims=True)).sum(0)
    weights = np.ones(len(counts))
    present = counts > 0
    weights[present] = len(truth) / (present.sum() * counts[present])
    return np.minimum(weights, MOST_WEIGHT)


def _sigmoid_loss(weights: NDArray[np.float64], smoothing: float) -> Any:
    """Binary cross-entropy, summed over the classes as that of a softmax is.

    A learning rate that suits the one then suits the other: the slope along each logit is the
    probability less the truth.
    """
    from keras import ops

    positive = ops.convert_to_tensor(weights, "float32")

    def loss(truth: Any, logits: Any) -> Any:
        logits = ops.cast(logits, "float32")
        wanted = ops.cast(truth, "float32") * (1.0 - smoothing) + 0.5 * smoothing
        # log(sigmoid(x)) is -softplus(-x), and log(1 - sigmoid(x)) is -softplus(x).
        present = positive * wanted * ops.softplus(-logits)
        return ops.sum(present + (1.0 - wanted) * ops.softplus(logits), axis=-1)

    return loss


def _marginal_loss(weights: NDArray[np.float64], smoothing: float) -> Any:
    """Minus the log of the probability of all leaves that a clip may be of.

    For a clip labelled down to a leaf it is the cross-entropy; for one with a parent only, the
    marginal likelihood of the leaves below it.  Smoothing mixes in the mean over all leaves.
    """
    from keras import ops

    each = ops.convert_to_tensor(weights, "float32")

    def loss(truth: Any, logits: Any) -> Any:
        members = ops.cast(truth, "float32")
        logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        inside = ops.logsumexp(ops.where(members > 0, logs, -1e9), axis=-1)
        weight = ops.sum(members * each, axis=-1) / ops.sum(members, axis=-1)
        return -weight * ((1.0 - smoothing) * inside + smoothing * ops.mean(logs, axis=-1))

    return loss


def _label_accuracy() -> Any:
    from keras import ops

    def accuracy(truth: Any, logits: Any) -> Any:
        """Share of labels that are right at a probability of one half."""
        right = ops.equal(ops.cast(truth, "float32") > 0.5, logits > 0)
        return ops.mean(ops.cast(right, "float32"), axis=-1)

    return accuracy


def _leaf_accuracy() -> Any:
    from keras import ops

    def accuracy(truth: Any, logits: Any) -> Any:
        """Share of clips whose most probable leaf is one that they may be of."""
        best = ops.one_hot(ops.argmax(logits, axis=-1), truth.shape[-1])
        return ops.sum(best * ops.cast(truth, "float32"), axis=-1)

    return accuracy


def answer_rule(
    scheme: LabelScheme,
    validation: tuple[NDArray[Any], NDArray[np.float64]] | None,
    task: TaskConfig,
) -> tuple[AnswerRule, tuple[str, ...]]:
    """How a classifier is to answer, as its validation clips have it, and notes on that.

    Args:
        scheme: Its classes.
        validation: Truth and probabilities of the validation clips by the best epoch, which has not
            learned from them; None without any.
        task: What was asked for.
    """
    if scheme.kind == "multi-label":
        return _with_thresholds(scheme, validation)
    if not task.unknown:
        return AnswerRule(scheme), ()
    if validation is None:
        return AnswerRule(scheme), ("no threshold for unknown clips: there is no validation clip",)
    truth, probabilities = validation
    if task.unknown_precision is None:
        found = threshold_keeping(probabilities, truth)
        why = "no validation clip is named rightly"
    else:
        found = threshold_for_precision(probabilities, truth, precision=task.unknown_precision)
        why = (
            f"at no probability are {100 * task.unknown_precision:g} % of the validation clips "
            "above it named rightly"
        )
    if found is None:
        return AnswerRule(scheme), (f"no threshold for unknown clips: {why}",)
    return AnswerRule(scheme, unknown_below=found), ()


def _with_thresholds(
    scheme: LabelScheme, validation: tuple[NDArray[Any], NDArray[np.float64]] | None
) -> tuple[AnswerRule, tuple[str, ...]]:
    if validation is None:
        return AnswerRule(scheme, (0.5,) * len(scheme.labels)), (
            "all thresholds are 0.5: there is no validation clip to choose them on",
        )
    truth, probabilities = validation
    rule = AnswerRule(scheme, best_thresholds(probabilities, truth))
    counts = truth.sum(0)
    few = [
        label
        for label, count in zip(scheme.labels, counts, strict=True)
        if min(count, len(truth) - count) < MIN_POSITIVES
    ]
    if not few:
        return rule, ()
    return rule, (
        f"thresholds of 0.5, for want of {MIN_POSITIVES} validation clips with and without the "
        f"class: {listed(quoted(few))}",
    )
