"""Keras callback that keeps the weights of the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from vidclass.config import TrainingConfig


def macro_f1(y_true: NDArray[np.integer], predicted: NDArray[np.integer]) -> float:
    """Return mean F1 over the classes that occur in `y_true`, as in the metrics of a run."""
    present = np.unique(y_true)
    return float(f1_score(y_true, predicted, labels=present, average="macro", zero_division=0))


class BestEpoch(keras.callbacks.Callback):
    """Stop after `patience` epochs without a better one, and restore the weights of the best.

    If the optimizer averages the weights, the averages are validated and kept.

    Args:
        config: Training settings.
        y_true: Classes of the validation clips, (V,).
        predict: Function that returns the predicted classes of these clips, (V,).

    Attributes:
        best: The best epoch, from 1; 0 if no epoch had a finite loss.
    """

    def __init__(
        self, config: TrainingConfig, y_true: NDArray[np.int64], predict: Callable[[], Any]
    ) -> None:
        super().__init__()
        self.best = 0
        self._config = config
        self._y_true = y_true
        self._predict = predict
        self._score = (np.inf, np.inf)
        self._weights: list[Any] | None = None
        self._swap = keras.callbacks.SwapEMAWeights() if config.ema is not None else None

    def set_model(self, model: Any) -> None:
        """Take the model that Keras trains."""
        super().set_model(model)
        if self._swap is not None:
            self._swap.set_model(model)

    def on_test_begin(self, logs: Any = None) -> None:
        """Swap the averages in for Keras's validation."""
        if self._swap is not None:
            self._swap.on_test_begin()

    def on_test_end(self, logs: Any = None) -> None:
        """Swap the averages out: training goes on with the weights themselves."""
        if self._swap is not None:
            self._swap.on_test_end()

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        self.on_test_begin()
        try:
            yield
        finally:
            self.on_test_end()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compare this epoch with the best one."""
        logs = {} if logs is None else logs
        with self._averaged():
            score = self._measure(logs)
            if score < self._score:
                self._score, self.best = score, epoch + 1
                self._weights = self.model.get_weights()
        if epoch + 1 - self.best >= (self._config.patience or self._config.epochs) and epoch > 0:
            self.model.stop_training = True

    def _measure(self, logs: Any) -> tuple[float, float]:
        """Return a score to minimise; macro-F1 goes into `logs`, and with them into the history."""
        loss, primary = float(logs["val_loss"]), 0.0
        if self._config.monitor == "macro_f1":
            logs["val_macro_f1"] = macro_f1(self._y_true, self._predict())
            primary = -logs["val_macro_f1"]
        return (primary, loss) if np.isfinite(loss) else (np.inf, np.inf)

    def on_train_end(self, logs: Any = None) -> None:
        """Restore the best weights."""
        if self._weights is not None:
            self.model.set_weights(self._weights)
