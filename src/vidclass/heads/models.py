"""The heads.  Each function is one; its name is its public name."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from vidclass.heads.layers import AttentionPooling, MaskedMean, MeanChange, Standardize
from vidclass.heads.registry import head


def _inputs(frames: int, width: int) -> tuple[dict[str, Any], Any, Any]:
    features = keras.Input((frames, width), name="features")
    mask = keras.Input((frames,), dtype="bool", name="mask")
    return {"features": features, "mask": mask}, features, mask


@head
def mean(frames: int, width: int, classes: int) -> keras.Model:
    """Mean over time, then a linear layer: a bag of frames, blind to their order."""
    inputs, features, mask = _inputs(frames, width)
    pooled = MaskedMean()(Standardize()(features), mask)
    return keras.Model(inputs, layers.Dense(classes)(pooled), name="mean")


@head
def gru(frames: int, width: int, classes: int) -> keras.Model:
    """The Keras example's head: GRU(16), GRU(8), dropout, a small dense layer."""
    inputs, features, mask = _inputs(frames, width)
    x = layers.GRU(16, return_sequences=True)(features, mask=mask)
    x = layers.GRU(8)(x, mask=mask)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(8, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="gru")
