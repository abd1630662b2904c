"""Batches of stored clips, read and augmented while the head trains on the one before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vidclass.training.examples import AnyExamples, Examples, in_memory

# Bytes of features that are read at a time: the store is quicker with many batches at once.
WINDOW_BYTES = 32 << 20

# From the clips of a batch and its own generator to the tuple that Keras takes.
MakeBatch = Callable[[Examples, np.random.Generator], tuple[Any, ...]]


class Batches(keras.utils.PyDataset):
    """Batches of clips, in their order or shuffled anew for each epoch.

    A window of several batches is read at a time by a thread of its own, while the window before
    is used.  The order depends on seed and epoch alone, and random choices inside a batch on its
    index, too: neither on how quickly clips are read.

    Args:
        data: The clips.
        make: Function from the clips of a batch to what Keras takes.
        batch_size: Number of clips in a batch.
        seed: Seed of the order; None keeps the order of `data`.
    """

    def __init__(
        self,
        data: AnyExamples,
        make: MakeBatch,
        *,
        batch_size: int,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._data, self._make, self._seed = data, make, seed
        self._batch_size = batch_size
        frames, width = data.steps
        clips = WINDOW_BYTES // (frames * width * 4)
        self._window_batches = max(clips // batch_size, 1)
        self._epoch = -1
        self._order = self.draw_order()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="vidclass-read")
        self._windows: dict[int, Future[Examples]] = {}

    @property
    def num_batches(self) -> int:
        """Number of batches; the last one may be smaller."""
        return -(-len(self._data) // self._batch_size)

    def on_epoch_begin(self) -> None:
        """Shuffle for the next epoch."""
        self._epoch += 1
        self._order = self.draw_order()
        self._windows.clear()

    def draw_order(self) -> NDArray[np.int64]:
        """Return the rows in the order of this epoch."""
        if self._seed is None:
            return np.arange(len(self._data))
        return np.random.default_rng((self._seed, max(self._epoch, 0))).permutation(len(self._data))

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return batch number `index` of this epoch."""
        number, inside = divmod(index, self._window_batches)
        window = self._window(number).result()
        for old in [key for key in self._windows if key < number]:
            del self._windows[old]
        if (number + 1) * self._window_batches < self.num_batches:
            self._window(number + 1)
        rows = np.arange(len(window))[inside * self._batch_size :][: self._batch_size]
        rng = np.random.default_rng((self._seed or 0, max(self._epoch, 0), index))
        return self._make(window.at(rows), rng)

    def _window(self, number: int) -> Future[Examples]:
        if number not in self._windows:
            size = self._window_batches * self._batch_size
            rows = self._order[number * size : (number + 1) * size]
            self._windows[number] = self._reader.submit(in_memory, self._data, rows)
        return self._windows[number]
