"""Backbone and head as one trainable network, and the optimizer with a rate for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from vidclass.runtime.hardware import has_gpu


class EachFrame(keras.layers.Layer):
    """A backbone on every frame of every clip.

    The backbone runs as it does in use: batch norms with their stored statistics, nothing dropped.
    With `remat`, the frames at one time of all clips go through it at a time and none of its
    activations is kept: they are computed again when gradients need them.

    Input shape: (B,T,H,W,3) uint8.  Output shape: (B,T,D) float32.
    """

    def __init__(self, network: keras.Model, *, remat: bool) -> None:
        super().__init__(name="each_frame", dtype="float32")
        self.network = network
        self.remat = remat

    def _features(self, frames: Any) -> Any:
        made = self.network(ops.cast(frames, "float32"), training=False)
        return ops.cast(made, "float32")

    def call(self, frames: Any) -> Any:
        """The features."""
        if self.remat:
            # By time, not by clip: the clips may be spread over devices.
            by_time = ops.transpose(frames, (1, 0, 2, 3, 4))
            return ops.transpose(ops.map(keras.remat(self._features), by_time), (1, 0, 2))
        steps, sides = frames.shape[1], frames.shape[2:]
        made = self._features(ops.reshape(frames, (-1, *sides)))
        return ops.reshape(made, (-1, steps, made.shape[-1]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One row of features for each frame."""
        return (*input_shape[:2], self.network.output_shape[-1])


class ShiftedDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """The same numbers as `DepthwiseConv2D`, as a sum of shifted pictures.

    XLA on a CPU takes several times as long for depthwise convolutions and their gradients.
    """

    def call(self, inputs: Any) -> Any:
        """Convolve."""
        outputs = keras.remat(self._convolve)(inputs, self.kernel[..., 0])
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def _convolve(self, inputs: Any, kernel: Any) -> Any:
        (tall, wide), (down, across) = self.kernel_size, self.strides
        rows = _window(inputs.shape[1], tall, down, same=self.padding == "same")
        columns = _window(inputs.shape[2], wide, across, same=self.padding == "same")
        padded = ops.pad(inputs, ((0, 0), rows[:2], columns[:2], (0, 0)))
        stop_row, stop_column = (rows[2] - 1) * down + 1, (columns[2] - 1) * across + 1
        total: Any = 0.0
        for y in range(tall):
            for x in range(wide):
                part = padded[:, y : y + stop_row : down, x : x + stop_column : across]
                total = total + part * ops.cast(kernel[y, x], inputs.dtype)
        return total


def _window(size: int, kernel: int, stride: int, *, same: bool) -> tuple[int, int, int]:
    """Zeros before and after a side of `size` pixels, and the size of the output."""
    if not same:
        return 0, 0, (size - kernel) // stride + 1
    count = -(-size // stride)
    missing = max((count - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2, count


def quick_twin(network: keras.Model) -> keras.Model:
    """The same network and weights in layers that train quickly here; often `network` itself."""
    if keras.backend.backend() != "jax" or has_gpu():
        return network
    if not any(_can_shift(layer) for layer in leaves(network)):
        return network
    twin = keras.models.clone_model(network, clone_function=_shifted, recursive=True)
    twin.set_weights(network.get_weights())
    return twin


def _can_shift(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.DepthwiseConv2D
        and layer.depth_multiplier == 1
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.data_format == "channels_last"
    )


def _shifted(layer: Any) -> Any:
    kind = ShiftedDepthwiseConv2D if _can_shift(layer) else type(layer)
    return kind.from_config(layer.get_config())


def leaves(network: keras.Model) -> list[Any]:
    """Its layers in their order, those of models inside it in their place."""
    found = []
    for layer in network.layers:
        found += leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def join(network: keras.Model, head: keras.Model, *, frames: int, remat: bool) -> keras.Model:
    """One model from `frames` (B,T,H,W,3) uint8 and `mask` (B,T) bool to logits (B,K)."""
    sides = network.input_shape[1:]
    pictures = keras.Input((frames, *sides), dtype="uint8", name="frames")
    mask = keras.Input((frames,), dtype="bool", name="mask")
    features = EachFrame(network, remat=remat)(pictures)
    logits = head({"features": features, "mask": mask})
    return keras.Model({"frames": pictures, "mask": mask}, logits, name="finetuned")


class LayerwiseAdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), each variable at its own rate.

    Args:
        factors: The share of the learning rate for each trainable variable, in their order.
        decay: Weight decay of kernels, in units of the rate; biases and gains have none.
        options: Those of Adam.
    """

    def __init__(self, factors: Sequence[float], *, decay: float, **options: Any) -> None:
        super().__init__(**options)
        self._factors = tuple(factors)
        self._decay = decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable."""
        factor = self._factors[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype) * factor
        if self._decay and len(variable.shape) > 1:
            self.assign_sub(variable, variable * (rate * self._decay))
        super().update_step(gradient, variable, rate)


def soft_loss(targets: Any, logits: Any) -> Any:
    """Cross entropy of rows of weights (B,K); a row of zeros costs nothing.  Returns (B,)."""
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def correct(targets: Any, logits: Any) -> Any:
    """1 where the largest logit is the true class; 0 for a row of zeros.  Returns (B,)."""
    hit = ops.equal(ops.argmax(targets, axis=-1), ops.argmax(logits, axis=-1))
    real = ops.any(targets > 0, axis=-1)
    return ops.cast(ops.logical_and(hit, real), "float32")
