"""Cost of a head: parameters, and multiplications for one clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def parameters(model: keras.Model) -> int:
    """Return the number of trainable parameters."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def multiplications(model: keras.Model) -> int:
    """Return the multiplications by weights for one clip: each matrix once a step.

    Layers list matrices that are not trainable in `fixed_matrices`.  Pooling and attention between
    steps are not counted; beside the backbone all of it is little.
    """
    return sum(_multiplications_of(layer) for layer in model.layers)


def _multiplications_of(layer: keras.Layer) -> int:
    matrices = [weight for weight in layer.trainable_weights if len(weight.shape) > 1]
    matrices += getattr(layer, "fixed_matrices", [])
    if not matrices:
        return 0
    shape = layer.input[0].shape if isinstance(layer.input, list) else layer.input.shape
    steps = int(shape[1]) if len(shape) == 3 else 1
    return steps * sum(int(math.prod(weight.shape)) for weight in matrices)
