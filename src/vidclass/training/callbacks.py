"""Which epoch was best, and its weights."""

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
    """Mean F1 over the classes that occur in `y_true`, as in the metrics of a run."""
    present = np.unique(y_true)
    return float(f1_score(y_true, predicted, labels=present, average="macro", zero_division=0))


class BestEpoch(keras.callbacks.Callback):
    """Remember the weights of the best epoch, stop when none was better for long, put them back.

    Where the optimizer averages the weights, the averages are what is validated and remembered.

    Attributes:
        best: The best epoch, from 1; the last one where none could be compared.
    """

    def __init__(
        self, config: TrainingConfig, y_true: NDArray[np.int64], predict: Callable[[], Any]
    ) -> None:
        """Of a `config`; `y_true` and `predict`, to (N,) classes, are of the validation clips."""
        super().__init__()
        self.best = 0
        self._config = config
        self._y_true = y_true
        self._predict = predict
        self._score = (np.inf, np.inf)
        self._weights: list[Any] | None = None
        self._swap = keras.callbacks.SwapEMAWeights() if config.ema is not None else None

    def set_model(self, model: Any) -> None:
        """Called by Keras."""
        super().set_model(model)
        if self._swap is not None:
            self._swap.set_model(model)

    def on_test_begin(self, logs: Any = None) -> None:
        """Keras's own validation must see the averages."""
        if self._swap is not None:
            self._swap.on_test_begin()

    def on_test_end(self, logs: Any = None) -> None:
        """Training goes on with the weights themselves."""
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
            score = self._measured(logs)
            if score < self._score:
                self._score, self.best = score, epoch + 1
                self._weights = self.model.get_weights()
        if epoch + 1 - self.best >= (self._config.patience or self._config.epochs) and epoch > 0:
            self.model.stop_training = True

    def _measured(self, logs: Any) -> tuple[float, float]:
        """The lower, the better; macro-F1 goes into `logs`, and from there into the history."""
        loss, first = float(logs["val_loss"]), 0.0
        if self._config.monitor == "macro_f1":
            logs["val_macro_f1"] = macro_f1(self._y_true, self._predict())
            first = -logs["val_macro_f1"]
        return (first, loss) if np.isfinite(loss) else (np.inf, np.inf)

    def on_train_end(self, logs: Any = None) -> None:
        """Put the best weights back."""
        if self._weights is not None:
            self.model.set_weights(self._weights)
