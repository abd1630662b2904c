"""Nearest neighbours: training clips kept inside a head."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from vidclass.heads.layers import unit_rows

# Added to the score of a clip that does not count: exp(-100) is negligible.
NOT_COUNTED = -100.0
# Clips whose directions are as near as this are the same clip, or a copy of it.
SAME_CLIP = 0.999


class NearestClips(keras.layers.Layer):
    """A vote of training clips, the nearer the heavier: soft nearest neighbours.

    A kept clip votes for its class with exp(s * cosine), s being a learned sharpness, and the votes
    of a class are divided by the number of its clips.  In training a clip has no vote on itself, so
    that s becomes what serves clips that are new.  This is the attention over the support set of
    matching networks (Vinyals et al., NeurIPS 2016), on fixed features.

    Of a class with more than `per_class` training clips those are kept that lie nearest to the
    centres of so many clusters of them (k-means): a layer has a fixed number of weights.

    Input shape: (B,D).  Output shape: (B,K).
    """

    def __init__(self, classes: int, per_class: int) -> None:
        super().__init__()
        self.classes = classes
        self.per_class = per_class

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create empty slots for the clips, and the sharpness."""
        slots = self.classes * self.per_class
        self.clips = self.add_weight(
            (slots, input_shape[-1]), "glorot_uniform", trainable=False, name="clips"
        )
        self.offset = self.add_weight((slots,), "zeros", trainable=False, name="offset")
        self.sharpness = self.add_weight((1,), keras.initializers.Constant(20.0), name="sharpness")

    @property
    def fixed_matrices(self) -> list[Any]:
        """Matrices that multiply the input and are not trainable."""
        return [self.clips]

    def adapt_to_classes(self, values: NDArray[np.float32], targets: NDArray[np.int64]) -> None:
        """Store the training clips: values (clips,D), targets (clips,)."""
        kept = np.array(self.clips)
        offset = np.full(len(kept), NOT_COUNTED, np.float32)
        for index in np.unique(targets):
            some = representatives(values[targets == index], self.per_class)
            slots = slice(index * self.per_class, index * self.per_class + len(some))
            kept[slots], offset[slots] = some, -np.log(len(some))
        self.clips.assign(kept)
        self.offset.assign(offset)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the log of each class's votes: (B,K)."""
        cosines = ops.matmul(unit_rows(inputs), ops.transpose(unit_rows(self.clips)))
        scores = cosines * self.sharpness + self.offset
        if training:
            scores = ops.where(cosines > SAME_CLIP, scores + NOT_COUNTED, scores)
        # A plain -1 for the batch: a reshape to a batch of one would stay in an OpenVINO export.
        scores = ops.reshape(scores, (-1, self.classes, self.per_class))
        most = ops.max(scores, axis=-1, keepdims=True)
        return ops.log(ops.sum(ops.exp(scores - most), axis=-1)) + most[..., 0]


def representatives(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return at most `count` rows of (N,D): the nearest to each of that many k-means centres."""
    if len(values) <= count:
        return values
    from sklearn.cluster import KMeans

    units = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    distance = KMeans(count, n_init=4, random_state=0).fit(units).transform(units)
    nearest: NDArray[np.int64] = np.unique(distance.argmin(0))
    return values[nearest]
