"""The learned places of DINOv2 for pictures of another size, the same under every Keras back end.

KerasHub resizes them by the back end's own bicubic interpolation.  At the edges those of JAX and of
OpenVINO differ by a hundredth, so that the features of one network would too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def settle_places(network: Any) -> None:
    """Set the resized embeddings of places of a DINOv2, as JAX has them; other networks have none.

    Args:
        network: KerasHub's, with its weights.
    """
    layer = getattr(network, "embeddings", None)
    target = getattr(layer, "interpolated_position_embeddings", None)
    if layer is None or target is None:
        return
    import keras

    table = keras.ops.convert_to_numpy(layer.position_embeddings)[0]
    made, given = target.shape[1] - 1, len(table) - 1
    if made == given:
        return
    sides = round(given**0.5), round(made**0.5)
    weights = _bicubic(*sides, antialias=layer.antialias_in_interpolation)
    places = table[1:].reshape(sides[0], sides[0], -1).astype("float64")
    resized = np.einsum("ai,bj,ijd->abd", weights, weights, places).reshape(made, -1)
    target.assign(np.concatenate([table[:1], resized])[None].astype("float32"))


def _bicubic(given: int, made: int, *, antialias: bool) -> NDArray[np.float64]:
    """The weights (made, given) of a row's numbers in each number of the resized row.

    Keys's kernel (1981) with a = -0.5; what it would take from beyond the edges is left out, and
    the rest made 1.
    """
    step = given / made
    centres = (np.arange(made) + 0.5) * step - 0.5
    far = np.abs(centres[:, None] - np.arange(given)) / (max(step, 1.0) if antialias else 1.0)
    near = (1.5 * far - 2.5) * far**2 + 1
    outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(far <= 1, near, np.where(far < 2, outer, 0.0))
    return np.asarray(weights / weights.sum(1, keepdims=True))
