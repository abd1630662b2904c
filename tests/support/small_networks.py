"""Networks for the tests of the runtime; its children import them by name."""

from __future__ import annotations

import errno
import os
from typing import Any

import keras
import numpy as np
from keras import layers

from vidclass.errors import WeightsError

WIDTH = 4


def tiny(size: int, scale: float = 1.0) -> Any:
    """One convolution, averaged over the image: (B,size,size,3) to (B,4)."""
    first = keras.config.image_data_format() == "channels_first"
    inputs = keras.Input((3, size, size) if first else (size, size, 3), name="frames")
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(WIDTH, 3, strides=2, padding="same")(x)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
    kernel = np.linspace(-1, 1, 27 * WIDTH, dtype="float32").reshape(3, 3, 3, WIDTH)
    model.set_weights([kernel * scale, np.arange(WIDTH, dtype="float32")])
    return model


def windowed(size: int, window: int) -> Any:
    """One convolution over place and time: (B,window,size,size,3) to (B,4)."""
    first = keras.config.image_data_format() == "channels_first"
    inputs = keras.Input((3, window, size, size) if first else (window, size, size, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv3D(WIDTH, 3, strides=2, padding="same")(x)
    model = keras.Model(inputs, layers.GlobalAveragePooling3D()(x))
    kernel = np.linspace(-1, 1, 81 * WIDTH, dtype="float32").reshape(3, 3, 3, 3, WIDTH)
    model.set_weights([kernel, np.arange(WIDTH, dtype="float32")])
    return model


def only_channels_last(size: int) -> Any:
    """Like DenseNet, it refuses the other layout."""
    if keras.config.image_data_format() == "channels_first":
        raise ValueError("channels_first is not supported")
    return tiny(size)


def other_numbers_by_backend(size: int) -> Any:
    """Imitates a wrong export: the outputs depend on the back end."""
    return tiny(size, scale=1.5 if keras.config.backend() == "openvino" else 1.0)


def without_weights(size: int) -> Any:
    """Fails as a backbone does whose weights are missing."""
    raise WeightsError(f"the weights of size={size} are not here: fetch them")


def defective(size: int) -> Any:
    """Fails in a way that nobody expected."""
    raise ZeroDivisionError(f"a defect of size {size}")


def on_a_full_disk(size: int) -> Any:
    """Fails as a write to a full disk does."""
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise ValueError(f"cannot export a network of size {size}") from error


def killed(size: int) -> Any:
    """Ends as a process does that takes more memory than there is."""
    os.kill(os.getpid(), 9)


def squeezing(size: int) -> Any:
    """A squeeze-and-excite block, then successive reshapes; (B,size,size,3) to (B,4)."""
    first = keras.config.image_data_format() == "channels_first"
    shape = (WIDTH, 1, 1) if first else (1, 1, WIDTH)
    inputs = keras.Input((3, size, size) if first else (size, size, 3), name="frames")
    x = layers.Conv2D(WIDTH, 3, strides=4)(layers.Rescaling(1 / 255)(inputs))
    gate = layers.Reshape(shape)(layers.GlobalAveragePooling2D()(x))
    gate = layers.Reshape(shape)(layers.Reshape((2, 2))(gate))
    x = layers.Multiply()([x, layers.Conv2D(WIDTH, 1, activation="sigmoid")(gate)])
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    return model


def head(frames: int, width: int) -> Any:
    """The sum of real features, (B,width); inputs `features` and `mask`."""
    features = keras.Input((frames, width), name="features")
    mask = keras.Input((frames,), dtype="bool", name="mask")
    weight = keras.ops.expand_dims(keras.ops.cast(mask, "float32"), -1)
    total = keras.ops.sum(features * weight, axis=1)
    return keras.Model({"features": features, "mask": mask}, total)
