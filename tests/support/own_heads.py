"""Heads of a user's own: one that keeps every rule, and some that each break one."""

from __future__ import annotations

import keras
from keras import layers, ops

from vidclass.heads import head, head_inputs, masked_mean


@head(causal=True, ordered=False)
def own_peak(frames: int, width: int, classes: int, *, units: int = 8) -> keras.Model:
    """The largest value over time, then two layers."""
    inputs, features, mask = head_inputs(frames, width)
    real = layers.Lambda(
        lambda pair: ops.where(ops.any(pair[1], 1, keepdims=True), _peak(*pair), 0.0),
        output_shape=(width,),
    )([features, mask])
    hidden = layers.Dense(units)(real)
    return keras.Model(inputs, layers.Dense(classes)(hidden), name="own_peak")


def _peak(features: object, mask: object) -> object:
    return ops.max(ops.where(mask[..., None], features, -1e4), axis=1)  # type: ignore[index]


@head(causal=True, ordered=False)
def counts_padding(frames: int, width: int, classes: int) -> keras.Model:
    """The mean over all steps, padded ones among them."""
    inputs, features, _ = head_inputs(frames, width)
    pooled = layers.Lambda(lambda x: ops.mean(x, axis=1), output_shape=(width,))(features)
    return keras.Model(inputs, layers.Dense(classes)(pooled), name="counts_padding")


@head(causal=True, ordered=True)
def claims_order(frames: int, width: int, classes: int) -> keras.Model:
    """A plain mean, which is not ordered."""
    inputs, features, mask = head_inputs(frames, width)
    pooled = layers.Lambda(lambda pair: masked_mean(*pair), output_shape=(width,))([features, mask])
    return keras.Model(inputs, layers.Dense(classes)(pooled), name="claims_order")
