"""The slower route, for a network that has no OpenVINO form: Keras in this very process."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.runtime.recipe import NetworkRecipe


class KerasNetwork:
    """A backbone run by Keras, one batch at a time."""

    def __init__(self, recipe: NetworkRecipe) -> None:
        self._model = recipe.build()

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The features (B,D) of `frames` (B,H,W,3) uint8."""
        frames = inputs["frames"].astype("float32")
        return np.asarray(self._model.predict_on_batch(frames), dtype=np.float32)
