"""Heads that are linear in what they pool from a clip: little to overfit with, quick to train."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from vidclass.heads.inputs import head_inputs
from vidclass.heads.layers import (
    BlockStandardize,
    FrameStandardize,
    MaskedMean,
    MeanAndDeviation,
    Prototypes,
    RollingAverage,
    TemporalPooling,
)
from vidclass.heads.nearest import NearestClips
from vidclass.heads.registry import head


@head(causal=True, ordered=False)
def mean(frames: int, width: int, classes: int) -> keras.Model:
    """Mean over time, then a linear layer: a bag of frames, blind to their order."""
    inputs, features, mask = head_inputs(frames, width)
    return _linear(inputs, MaskedMean()(features, mask), classes, "mean")


@head(causal=True, ordered=False)
def mean_std(frames: int, width: int, classes: int) -> keras.Model:
    """Mean and standard deviation over time, then a linear layer: what, and how much it varies."""
    inputs, features, mask = head_inputs(frames, width)
    return _linear(inputs, MeanAndDeviation()(features, mask), classes, "mean_std")


@head(causal=False, ordered=True)
def temporal(frames: int, width: int, classes: int) -> keras.Model:
    """Mean, change and two cosines over time, then a linear layer: sees the order of frames.

    It has the order of the frames and little to overfit with: the best of what was tried on a
    few hundred real clips (docs/explanation/accuracy.md).  Order counts from the clip's first
    frame to its last; a direction that repeats within the clip at any phase needs a recurrent head.
    """
    inputs, features, mask = head_inputs(frames, width)
    return _linear(inputs, TemporalPooling()(features, mask), classes, "temporal")


@head(causal=True, ordered=False, independent=False)
def rolling_average(frames: int, width: int, classes: int, *, window: int = 128) -> keras.Model:
    """A classifier of single frames; the answer is the mean of its last `window` probabilities.

    The way of "Video classification with Keras and Deep Learning" (Rosebrock 2019), whose queue
    holds 128 frames.  Where a clip has no more than that, every frame counts alike.
    """
    inputs, features, mask = head_inputs(frames, width)
    each = FrameStandardize()(features, mask)
    each = layers.Dense(classes, kernel_initializer="zeros")(each)
    return keras.Model(inputs, RollingAverage(window)(each, mask), name="rolling_average")


@head(causal=True, ordered=False)
def prototype(frames: int, width: int, classes: int) -> keras.Model:
    """For a handful of clips a class: how near is the clip's mean to each class's mean.

    A cosine classifier whose weights start as the mean direction of each class's training clips
    and are then tuned a little: imprinted weights (Qi, Brown and Lowe, CVPR 2018).
    """
    inputs, features, mask = head_inputs(frames, width)
    pooled = BlockStandardize()(MaskedMean()(features, mask))
    return keras.Model(inputs, Prototypes(classes)(pooled), name="prototype")


@head(causal=True, ordered=False)
def knn(frames: int, width: int, classes: int, *, per_class: int = 50) -> keras.Model:
    """No training but one number: the training clips nearest to the clip's mean name it.

    Up to `per_class` clips of each class are kept inside the head, which grows by them.
    """
    inputs, features, mask = head_inputs(frames, width)
    pooled = BlockStandardize()(MaskedMean()(features, mask))
    return keras.Model(inputs, NearestClips(classes, per_class)(pooled), name="knn")


def _linear(inputs: dict[str, Any], pooled: Any, classes: int, name: str) -> keras.Model:
    """A linear classifier of pooled features (B,N,D); it starts from no opinion."""
    logits = layers.Dense(classes, kernel_initializer="zeros")(BlockStandardize()(pooled))
    return keras.Model(inputs, logits, name=name)
