"""I3D: Inception-v1 whose filters and pools reach over time as well.

Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset",
CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from vidclass.errors import ConfigError, WeightsError

BATCH_NORM_EPSILON = 1e-3
SMALLEST = 32
# Filters of the four branches of each block: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 behind a pool.
_BLOCKS: dict[str, tuple[int, ...]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
_POOL_BEFORE = {"Mixed_4b": 3, "Mixed_5b": 2}
_LOGITS = "Logits.Conv3d_0c_1x1.conv_3d"


def build_i3d(
    *, frames: int, size: int = 224, channels: int = 3, classes: int | None = None
) -> keras.Model:
    """Build the network with untrained weights.

    Input shape: (B, frames, size, size, channels), or channels first: RGB in [0, 255] of three
    channels, or optical flow in [-1, 1] of two.
    Output shape: (B, 1024) features; with `classes`, (B, classes) logits.

    The last feature map is averaged over space and over pairs of neighbouring times, and then over
    time, as the authors average their logits.

    Raises:
        ConfigError: `size` is too small for the network.
    """
    if size < SMALLEST:
        raise ConfigError(f"size={size} is too small for I3D: give at least {SMALLEST}")
    channels_first = keras.config.image_data_format() == "channels_first"
    shape = (frames, size, size)
    inputs = keras.Input(
        (channels, *shape) if channels_first else (*shape, channels), name="frames"
    )
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs) if channels == 3 else inputs
    x = _unit(x, 64, 7, "Conv3d_1a_7x7", stride=2)
    x = _pool(x, (1, 3, 3), (1, 2, 2))
    x = _unit(x, 64, 1, "Conv3d_2b_1x1")
    x = _unit(x, 192, 3, "Conv3d_2c_3x3")
    x = _pool(x, (1, 3, 3), (1, 2, 2))
    for name, filters in _BLOCKS.items():
        if name in _POOL_BEFORE:
            x = _pool(x, (_POOL_BEFORE[name],) * 3, (2, 2, 2))
        x = _block(x, filters, name)
    times, height, width = x.shape[2:] if channels_first else x.shape[1:-1]
    x = layers.AveragePooling3D((min(times, 2), height, width), strides=1)(x)
    x = layers.GlobalAveragePooling3D(name="features")(x)
    if classes is not None:
        # A 1x1x1 convolution, averaged over time, is a dense layer on the average.
        x = layers.Dense(classes, name=_LOGITS)(x)
    return keras.Model(inputs, x, name="i3d")


def _unit(x: Any, filters: int, kernel: int, name: str, *, stride: int = 1) -> Any:
    axis = 1 if keras.config.image_data_format() == "channels_first" else -1
    x = layers.Conv3D(
        filters, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}.conv_3d"
    )(x)
    x = layers.BatchNormalization(
        axis=axis, scale=False, epsilon=BATCH_NORM_EPSILON, name=f"{name}.batch_norm"
    )(x)
    return layers.ReLU()(x)


def _pool(x: Any, size: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    return layers.MaxPooling3D(size, strides=stride, padding="same")(x)


def _block(x: Any, filters: tuple[int, ...], name: str) -> Any:
    axis = 1 if keras.config.image_data_format() == "channels_first" else -1
    one, narrow_a, wide_a, narrow_b, wide_b, pooled = filters
    # The published checkpoints call this one layer so.
    second_b = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
    branches = [
        _unit(x, one, 1, f"{name}.Branch_0.Conv3d_0a_1x1"),
        _unit(
            _unit(x, narrow_a, 1, f"{name}.Branch_1.Conv3d_0a_1x1"),
            wide_a,
            3,
            f"{name}.Branch_1.Conv3d_0b_3x3",
        ),
        _unit(
            _unit(x, narrow_b, 1, f"{name}.Branch_2.Conv3d_0a_1x1"),
            wide_b,
            3,
            f"{name}.Branch_2.{second_b}",
        ),
        _unit(_pool(x, (3, 3, 3), (1, 1, 1)), pooled, 1, f"{name}.Branch_3.Conv3d_0b_1x1"),
    ]
    return layers.Concatenate(axis=axis)(branches)


def checkpoint_names(model: keras.Model, scope: str) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return each variable and its shape in the checkpoint, by its name there.

    Args:
        model: Result of `build_i3d`.
        scope: `RGB` or `Flow`.
    """
    variables: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for layer in model.layers:
        for weight in layer.weights:
            shape = tuple(weight.shape)
            part = {"kernel": "w", "bias": "b"}.get(weight.name, weight.name)
            if len(shape) == 2:
                shape = (1, 1, 1, *shape)
            name = f"{scope}/inception_i3d/{layer.name.replace('.', '/')}/{part}"
            variables[name] = (weight, shape)
    return variables


def assign_checkpoint(model: keras.Model, tensors: Mapping[str, NDArray[Any]], scope: str) -> None:
    """Copy the tensors of a checkpoint into the network, name by name.

    Raises:
        WeightsError: a tensor is missing, or has another shape than its variable.
    """
    for name, (weight, shape) in checkpoint_names(model, scope).items():
        if name not in tensors:
            raise WeightsError(f"the checkpoint has no tensor {name!r}")
        value = tensors[name]
        if value.shape != shape:
            raise WeightsError(f"{name}: expected shape {shape}, received: {value.shape}")
        weight.assign(np.reshape(value, weight.shape))
