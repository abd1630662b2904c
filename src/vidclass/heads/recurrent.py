"""Recurrent heads.  Each function is one; its name is its public name."""

from __future__ import annotations

import keras
from keras import layers

from vidclass.heads.attention import AttentionPooling
from vidclass.heads.inputs import head_inputs, narrowed
from vidclass.heads.registry import head


@head(causal=True, ordered=True)
def gru(
    frames: int,
    width: int,
    classes: int,
    *,
    units: int = 16,
    second: int = 8,
    dense: int = 8,
    dropout: float = 0.4,
) -> keras.Model:
    """The Keras example's: GRU(16), GRU(8), dropout, a small dense layer."""
    inputs, features, mask = head_inputs(frames, width)
    x = layers.GRU(units, return_sequences=True)(features, mask=mask)
    x = layers.GRU(second)(x, mask=mask)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(dense, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="gru")


@head(causal=True, ordered=True)
def lstm(
    frames: int, width: int, classes: int, *, units: int = 64, dropout: float = 0.3
) -> keras.Model:
    """An LSTM over narrowed features; its last state is classified."""
    inputs, features, mask = head_inputs(frames, width)
    x = layers.LSTM(units)(narrowed(features, mask, 64, dropout), mask=mask)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="lstm")


@head(causal=False, ordered=True)
def bigru(
    frames: int, width: int, classes: int, *, units: int = 32, dropout: float = 0.3
) -> keras.Model:
    """A GRU in each direction over narrowed features; both last states are classified."""
    inputs, features, mask = head_inputs(frames, width)
    both = layers.Bidirectional(layers.GRU(units))
    x = layers.Dropout(dropout)(both(narrowed(features, mask, 64, dropout), mask=mask))
    return keras.Model(inputs, layers.Dense(classes)(x), name="bigru")


@head(causal=False, ordered=True)
def gru_attention(
    frames: int, width: int, classes: int, *, units: int = 32, dropout: float = 0.3
) -> keras.Model:
    """A bidirectional GRU whose steps are averaged with learned weights."""
    inputs, features, mask = head_inputs(frames, width)
    x = layers.Dropout(dropout)(layers.LayerNormalization()(features))
    x = layers.Dense(64)(x)
    x = layers.Bidirectional(layers.GRU(units, return_sequences=True))(x, mask=mask)
    x = layers.Dropout(dropout)(AttentionPooling()(x, mask))
    return keras.Model(inputs, layers.Dense(classes)(x), name="gru_attention")
