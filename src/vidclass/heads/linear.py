"""Heads that are linear in pooled features: little to overfit with, quick to train."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from vidclass.config import TrainingConfig
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

# Linear heads are convex, and their inputs have a length of 1: large steps with momentum, falling
# to zero along a cosine, find the same optimum every time.
LINEAR = TrainingConfig(epochs=40, optimizer="sgd", learning_rate=1.0, patience=15)


@head(causal=True, ordered=False, training=LINEAR)
def mean(frames: int, width: int, classes: int) -> keras.Model:
    """Mean over time, then a linear layer: a bag of frames that ignores their order."""
    inputs, features, mask = head_inputs(frames, width)
    return _linear(inputs, MaskedMean()(features, mask), classes, "mean")


@head(causal=True, ordered=False, training=LINEAR)
def mean_std(frames: int, width: int, classes: int) -> keras.Model:
    """Mean and standard deviation over time, then a linear layer: level and variability."""
    inputs, features, mask = head_inputs(frames, width)
    return _linear(inputs, MeanAndDeviation()(features, mask), classes, "mean_std")


@head(causal=False, ordered=True, training=LINEAR)
def temporal(frames: int, width: int, classes: int) -> keras.Model:
    """Mean, change and two cosines over time, then a linear layer: sees the order of frames.

    With the order of frames and little to overfit with, it was the best head of those tried on a
    few hundred real clips (docs/explanation/accuracy.md).  Order counts from the clip's first
    frame to its last; a direction that repeats within the clip at any phase needs a recurrent head.
    """
    inputs, features, mask = head_inputs(frames, width)
    return _linear(inputs, TemporalPooling()(features, mask), classes, "temporal")


@head(causal=True, ordered=False, independent=False, training=LINEAR)
def rolling_average(frames: int, width: int, classes: int, *, window: int = 128) -> keras.Model:
    """Classify single frames; average the probabilities of the last `window` frames.

    The method of "Video classification with Keras and Deep Learning" (Rosebrock 2019), whose queue
    holds 128 frames.  Where a clip has no more than that, every frame counts alike.
    """
    inputs, features, mask = head_inputs(frames, width)
    each = FrameStandardize()(features, mask)
    each = layers.Dense(classes, kernel_initializer="zeros")(each)
    return keras.Model(inputs, RollingAverage(window)(each, mask), name="rolling_average")


# It begins with the class means: a few small steps are all it should take from there.
@head(
    causal=True,
    ordered=False,
    training=TrainingConfig(epochs=30, learning_rate=3e-3, patience=10),
)
def prototype(frames: int, width: int, classes: int) -> keras.Model:
    """Cosine similarity to each class's mean, tuned: for a handful of clips a class.

    The weights start as the mean direction of each class's training clips
    and are then tuned a little: imprinted weights (Qi, Brown and Lowe, CVPR 2018).
    """
    inputs, features, mask = head_inputs(frames, width)
    pooled = BlockStandardize()(MaskedMean()(features, mask))
    return keras.Model(inputs, Prototypes(classes)(pooled), name="prototype")


# A single number is learned: the sharpness of the distance.
@head(
    causal=True,
    ordered=False,
    training=TrainingConfig(epochs=20, learning_rate=0.3, patience=10),
)
def knn(frames: int, width: int, classes: int, *, per_class: int = 50) -> keras.Model:
    """Vote of the training clips nearest to the clip's mean; a single number is trained.

    Up to `per_class` clips of each class are kept inside the head, which grows by them.
    """
    inputs, features, mask = head_inputs(frames, width)
    pooled = BlockStandardize()(MaskedMean()(features, mask))
    return keras.Model(inputs, NearestClips(classes, per_class)(pooled), name="knn")


def _linear(inputs: dict[str, Any], pooled: Any, classes: int, name: str) -> keras.Model:
    """Build a linear classifier of pooled features (B,N,D), initially uniform over classes."""
    logits = layers.Dense(classes, kernel_initializer="zeros")(BlockStandardize()(pooled))
    return keras.Model(inputs, logits, name=name)
