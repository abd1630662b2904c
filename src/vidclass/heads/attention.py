"""Attention over time."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops


class AttentionPooling(keras.layers.Layer):
    """Weighted mean over the real steps, with weights that the layer learns; zeros without any.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,D).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the vector that scores a step."""
        self.score = self.add_weight((input_shape[-1], 1), "glorot_uniform", name="score")

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the weighted mean: (B,D)."""
        steps = ops.where(mask[..., None], inputs, 0.0)
        weights = masked_softmax(ops.matmul(steps, self.score)[..., 0], mask)
        return ops.sum(weights[..., None] * steps, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no time axis."""


class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention among the real steps (Vaswani et al. 2017).

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,T,D); padded steps are undefined.
    """

    def __init__(self, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections of queries, keys, values and output."""
        width = input_shape[-1]
        if width is None or width % self.heads:
            raise ValueError(f"units={width} cannot be divided among heads={self.heads}")
        self.size = width // self.heads
        self.project = self.add_weight((width, 3 * width), "glorot_uniform", name="project")
        self.combine = self.add_weight((width, width), "glorot_uniform", name="combine")

    def call(self, inputs: Any, mask: Any, training: bool | None = None) -> Any:
        """Return the attended steps: (B,T,D)."""
        frames, width = inputs.shape[1:]
        parts = ops.reshape(
            ops.matmul(inputs, self.project), (-1, frames, 3, self.heads, self.size)
        )
        query, key, value = (ops.transpose(parts[:, :, i], (0, 2, 1, 3)) for i in range(3))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / math.sqrt(self.size)
        weights = self.dropout(masked_softmax(scores, mask[:, None, None]), training=training)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return ops.matmul(ops.reshape(mixed, (-1, frames, width)), self.combine)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: layers that need the mask take it as an argument."""


class SinusoidalPositions(keras.layers.Layer):
    """Add a sinusoidal code of each real step's position among the real steps.

    Vaswani et al., "Attention Is All You Need" (2017).

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,T,D).
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the inputs with sines and cosines of wavelengths from 2 pi up added."""
        width = inputs.shape[-1]
        position = ops.cumsum(ops.cast(mask, "float32"), axis=1)[..., None]
        rates = np.exp(-math.log(1e4) * np.arange(0, width, 2) / width).astype("float32")
        angles = position * rates
        code = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)[..., :width]
        return inputs + ops.cast(code, inputs.dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: layers that need the mask take it as an argument."""


def masked_softmax(scores: Any, mask: Any) -> Any:
    """Return the softmax over the last axis among real steps; zeros where there is none.

    scores (...,T); mask (...,T), which may be broadcast.
    """
    # Steps that are not real must not set the maximum, or the others could all underflow.
    # Float16 ends at -65,504.
    scores = ops.where(mask, scores, -6e4)
    real = ops.cast(mask, scores.dtype)
    weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True)) * real
    # The best real step weighs 1, so the sum is below 1 only where there is none.
    return weights / ops.maximum(ops.sum(weights, -1, keepdims=True), 1.0)
