"""EfficientNet-Lite in Keras: EfficientNet without squeeze-and-excite, with ReLU6.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019,
in the Lite variant of 2020 that fixes stem and head and is easy on integer arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from vidclass.errors import WeightsError

# The scale the published checkpoints were trained with.  With ImageNet's mean and deviation, which
# are often used in its place, features lose 4 to 5 points of accuracy on real clips.
PIXEL_OFFSET = 127.0
PIXEL_SCALE = 128.0
BATCH_NORM_EPSILON = 1e-3
STEM_WIDTH = 32
HEAD_WIDTH = 1280


@dataclass(frozen=True)
class Stage:
    """A sequence of inverted bottlenecks of one width; the first one has the stride."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def build_efficientnet_lite(
    *, size: int, width: float = 1.0, depth: float = 1.0, classes: int | None = None
) -> keras.Model:
    """Build the network with its pixel normalisation inside and untrained weights.

    Input shape: (B, size, size, 3) RGB in [0, 255], or (B, 3, size, size) under `channels_first`.
    Output shape: (B, 1280) features, averaged over the image; with `classes`, (B, classes)
    logits.
    """
    channels_first = keras.config.image_data_format() == "channels_first"
    inputs = keras.Input((3, size, size) if channels_first else (size, size, 3), name="frames")
    x = layers.Rescaling(1 / PIXEL_SCALE, offset=-PIXEL_OFFSET / PIXEL_SCALE)(inputs)
    x = _conv(x, STEM_WIDTH, 3, "stem", stride=2)
    for index, block in enumerate(scaled_blocks(width, depth)):
        x = _bottleneck(x, block, f"block{index}")
    x = _conv(x, HEAD_WIDTH, 1, "head")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if classes is not None:
        x = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, x, name="efficientnet_lite")


def scaled_blocks(width: float, depth: float) -> list[Stage]:
    """Return one Stage of one repeat for every block, scaled by the paper's rule."""
    blocks = []
    for index, stage in enumerate(STAGES):
        fixed = index in (0, len(STAGES) - 1)
        repeats = stage.repeats if fixed else math.ceil(depth * stage.repeats)
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            blocks.append(
                Stage(1, stage.kernel, stride, stage.expand, scaled_width(stage.width, width))
            )
    return blocks


def scaled_width(width: int, factor: float, divisor: int = 8) -> int:
    """Return the scaled width, rounded to a multiple of `divisor` and never below 90 % of it."""
    scaled = width * factor
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded


def _channel_axis() -> int:
    return 1 if keras.config.image_data_format() == "channels_first" else -1


def _normed(x: Any, name: str) -> Any:
    norm = layers.BatchNormalization(
        axis=_channel_axis(), epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn"
    )
    return norm(x)


def _conv(x: Any, filters: int, kernel: int, name: str, *, stride: int = 1) -> Any:
    conv = layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )
    return layers.ReLU(6.0, name=f"{name}_relu")(_normed(conv(x), name))


def _bottleneck(x: Any, block: Stage, name: str) -> Any:
    width_in = x.shape[_channel_axis()]
    y = x
    if block.expand != 1:
        y = _conv(y, width_in * block.expand, 1, f"{name}_expand")
    y = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        name=f"{name}_depth_conv",
    )(y)
    y = layers.ReLU(6.0, name=f"{name}_depth_relu")(_normed(y, f"{name}_depth"))
    y = layers.Conv2D(block.width, 1, use_bias=False, name=f"{name}_project_conv")(y)
    y = _normed(y, f"{name}_project")
    if block.stride == 1 and width_in == block.width:
        y = layers.Add(name=f"{name}_add")([x, y])
    return y


def assign_torch_weights(model: keras.Model, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Copy a checkpoint of the PyTorch port into `model`, layer by layer.

    Raises:
        WeightsError: a tensor is missing or has another shape than its layer.
    """
    for layer in model.layers:
        if layer.weights:
            values = _layer_values(layer, tensors)
            expected = [tuple(weight.shape) for weight in layer.weights]
            shapes = [value.shape for value in values]
            if shapes != expected:
                raise WeightsError(f"{layer.name}: expected shapes {expected}, received: {shapes}")
            layer.set_weights(values)


def _layer_values(layer: Any, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    prefix = _torch_name(layer.name)
    try:
        if isinstance(layer, layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            return [tensors[f"{prefix}.{part}"] for part in parts]
        kernel = tensors[f"{prefix}.weight"]
        if isinstance(layer, layers.Dense):
            return [kernel.T, tensors[f"{prefix}.bias"]]
    except KeyError as error:
        raise WeightsError(f"{layer.name}: the checkpoint has no tensor {error}") from error
    # PyTorch keeps kernels as (out, in, H, W); a depthwise one has in = 1 and out = channels.
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [np.ascontiguousarray(kernel.transpose(axes))]


def _torch_name(name: str) -> str:
    """Return a layer's name in the checkpoint: `_blocks.3._bn0` for `block3_expand_bn`."""
    if name == "logits":
        return "_fc"
    outer = {"stem_conv": "_conv_stem", "stem_bn": "_bn0"}
    outer |= {"head_conv": "_conv_head", "head_bn": "_bn1"}
    if name in outer:
        return outer[name]
    block, _, part = name.partition("_")
    inner = {
        "expand_conv": "_expand_conv",
        "expand_bn": "_bn0",
        "depth_conv": "_depthwise_conv",
        "depth_bn": "_bn1",
        "project_conv": "_project_conv",
        "project_bn": "_bn2",
    }
    return f"_blocks.{block.removeprefix('block')}.{inner[part]}"
