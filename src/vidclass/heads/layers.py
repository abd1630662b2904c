"""Masked layers over time."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class TemporalPooling(keras.layers.Layer):
    """Four averages of a clip over time, each as wide as its features.

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
        """Return the four averages, stacked: (B,4,D)."""
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
        """Return None: the output has no time axis."""


class MaskedMean(keras.layers.Layer):
    """Mean over the real steps; zeros for a clip without any.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,1,D).
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the mean with a block axis: (B,1,D)."""
        return masked_mean(inputs, mask)[:, None]

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no time axis."""


class BlockStandardize(keras.layers.Layer):
    """Subtract each feature's mean over the training clips; divide each block by one number.

    That number gives the block a mean squared length of 1, whatever its width, so one learning
    rate suits all backbones.  A number for each feature would blow up the features that are nearly
    always zero: on real clips that costs 3 to 6 points of accuracy.

    Input shape: (B,N,D), N blocks.  Output shape: (B,N*D).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the mean and scale, which are not trainable."""
        blocks, width = input_shape[1:]
        self.mean = self.add_weight((blocks, width), "zeros", trainable=False, name="mean")
        self.scale = self.add_weight((blocks, 1), "ones", trainable=False, name="scale")

    def adapt_to(self, values: NDArray[np.float32]) -> None:
        """Set mean and scale from the inputs for the training clips, (clips,N,D)."""
        self.mean.assign(values.mean(0))
        length = np.sqrt(values.var(0).sum(1, keepdims=True))
        # A block that hardly moved in training (clips of one frame, say) must not explode later.
        self.scale.assign(1.0 / np.maximum(length, max(0.01 * float(length[0, 0]), 1e-6)))

    def call(self, inputs: Any) -> Any:
        """Return (x - mean) * scale, the blocks side by side: (B,N*D)."""
        # Keras's Flatten bakes a batch of one into an OpenVINO export; a plain -1 does not.
        return ops.reshape((inputs - self.mean) * self.scale, (-1, math.prod(self.mean.shape)))


class MeanAndDeviation(keras.layers.Layer):
    """Mean and standard deviation over the real steps; zeros for a clip without any.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,2,D).
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return mean and standard deviation, stacked: (B,2,D)."""
        centre = masked_mean(inputs, mask)
        steps = ops.where(mask[..., None], inputs, centre[:, None])
        spread = ops.sqrt(masked_mean(ops.square(steps - centre[:, None]), mask))
        return ops.stack([centre, spread], axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no time axis."""


class RealSteps(keras.layers.Layer):
    """Replace padded steps by zeros.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,T,D).
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the steps with zeros where the mask is false: (B,T,D)."""
        return ops.where(mask[..., None], inputs, 0.0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: layers that need the mask take it as an argument."""


class FrameStandardize(keras.layers.Layer):
    """Subtract each feature's mean over the training frames; divide all by one number.

    That number gives frames a mean squared length of 1, as `BlockStandardize` does for pooled
    features.  Padded steps become zeros.

    Input shape: (B,T,D) and mask (B,T).  Output shape: (B,T,D).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the mean and scale, which are not trainable."""
        self.mean = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="mean")
        self.scale = self.add_weight((1,), "ones", trainable=False, name="scale")

    def adapt_to(self, steps: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """Set mean and scale from the training clips: steps (clips,T,D), mask (clips,T)."""
        real = steps[mask]
        if len(real):
            self.mean.assign(real.mean(0))
            self.scale.assign([1.0 / max(float(np.sqrt(real.var(0).sum())), 1e-6)])

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return (x - mean) * scale at real steps, zeros at padded ones: (B,T,D)."""
        return ops.where(mask[..., None], (inputs - self.mean) * self.scale, 0.0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: layers that need the mask take it as an argument."""


class RollingAverage(keras.layers.Layer):
    """The log of the mean probability over the last `window` real steps.

    A clip without any real step gives equal values for all classes.

    Input shape: logits (B,T,K) and mask (B,T).  Output shape: (B,K).
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the log of the mean softmax, which serves as logits: (B,K)."""
        real = ops.cast(mask, "int32")
        after = ops.sum(real, axis=1, keepdims=True) - ops.cumsum(real, axis=1)
        recent = ops.logical_and(mask, after < self.window)
        # In mixed precision too: float16 has no probability below 6e-8.
        each = ops.softmax(ops.cast(inputs, "float32"), axis=-1)
        return ops.log(masked_mean(each, recent) + 1e-9)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no time axis."""


class Prototypes(keras.layers.Layer):
    """Cosine similarity between a clip and each class's direction, times a learned sharpness.

    Input shape: (B,D).  Output shape: (B,K).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the class directions (K,D) and the sharpness."""
        shape = (self.classes, input_shape[-1])
        self.directions = self.add_weight(shape, "glorot_uniform", name="directions")
        self.sharpness = self.add_weight((1,), keras.initializers.Constant(8.0), name="sharpness")

    def adapt_to_classes(self, values: NDArray[np.float32], targets: NDArray[np.int64]) -> None:
        """Set each class's direction to that of its training clips: (clips,D), targets (clips,)."""
        directions = np.array(self.directions)
        units = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
        for index in np.unique(targets):
            directions[index] = units[targets == index].mean(0)
        self.directions.assign(directions)

    def call(self, inputs: Any) -> Any:
        """Return cosines times the sharpness: (B,K)."""
        cosines = ops.matmul(unit_rows(inputs), ops.transpose(unit_rows(self.directions)))
        return cosines * self.sharpness


class TimeFlatten(keras.layers.Layer):
    """Remove the time axis of a single step.

    Input shape: (B,1,D).  Output shape: (B,D).
    """

    def call(self, inputs: Any) -> Any:
        """Return the step: (B,D)."""
        # Keras's Flatten bakes a batch of one into an OpenVINO export.
        return inputs[:, 0]


def unit_rows(rows: Any) -> Any:
    """Scale rows (N,D) to length 1; a row of zeros stays zero."""
    length = ops.sqrt(ops.sum(ops.square(rows), axis=-1, keepdims=True))
    return rows / ops.maximum(length, 1e-4)


def masked_mean(inputs: Any, mask: Any) -> Any:
    """Return the mean over real steps: (B,T,D), mask (B,T) -> (B,D); 0 for rows without any."""
    real = ops.cast(mask, inputs.dtype)[..., None]
    # Not a product: padded steps may hold infinities.
    steps = ops.where(mask[..., None], inputs, 0.0)
    return ops.sum(steps, 1) / ops.maximum(ops.sum(real, 1), 1)
