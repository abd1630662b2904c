"""Heads that see all steps at once: attention and convolution over time."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from vidclass.heads.attention import AttentionPooling, SelfAttention, SinusoidalPositions
from vidclass.heads.inputs import head_inputs, project_steps
from vidclass.heads.layers import (
    FrameStandardize,
    MaskedMean,
    RealSteps,
    TimeFlatten,
)
from vidclass.heads.recurrent import DEEP
from vidclass.heads.registry import head


@head(causal=False, ordered=False, training=DEEP)
def attention(frames: int, width: int, classes: int, *, dropout: float = 0.3) -> keras.Model:
    """Average the frames with learned weights (attention pooling), then a linear layer."""
    inputs, features, mask = head_inputs(frames, width)
    pooled = AttentionPooling()(FrameStandardize()(features, mask), mask)
    logits = layers.Dense(classes)(layers.Dropout(dropout)(pooled))
    return keras.Model(inputs, logits, name="attention")


@head(causal=False, ordered=True, training=DEEP)
def transformer(
    frames: int,
    width: int,
    classes: int,
    *,
    units: int = 128,
    depth: int = 1,
    heads: int = 4,
    dropout: float = 0.3,
) -> keras.Model:
    """Self-attention over time with sinusoidal positions, then the mean over steps.

    Encoder blocks as in Vaswani et al., "Attention Is All You Need" (2017), normalised first.
    """
    inputs, features, mask = head_inputs(frames, width)
    x = project_steps(features, mask, units, dropout)
    x = SinusoidalPositions()(x, mask)
    for _ in range(depth):
        x = _encoder_block(x, mask, units=units, heads=heads, dropout=dropout)
    x = TimeFlatten()(MaskedMean()(layers.LayerNormalization()(x), mask))
    logits = layers.Dense(classes)(layers.Dropout(dropout)(x))
    return keras.Model(inputs, logits, name="transformer")


def _encoder_block(x: Any, mask: Any, *, units: int, heads: int, dropout: float) -> Any:
    y = layers.LayerNormalization()(x)
    x = x + SelfAttention(heads, dropout)(y, mask)
    y = layers.Dense(2 * units, activation="gelu")(layers.LayerNormalization()(x))
    return x + layers.Dropout(dropout)(layers.Dense(units)(y))


@head(causal=True, ordered=True, training=DEEP)
def tcn(
    frames: int,
    width: int,
    classes: int,
    *,
    units: int = 64,
    depth: int = 3,
    kernel: int = 3,
    dropout: float = 0.3,
) -> keras.Model:
    """Causal convolutions over time, each reaching twice as far back, then the mean over steps.

    A temporal convolutional network as in Bai, Kolter and Koltun (2018).
    """
    inputs, features, mask = head_inputs(frames, width)
    x = project_steps(features, mask, units, dropout)
    for level in range(depth):
        # Nothing may flow out of padded steps, wherever they lie.
        y = RealSteps()(layers.LayerNormalization()(x), mask)
        y = layers.Conv1D(
            units, kernel, padding="causal", dilation_rate=2**level, activation="relu"
        )(y)
        x = x + layers.Dropout(dropout)(y)
    x = TimeFlatten()(MaskedMean()(x, mask))
    return keras.Model(inputs, layers.Dense(classes)(x), name="tcn")
