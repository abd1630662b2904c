"""Heads that are linear in fixed views of a clip, solved exactly: quick enough to compare many.

Such a head pools with nothing to learn, standardises, and ends in one dense layer, so that its
training is logistic regression.  What it pools is computed once for all clips; each fold then
costs a fraction of a second, where a training by gradients costs seconds of compilation alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.training.fit import UNBALANCED, Examples

# Clips that go through the pooling at a time: one size, so that it is compiled once.
_BATCH = 64
# Inverse strength of the penalty, for blocks of length 1.  From 30 to 300 accuracy on real clips
# moves by less than a point (benchmarks/README.md).
_INVERSE_PENALTY = 100.0
_MOST_ITERATIONS = 300


class ExactHead:
    """A linear head over clips whose pooled features, (N,B,D), are at hand."""

    def __init__(self, standardise: Any, pooled: NDArray[np.float32], examples: Examples) -> None:
        self._standardise = standardise
        self._pooled = pooled
        self._truth = examples.truth

    @classmethod
    def of(cls, head: str, examples: Examples, *, classes: int) -> ExactHead | None:
        """The head over these clips; None where it is not linear in fixed views.

        Raises:
            ConfigError: there is no such head.
        """
        import keras

        from vidclass.heads.registry import build_head

        frames, width = examples.features.shape[1:]
        model = build_head(head, frames, width, classes)
        *_, standardise, last = model.layers
        learning = [layer for layer in model.layers if layer.trainable_weights]
        fits = learning == [last] and isinstance(last, keras.layers.Dense)
        if not fits or not hasattr(standardise, "adapt_to") or len(standardise.output.shape) != 2:
            return None
        pooling = keras.Model(model.input, standardise.input)
        return cls(standardise, _in_batches(pooling, examples), examples)

    def probabilities(
        self, training: NDArray[np.int64], asked: NDArray[np.int64], *, classes: int
    ) -> NDArray[np.float64]:
        """Class probabilities (len(asked), K) of some rows, learnt from others.

        Classes are weighed as in training by gradients.  A class that is not among the training
        rows has probability 0.
        """
        from sklearn.linear_model import LogisticRegression

        self._standardise.adapt_to(self._pooled[training])
        truth = self._truth[training]
        counts = np.bincount(truth)
        counts = counts[counts > 0]
        weights = "balanced" if counts.max() >= UNBALANCED * counts.min() else None
        solver = LogisticRegression(
            C=_INVERSE_PENALTY, class_weight=weights, max_iter=_MOST_ITERATIONS, tol=1e-3
        )
        solver.fit(self._standardised(training), truth)
        found = np.zeros((len(asked), classes))
        found[:, solver.classes_] = solver.predict_proba(self._standardised(asked))
        return found

    def _standardised(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self._standardise(self._pooled[rows]), np.float64)


def _in_batches(model: Any, examples: Examples) -> NDArray[np.float32]:
    """What a model without dropout gives for all clips, without compiling it for their number."""
    parts = []
    for start in range(0, len(examples), _BATCH):
        rows = np.arange(start, start + _BATCH) % len(examples)
        parts.append(np.asarray(model(examples.at(rows).inputs(), training=False)))
    return np.concatenate(parts)[: len(examples)]
