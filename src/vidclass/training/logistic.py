"""Heads that are linear in fixed views of a clip, solved exactly: quick enough to compare many.

Such a head pools with nothing to learn, standardises, and ends in one dense layer, so that its
training is logistic regression.  What it pools is computed once for all clips; each fold then
costs a fraction of a second, where a training by gradients costs seconds of compilation alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.tasks.activations import softmax
from vidclass.tasks.base import LabelTask
from vidclass.tasks.losses import UNBALANCED
from vidclass.training.data import AnyExamples, Examples, in_memory, joined
from vidclass.training.fit import FittedHead

# Clips that go through the pooling at a time: one size, so that it is compiled once.
_BATCH = 64
# Inverse strength of the penalty, for blocks of length 1.  From 10 to 300 accuracy on real clips
# moves by a point or two (docs/explanation/accuracy.md).
_INVERSE_PENALTY = 30.0
_MOST_ITERATIONS = 300
_IMPOSSIBLE = -30.0
# Pooled features of more clips than this would take gigabytes.
MOST_CLIPS = 10_000


class ExactHead:
    """A linear head over clips whose pooled features, (N,B,D), are at hand."""

    def __init__(self, model: Any, pooled: NDArray[np.float32], examples: Examples) -> None:
        self.model = model
        self._pooled = pooled
        self._targets = examples.targets

    @classmethod
    def of(cls, head: str, examples: Examples, *, classes: int) -> ExactHead | None:
        """The head over these clips; None where it is not linear in fixed views.

        Raises:
            ConfigError: there is no such head.
        """
        import keras

        from vidclass.heads.registry import build_head

        frames, width = examples.steps
        model = build_head(head, frames, width, classes)
        *_, standardise, last = model.layers
        learning = [layer for layer in model.layers if layer.trainable_weights]
        fits = learning == [last] and isinstance(last, keras.layers.Dense)
        if not fits or not hasattr(standardise, "adapt_to") or len(standardise.output.shape) != 2:
            return None
        pooling = keras.Model(model.input, standardise.input)
        return cls(model, _in_batches(pooling, examples), examples)

    def fit(self, rows: NDArray[np.int64]) -> None:
        """Solve for the weights that the clips in some rows ask for, and put them into the model.

        Classes are weighed as in training by gradients.
        """
        from sklearn.linear_model import LogisticRegression

        *_, standardise, last = self.model.layers
        standardise.adapt_to(self._pooled[rows])
        targets = self._targets[rows]
        counts = np.bincount(targets)
        counts = counts[counts > 0]
        weights = "balanced" if counts.max() >= UNBALANCED * counts.min() else None
        solver = LogisticRegression(
            C=_INVERSE_PENALTY, class_weight=weights, max_iter=_MOST_ITERATIONS, tol=1e-3
        )
        solver.fit(self._standardised(rows), targets)
        kernel = np.zeros(last.kernel.shape, np.float32)
        # A class without clips is as good as impossible.
        bias = np.full(last.bias.shape, _IMPOSSIBLE, np.float32)
        # Of two classes the solver gives the weights of the second; the first then has none.
        seen = solver.classes_[-len(solver.coef_) :]
        bias[solver.classes_] = 0.0
        kernel[:, seen], bias[seen] = solver.coef_.T, solver.intercept_
        last.set_weights([kernel, bias])

    def probabilities(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Class probabilities (len(rows), K)."""
        kernel, bias = self.model.layers[-1].get_weights()
        return softmax(self._standardised(rows) @ kernel + bias)

    def _standardised(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.model.layers[-2](self._pooled[rows]), np.float64)


def fit_exactly(
    head: str, training: AnyExamples, *, task: LabelTask, validation: AnyExamples | None = None
) -> FittedHead | None:
    """Solve a linear head; None where it is not linear in fixed views, or the clips are too many.

    As `fit_head` does, it learns from the training clips, says what that makes of the validation
    clips, and then learns from all.
    """
    count = len(training)
    if count > MOST_CLIPS or not isinstance(training, Examples):
        return None
    together = training if validation is None else joined(training, validation)
    together = in_memory(together, np.arange(len(together)))
    exact = ExactHead.of(head, together, classes=len(task.labels))
    if exact is None:
        return None
    rows, held = np.arange(count), np.arange(count, len(together))
    exact.fit(rows)
    history = {"epoch": 1.0, **_score(exact, rows, training.targets, "")}
    if validation is None:
        return FittedHead(exact.model, task, [history], 1, exact=True)
    history |= _score(exact, held, validation.targets, "val_")
    measured = (validation.targets, exact.probabilities(held))
    exact.fit(np.arange(len(together)))
    return FittedHead(exact.model, task, [history], 1, measured, exact=True)


def _score(
    exact: ExactHead, rows: NDArray[np.int64], y_true: NDArray[np.int64], prefix: str
) -> dict[str, float]:
    found = exact.probabilities(rows)
    right = found[np.arange(len(y_true)), y_true]
    return {
        f"{prefix}accuracy": float((found.argmax(1) == y_true).mean()),
        f"{prefix}loss": float(-np.log(np.maximum(right, 1e-12)).mean()),
    }


def _in_batches(model: Any, examples: Examples) -> NDArray[np.float32]:
    """What a model without dropout gives for all clips, without compiling it for their number."""
    parts = []
    for start in range(0, len(examples), _BATCH):
        rows = np.arange(start, start + _BATCH) % len(examples)
        parts.append(np.asarray(model(examples.at(rows).inputs(), training=False)))
    return np.concatenate(parts)[: len(examples)]
