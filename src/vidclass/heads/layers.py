"""Layers over time that know which steps are real."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class TemporalPooling(keras.layers.Layer):
    """Four views of a clip over time, each as wide as its features.

    1. the mean: what is seen;
    2. the mean absolute difference of successive steps: how much it changes;
    3. the mean weighted by half a cosine from first to last step: what comes early rather than
       late.  It changes its sign when the clip is played backwards;
    4. the mean weighted by a whole cosine: what is at the ends rather than in the middle.

    Only real steps count, and the cosines run over them alone, so padding changes nothing; a clip
    without any real step gives zeros.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,4,D).
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """The four, stacked."""
        real = ops.cast(mask, inputs.dtype)
        steps = ops.where(mask[..., None], inputs, 0.0)
        count = ops.maximum(ops.sum(real, axis=1, keepdims=True), 1.0)
        phase = math.pi * (ops.cumsum(real, axis=1) - 0.5) / count
        weights = ops.stack([real, real * ops.cos(phase), real * ops.cos(2.0 * phase)], axis=1)
        means = ops.matmul(weights / count[..., None], steps)
        both = ops.logical_and(mask[:, 1:], mask[:, :-1])
        change = masked_mean(ops.abs(steps[:, 1:] - steps[:, :-1]), both)
        return ops.concatenate([means[:, :1], change[:, None], means[:, 1:]], axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """There are no steps any more."""


class MaskedMean(keras.layers.Layer):
    """Mean over the real steps; zeros for a clip without any.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,1,D).
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """Sum of the real steps over their number."""
        return masked_mean(inputs, mask)[:, None]

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """There are no steps any more."""


class BlockStandardize(keras.layers.Layer):
    """Subtract each feature's mean over the training clips; divide each block by one number.

    That number gives the block a mean squared length of 1, whatever its width, so one learning
    rate suits all backbones.  A number for each feature would blow up the features that are nearly
    always zero: on real clips that costs 3 to 6 points of accuracy.

    Input shape: (B,N,D), N blocks.  Output shape: (B,N*D).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the constants, which training does not change."""
        blocks, width = input_shape[1:]
        self.mean = self.add_weight((blocks, width), "zeros", trainable=False, name="mean")
        self.scale = self.add_weight((blocks, 1), "ones", trainable=False, name="scale")

    def adapt_to(self, values: NDArray[np.float32]) -> None:
        """Measure what this layer is given for the training clips, (clips,N,D)."""
        self.mean.assign(values.mean(0))
        length = np.sqrt(values.var(0).sum(1, keepdims=True))
        # A block that hardly moved in training (clips of one frame, say) must not explode later.
        self.scale.assign(1.0 / np.maximum(length, max(0.01 * float(length[0, 0]), 1e-6)))

    def call(self, inputs: Any) -> Any:
        """(x - mean) * scale, the blocks side by side."""
        # Keras's Flatten bakes a batch of one into an OpenVINO export; a plain -1 does not.
        return ops.reshape((inputs - self.mean) * self.scale, (-1, math.prod(self.mean.shape)))


class AttentionPooling(keras.layers.Layer):
    """Weighted mean over the real steps, with weights that the layer learns; zeros without any.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,D).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the vector that scores a step."""
        self.score = self.add_weight((input_shape[-1], 1), "glorot_uniform", name="score")

    def call(self, inputs: Any, mask: Any) -> Any:
        """Softmax of the scores of the real steps."""
        real = ops.cast(mask, inputs.dtype)[..., None]
        # Steps that are not real must not set the maximum, or the others could all underflow.
        # Float16 ends at -65,504.
        scores = ops.where(mask[..., None], ops.matmul(inputs, self.score), -6e4)
        weights = ops.exp(scores - ops.max(scores, axis=1, keepdims=True)) * real
        # The best real step weighs 1, so the sum is below 1 only where there is none.
        return ops.sum(weights * inputs, 1) / ops.maximum(ops.sum(weights, 1), 1.0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """There are no steps any more."""


def masked_mean(inputs: Any, mask: Any) -> Any:
    """Mean over real steps.  inputs (B,T,D), mask (B,T) -> (B,D); all-masked rows give 0."""
    real = ops.cast(mask, inputs.dtype)[..., None]
    # Not a product: what stands in padded steps may be infinite.
    steps = ops.where(mask[..., None], inputs, 0.0)
    return ops.sum(steps, 1) / ops.maximum(ops.sum(real, 1), 1)
