"""The heads.  Each function is one; its name is its public name."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from vidclass.heads.layers import (
    AttentionPooling,
    BlockStandardize,
    MaskedMean,
    TemporalPooling,
)
from vidclass.heads.registry import head


def _inputs(frames: int, width: int) -> tuple[dict[str, Any], Any, Any]:
    features = keras.Input((frames, width), name="features")
    mask = keras.Input((frames,), dtype="bool", name="mask")
    return {"features": features, "mask": mask}, features, mask


@head
def mean(frames: int, width: int, classes: int) -> keras.Model:
    """Mean over time, then a linear layer: a bag of frames, blind to their order."""
    inputs, features, mask = _inputs(frames, width)
    return _linear(inputs, MaskedMean()(features, mask), classes, "mean")


@head
def temporal(frames: int, width: int, classes: int) -> keras.Model:
    """The default: mean, change and two cosines over time, then a linear layer.

    It has the order of the frames and little to overfit with: the best of what was tried on a
    few hundred real clips (docs/accuracy.md).  Order counts from the clip's first frame to its
    last; a direction that repeats within the clip at any phase needs a recurrent head.
    """
    inputs, features, mask = _inputs(frames, width)
    return _linear(inputs, TemporalPooling()(features, mask), classes, "temporal")


@head
def gru(frames: int, width: int, classes: int) -> keras.Model:
    """The Keras example's: GRU(16), GRU(8), dropout, a small dense layer."""
    inputs, features, mask = _inputs(frames, width)
    x = layers.GRU(16, return_sequences=True)(features, mask=mask)
    x = layers.GRU(8)(x, mask=mask)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(8, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="gru")


@head
def gru_attention(frames: int, width: int, classes: int) -> keras.Model:
    """A bidirectional GRU whose steps are averaged with learned weights."""
    inputs, features, mask = _inputs(frames, width)
    x = layers.Dropout(0.3)(layers.LayerNormalization()(features))
    x = layers.Dense(64)(x)
    x = layers.Bidirectional(layers.GRU(32, return_sequences=True))(x, mask=mask)
    x = layers.Dropout(0.3)(AttentionPooling()(x, mask))
    return keras.Model(inputs, layers.Dense(classes)(x), name="gru_attention")


def _linear(inputs: dict[str, Any], pooled: Any, classes: int, name: str) -> keras.Model:
    """A linear classifier of pooled features (B,N,D); it starts from no opinion."""
    logits = layers.Dense(classes, kernel_initializer="zeros")(BlockStandardize()(pooled))
    return keras.Model(inputs, logits, name=name)
