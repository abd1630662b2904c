"""Backbone and head as one trainable network, its layers to train, and their learning rates."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from vidclass.backbones.keras_weights import zero_initialisers
from vidclass.config import FinetuneConfig
from vidclass.errors import ConfigError
from vidclass.runtime.hardware import has_gpu

# Number of equal parts that count as blocks in a network whose layers name none.
PARTS = 10
# block3_expand_conv, block1a_se_reduce, block_5_project, conv2_block1_out, stage_0_block_2_...
_BLOCK = re.compile(r"^.*?block_?\d+[a-z]?(?=_|$)")


class EachFrame(keras.layers.Layer):
    """A backbone applied to every frame of every clip.

    The backbone runs in inference mode: batch norms use their stored statistics, dropout is off.
    With `remat`, the frames at one time step of all clips go through it at a time, and its
    activations are computed again in the backward pass.

    Input shape: (B,T,H,W,3) uint8.  Output shape: (B,T,D) float32.
    """

    def __init__(self, network: keras.Model, *, remat: bool) -> None:
        super().__init__(name="each_frame", dtype="float32")
        self.network = network
        self.remat = remat

    def _features(self, frames: Any) -> Any:
        features = self.network(ops.cast(frames, "float32"), training=False)
        return ops.cast(features, "float32")

    def call(self, frames: Any) -> Any:
        """Compute the features."""
        if self.remat:
            # By time, not by clip: the clips may be spread over devices.
            by_time = ops.transpose(frames, (1, 0, 2, 3, 4))
            return ops.transpose(ops.map(keras.remat(self._features), by_time), (1, 0, 2))
        steps, sides = frames.shape[1], frames.shape[2:]
        features = self._features(ops.reshape(frames, (-1, *sides)))
        return ops.reshape(features, (-1, steps, features.shape[-1]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B,T,D)."""
        return (*input_shape[:2], self.network.output_shape[-1])


class ShiftedDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`DepthwiseConv2D` computed as a sum of shifted images.

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
    """Return the padding before and after a side of `size` pixels, and the size of the output."""
    if not same:
        return 0, 0, (size - kernel) // stride + 1
    count = -(-size // stride)
    missing = max((count - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2, count


def quick_twin(network: keras.Model) -> keras.Model:
    """Return the network with layers that train quickly on this machine, with the same weights.

    Without a layer to replace, it is `network` itself.
    """
    if keras.backend.backend() != "jax" or has_gpu():
        return network
    if not any(_can_shift(layer) for layer in leaves(network)):
        return network
    with zero_initialisers():
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
    """Return the layers in their order, a nested model replaced by its own layers."""
    layers: list[Any] = []
    for layer in network.layers:
        layers += leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return layers


def join(network: keras.Model, head: keras.Model, *, frames: int, remat: bool) -> keras.Model:
    """Return one model from `frames` (B,T,H,W,3) uint8 and `mask` (B,T) bool to logits (B,K)."""
    sides = network.input_shape[1:]
    images = keras.Input((frames, *sides), dtype="uint8", name="frames")
    mask = keras.Input((frames,), dtype="bool", name="mask")
    features = EachFrame(network, remat=remat)(images)
    logits = head({"features": features, "mask": mask})
    return keras.Model({"frames": images, "mask": mask}, logits, name="finetuned")


class LayerwiseAdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019) and a rate for each variable.

    Args:
        factors: Share of the learning rate for each trainable variable, in their order.
        decay: Weight decay of kernels, in units of the rate; biases and gains have none.
        options: Arguments of Adam.
    """

    def __init__(self, factors: Sequence[float], *, decay: float, **options: Any) -> None:
        super().__init__(**options)
        self._factors = tuple(factors)
        self._decay = decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        factor = self._factors[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype) * factor
        if self._decay and len(variable.shape) > 1:
            self.assign_sub(variable, variable * (rate * self._decay))
        super().update_step(gradient, variable, rate)


def soft_loss(targets: Any, logits: Any) -> Any:
    """Return the cross-entropy (B,) of soft targets (B,K); 0 for a row of zeros."""
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def correct(targets: Any, logits: Any) -> Any:
    """Return 1 where the largest logit is the true class, else 0, (B,); 0 for a row of zeros."""
    hit = ops.equal(ops.argmax(targets, axis=-1), ops.argmax(logits, axis=-1))
    real = ops.any(targets > 0, axis=-1)
    return ops.cast(ops.logical_and(hit, real), "float32")


@dataclass(frozen=True)
class Stage:
    """Neighbouring layers that train at one rate; `is_block` if they are numbered as a block."""

    layers: list[Any]
    is_block: bool


def stages(layers: list[Any]) -> list[Stage]:
    """Return the layers with weights in their order, block by block.

    Layers before, between and after the blocks are stages of their own.  A network without named
    blocks is cut into ten equal parts.
    """
    weighted = [layer for layer in layers if layer.weights]
    names = [_block_of(layer.name) for layer in weighted]
    if not any(names):
        count = min(PARTS, len(weighted))
        cuts = [round(index * len(weighted) / count) for index in range(count + 1)]
        pairs = zip(cuts, cuts[1:], strict=False)
        return [Stage(weighted[start:stop], is_block=True) for start, stop in pairs]
    groups: list[tuple[str, list[Any]]] = []
    for name, layer in zip(names, weighted, strict=True):
        # Layers on two branches of one block need not stand side by side.
        group = next((group for group in groups if name and group[0] == name), None)
        if group is None:
            if not groups or groups[-1][0] != name:
                groups.append((name, []))
            group = groups[-1]
        group[1].append(layer)
    return [Stage(group, is_block=bool(name)) for name, group in groups]


def unfreeze(layers: list[Any], setting: float | str) -> list[Stage]:
    """Make the last layers trainable, as `FinetuneConfig.unfreeze` says, and all others not.

    Batch norms always stay frozen.

    Returns:
        The stages with layers to train, the last one first.

    Raises:
        ConfigError: The network has fewer blocks.
    """
    in_order = stages(layers)
    chosen = {id(layer) for layer in _layers_to_train(in_order, setting)}
    for layer in layers:
        layer.trainable = id(layer) in chosen
    return [stage for stage in reversed(in_order) if any(layer.trainable for layer in stage.layers)]


def _layers_to_train(in_order: list[Stage], setting: float | str) -> list[Any]:
    layers = [layer for stage in in_order for layer in stage.layers if _can_train(layer)]
    if setting == "all":
        return layers
    if isinstance(setting, float):
        return layers[-math.ceil(setting * len(layers)) :]
    blocks = [index for index, stage in enumerate(in_order) if stage.is_block]
    if int(setting) > len(blocks):
        raise ConfigError(
            f"unfreeze={setting}: the backbone has {len(blocks)} blocks. Give at most that many, "
            "or 'all'."
        )
    first = blocks[-int(setting)]
    return [layer for stage in in_order[first:] for layer in stage.layers if _can_train(layer)]


def _can_train(layer: Any) -> bool:
    if isinstance(layer, keras.layers.BatchNormalization):
        return False
    # The mean and variance of a Normalization are weights that no training changes.
    layer.trainable = True
    return bool(layer.trainable_weights)


def rate_factors(variables: list[Any], trained: list[Stage], config: FinetuneConfig) -> list[float]:
    """Return the learning rate of each variable as a share of the head's, which has 1.

    Args:
        variables: Trainable variables.
        trained: The backbone's stages, the last one first.
        config: `backbone_rate` is the last stage's share; below, each has `layer_decay` of the
            share of the one above (Howard and Ruder, "Universal Language Model Fine-tuning for
            Text Classification", ACL 2018).
    """
    factors = {
        id(weight): config.backbone_rate * config.layer_decay**depth
        for depth, stage in enumerate(trained)
        for layer in stage.layers
        for weight in layer.trainable_weights
    }
    return [factors.get(id(variable), 1.0) for variable in variables]


def _block_of(name: str) -> str:
    match = _BLOCK.match(name)
    return match.group() if match else ""
