"""Accuracy of two further heads that were no better than simpler ones.

    python benchmarks/other_heads.py ../shared/data/ucf11_9class/groups.csv --seeds 3 \
        --heads perceiver,state_space,attention,transformer,tcn

The options are those of benchmarks/accuracy.py.  docs/explanation/accuracy.md has the figures.
"""

from __future__ import annotations

import math
from typing import Any

import accuracy
import numpy as np

import vidclass  # noqa: F401  # chooses the back end of Keras, so it is imported first

# isort: split
import keras
from keras import layers, ops

from vidclass.heads.attention import SinusoidalPositions, masked_softmax
from vidclass.heads.inputs import head_inputs, project_steps
from vidclass.heads.layers import MaskedMean, TimeFlatten
from vidclass.heads.registry import head
from vidclass.heads.sequence import DEEP


class Latents(keras.layers.Layer):
    """Cross-attention of N learned vectors to all real steps: (B,T,D), mask (B,T) to (B,N,D)."""

    def __init__(self, count: int, heads: int) -> None:
        super().__init__()
        self.count, self.heads = count, heads

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the latents and the projections."""
        width = input_shape[-1]
        near_zero = keras.initializers.RandomNormal(stddev=0.02)
        self.latents = self.add_weight((self.count, width), near_zero, name="latents")
        self.query = self.add_weight((width, width), "glorot_uniform", name="query")
        self.key_value = self.add_weight((width, 2 * width), "glorot_uniform", name="key_value")
        self.combine = self.add_weight((width, width), "glorot_uniform", name="combine")

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the latents plus multi-head cross-attention to the inputs."""
        frames, width = inputs.shape[1:]
        size = width // self.heads
        query = ops.reshape(ops.matmul(self.latents, self.query), (1, self.count, self.heads, size))
        query = ops.transpose(query, (0, 2, 1, 3))
        both = ops.reshape(ops.matmul(inputs, self.key_value), (-1, frames, 2, self.heads, size))
        key, value = (ops.transpose(both[:, :, i], (0, 2, 1, 3)) for i in range(2))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / math.sqrt(size)
        mixed = ops.matmul(masked_softmax(scores, mask[:, None, None]), value)
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, self.count, width))
        return self.latents + ops.matmul(mixed, self.combine)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no time steps."""


class DiagonalStates(keras.layers.Layer):
    """Diagonal state-space layer with several learned rates per channel: (B,T,D) to (B,T,D).

    S4D-Real of Gu et al., "On the Parameterization and Initialization of Diagonal State Space
    Models" (2022), as a convolution with its impulse response.
    """

    def __init__(self, states: int) -> None:
        super().__init__()
        self.states = states

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create rates of 1/8 and up, and the output weights of each state."""
        shape = (input_shape[-1], self.states)
        self.rate = self.add_weight(shape, "zeros", name="rate")
        read = keras.initializers.RandomNormal(stddev=self.states**-0.5)
        self.read = self.add_weight(shape, read, name="read")
        self.skip = self.add_weight((input_shape[-1],), "ones", name="skip")
        self.begin = np.log(np.arange(1, self.states + 1) / 8).astype("float32")

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the response to past steps plus the weighted step itself."""
        frames = inputs.shape[1]
        steps = inputs * ops.cast(mask, inputs.dtype)[..., None]
        lags = np.arange(frames, dtype="float32")
        rates = ops.exp(self.rate + self.begin)
        response = ops.sum(self.read[..., None] * ops.exp(-rates[..., None] * lags), 1)
        back = np.arange(frames)[:, None] - np.arange(frames)
        matrix = ops.take(response, np.maximum(back, 0).ravel(), axis=1)
        matrix = ops.reshape(matrix, (-1, frames, frames)) * (back >= 0).astype("float32")
        return ops.einsum("wts,bsw->btw", matrix, steps) / math.sqrt(frames) + self.skip * steps

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: layers that need the mask take it as an argument."""


@head(causal=False, ordered=True, training=DEEP)
def perceiver(
    frames: int, width: int, classes: int, *, units: int = 128, dropout: float = 0.3
) -> keras.Model:
    """Perceiver: eight latents attend to the steps, then to each other (Jaegle et al. 2021)."""
    inputs, features, mask = head_inputs(frames, width)
    x = SinusoidalPositions()(project_steps(features, mask, units, dropout), mask)
    x = Latents(8, 4)(layers.LayerNormalization()(x), mask)
    y = layers.Dense(2 * units, activation="gelu")(layers.LayerNormalization()(x))
    x = x + layers.Dropout(dropout)(layers.Dense(units)(y))
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(4, units // 4, dropout=dropout)(y, y)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    logits = layers.Dense(classes)(layers.Dropout(dropout)(x))
    return keras.Model(inputs, logits, name="perceiver")


@head(causal=True, ordered=True, training=DEEP)
def state_space(
    frames: int, width: int, classes: int, *, units: int = 64, dropout: float = 0.3
) -> keras.Model:
    """Diagonal state-space layer with a gate; mean over time."""
    inputs, features, mask = head_inputs(frames, width)
    x = project_steps(features, mask, units, dropout)
    y = DiagonalStates(8)(layers.LayerNormalization()(x), mask)
    y = layers.Dense(2 * units)(layers.Activation("gelu")(y))
    x = x + layers.Dropout(dropout)(y[..., :units] * ops.sigmoid(y[..., units:]))
    x = TimeFlatten()(MaskedMean()(x, mask))
    logits = layers.Dense(classes)(layers.Dropout(dropout)(x))
    return keras.Model(inputs, logits, name="state_space")


if __name__ == "__main__":
    accuracy.main()
