"""Recurrent heads.  The name of each function is the public name of its head."""

from __future__ import annotations

import keras
from keras import layers

from vidclass.config import TrainingConfig
from vidclass.heads.attention import AttentionPooling
from vidclass.heads.inputs import head_inputs, project_steps
from vidclass.heads.registry import head

DEEP = TrainingConfig(epochs=60, learning_rate=1e-3, label_smoothing=0.1, patience=20)
# As the Keras example trains.
EXAMPLE = TrainingConfig(
    epochs=10, learning_rate=1e-3, cosine=False, balance_classes=False, refit=False
)


@head(causal=True, ordered=True, training=EXAMPLE)
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
    """Stack GRU(16), GRU(8), dropout and a small dense layer, as the Keras example does."""
    inputs, features, mask = head_inputs(frames, width)
    x = layers.GRU(units, return_sequences=True)(features, mask=mask)
    x = layers.GRU(second)(x, mask=mask)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(dense, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="gru")


@head(causal=True, ordered=True, training=DEEP)
def lstm(
    frames: int, width: int, classes: int, *, units: int = 64, dropout: float = 0.3
) -> keras.Model:
    """Classify the last state of an LSTM over projected features."""
    inputs, features, mask = head_inputs(frames, width)
    x = layers.LSTM(units)(project_steps(features, mask, 64, dropout), mask=mask)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="lstm")


@head(causal=False, ordered=True, training=DEEP)
def bigru(
    frames: int, width: int, classes: int, *, units: int = 32, dropout: float = 0.3
) -> keras.Model:
    """Classify the last states of a GRU in each direction over projected features."""
    inputs, features, mask = head_inputs(frames, width)
    both = layers.Bidirectional(layers.GRU(units))
    x = layers.Dropout(dropout)(both(project_steps(features, mask, 64, dropout), mask=mask))
    return keras.Model(inputs, layers.Dense(classes)(x), name="bigru")


@head(causal=False, ordered=True, training=DEEP)
def gru_attention(
    frames: int, width: int, classes: int, *, units: int = 32, dropout: float = 0.3
) -> keras.Model:
    """Average the steps of a bidirectional GRU with learned weights, then classify."""
    inputs, features, mask = head_inputs(frames, width)
    x = layers.Dropout(dropout)(layers.LayerNormalization()(features))
    x = layers.Dense(64)(x)
    x = layers.Bidirectional(layers.GRU(units, return_sequences=True))(x, mask=mask)
    x = layers.Dropout(dropout)(AttentionPooling()(x, mask))
    return keras.Model(inputs, layers.Dense(classes)(x), name="gru_attention")
