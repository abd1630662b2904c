"""Linear heads solved as logistic regressions: quick enough to compare many.

Such a head pools without parameters, standardises, and ends in one dense layer, so that its
training is logistic regression.  Pooled features are computed once for all clips; each fold then
takes a fraction of a second, while training by gradients takes seconds of compilation alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.tasks.activations import softmax
from vidclass.tasks.base import LabelTask
from vidclass.tasks.losses import UNBALANCED
from vidclass.training.examples import AnyExamples, Examples, in_memory, joined
from vidclass.training.fit import FittedHead

# Clips that go through the pooling at a time: one size, so that it is compiled once.
_BATCH = 64
# Inverse strength of the penalty, for blocks of length 1.  From 10 to 300 accuracy on real clips
# moves by a point or two (docs/explanation/accuracy.md).
_INVERSE_PENALTY = 30.0
_MAX_ITERATIONS = 300
_IMPOSSIBLE_LOGIT = -30.0
# Pooled features of more clips than this would take gigabytes.
MAX_CLIPS = 10_000


class LogisticHead:
    """A linear head over N clips with pooled features (N,B,D)."""

    def __init__(self, model: Any, pooled: NDArray[np.float32], examples: Examples) -> None:
        self.model = model
        self._pooled = pooled
        self._targets = examples.targets

    @classmethod
    def from_examples(cls, head: str, examples: Examples, *, classes: int) -> LogisticHead | None:
        """Return the head over these clips; None if it is not linear in pooled features.

        Raises:
            ConfigError: There is no such head.
        """
        import keras

        from vidclass.heads.registry import build_head

        frames, width = examples.steps
        model = build_head(head, frames, width, classes)
        *_, standardise, last = model.layers
        trainable = [layer for layer in model.layers if layer.trainable_weights]
        is_linear = trainable == [last] and isinstance(last, keras.layers.Dense)
        standardises = hasattr(standardise, "adapt_to") and len(standardise.output.shape) == 2
        if not (is_linear and standardises):
            return None
        pooling = keras.Model(model.input, standardise.input)
        return cls(model, _in_batches(pooling, examples), examples)

    def fit(self, rows: NDArray[np.int64]) -> None:
        """Fit the model to the clips in some rows.

        Classes are weighted as in training by gradients.
        """
        from sklearn.linear_model import LogisticRegression

        *_, standardise, last = self.model.layers
        standardise.adapt_to(self._pooled[rows])
        targets = self._targets[rows]
        counts = np.bincount(targets)
        counts = counts[counts > 0]
        weights = "balanced" if counts.max() >= UNBALANCED * counts.min() else None
        solver = LogisticRegression(
            C=_INVERSE_PENALTY, class_weight=weights, max_iter=_MAX_ITERATIONS, tol=1e-3
        )
        solver.fit(self._standardised(rows), targets)
        kernel = np.zeros(last.kernel.shape, np.float32)
        # A class without clips gets a probability near 0.
        bias = np.full(last.bias.shape, _IMPOSSIBLE_LOGIT, np.float32)
        # For two classes the solver has weights of the second alone; those of the first are 0.
        seen = solver.classes_[-len(solver.coef_) :]
        bias[solver.classes_] = 0.0
        kernel[:, seen], bias[seen] = solver.coef_.T, solver.intercept_
        last.set_weights([kernel, bias])

    def probabilities(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return class probabilities (len(rows), K)."""
        kernel, bias = self.model.layers[-1].get_weights()
        return softmax(self._standardised(rows) @ kernel + bias)

    def _standardised(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.model.layers[-2](self._pooled[rows]), np.float64)


def fit_logistic(
    head: str, training: AnyExamples, *, task: LabelTask, validation: AnyExamples | None = None
) -> FittedHead | None:
    """Fit a linear head; None if it is not linear in pooled features, or the clips are too many.

    As in `fit_head`, the probabilities of the validation clips are those of a head trained on the
    training clips alone, and the final weights are trained on all.
    """
    count = len(training)
    if count > MAX_CLIPS or not isinstance(training, Examples):
        return None
    together = training if validation is None else joined(training, validation)
    together = in_memory(together, np.arange(len(together)))
    solved = LogisticHead.from_examples(head, together, classes=len(task.labels))
    if solved is None:
        return None
    rows, validation_rows = np.arange(count), np.arange(count, len(together))
    solved.fit(rows)
    history = {"epoch": 1.0, **_score(solved, rows, training.targets, "")}
    if validation is None:
        return FittedHead(solved.model, task, [history], 1, is_logistic=True)
    history |= _score(solved, validation_rows, validation.targets, "val_")
    measured = (validation.targets, solved.probabilities(validation_rows))
    solved.fit(np.arange(len(together)))
    return FittedHead(solved.model, task, [history], 1, measured, is_logistic=True)


def _score(
    head: LogisticHead, rows: NDArray[np.int64], y_true: NDArray[np.int64], prefix: str
) -> dict[str, float]:
    probabilities = head.probabilities(rows)
    likelihoods = probabilities[np.arange(len(y_true)), y_true]
    return {
        f"{prefix}accuracy": float((probabilities.argmax(1) == y_true).mean()),
        f"{prefix}loss": float(-np.log(np.maximum(likelihoods, 1e-12)).mean()),
    }


def _in_batches(model: Any, examples: Examples) -> NDArray[np.float32]:
    """Return the outputs for all clips, in batches of one size, for which it is compiled once."""
    parts = []
    for start in range(0, len(examples), _BATCH):
        rows = np.arange(start, start + _BATCH) % len(examples)
        parts.append(np.asarray(model(examples.at(rows).inputs(), training=False)))
    return np.concatenate(parts)[: len(examples)]
