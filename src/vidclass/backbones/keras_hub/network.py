"""KerasHub's image networks between the preset's scale and offset and pooled features.

The features are those that KerasHub's own classifier of that architecture takes of the network's
outputs: the mean over positions, or the class token.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidclass.backbones.hub_files import CONFIG
from vidclass.backbones.keras_hub.presets import (
    ARCHITECTURES,
    IMAGE_CONVERTER,
    preset_file,
    read_settings,
    require_keras_hub,
)
from vidclass.backbones.keras_weights import zero_initialisers
from vidclass.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    import keras

Channels = float | list[float]


def preset_size(name: str) -> int:
    """Return the side of the images that the preset was made for, in pixels.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: its settings cannot be read, or are of no square images.
    """
    kind, arguments = _network_settings(name)
    _, converter = read_settings(name, IMAGE_CONVERTER)
    converted = converter_side(converter, preset_file(name, IMAGE_CONVERTER))
    own = _network_side(arguments)
    # Networks that take no other images decide first.
    sides = (converted, own) if ARCHITECTURES[kind].any_size else (own, converted)
    return next((side for side in sides if side), 224)


def untrained_model(name: str, size: int) -> tuple[keras.Model, keras.Model]:
    """Return the model from images in [0, 255] to features, and KerasHub's own network in it.

    Input shape: (B, size, size, 3) RGB in [0, 255], or channels first.  Output shape: (B, D).

    Raises:
        ConfigError: there is no such preset, or its network takes no images of that size.
        WeightsError: its settings cannot be read.
    """
    network, token = _network(name, size)
    import keras

    _, converter = read_settings(name, IMAGE_CONVERTER)
    scale, offset = scaling(converter, preset_file(name, IMAGE_CONVERTER))
    channels_first = keras.config.image_data_format() == "channels_first"
    inputs = keras.Input((3, size, size) if channels_first else (size, size, 3), name="frames")
    scaled = keras.layers.Rescaling(scale, offset, name="preset_scale")(inputs)
    # Some networks take their images by a name.
    by_name = isinstance(network.input, dict)
    outputs = network(dict.fromkeys(network.input, scaled) if by_name else scaled)
    features = _pooled(outputs, token=token, channels_first=channels_first)
    return keras.Model(inputs, features, name=network.name), network


def open_branches(network: keras.Model) -> None:
    """Let random branches count: a layer scale of 0 would close them, and all images be alike."""
    for weight in network.weights:
        if weight.name.startswith("lambda"):
            weight.assign(np.full(tuple(weight.shape), 0.5, "float32"))


def resize_positions(network: keras.Model) -> None:
    """Set the resized position embeddings of a DINOv2 as JAX does; leave other networks alone.

    KerasHub resizes them by the back end's own bicubic interpolation.  At the edges those of JAX
    and of OpenVINO differ by a hundredth, so that the features of one network would too.

    Args:
        network: KerasHub's network, with its weights.
    """
    layer = getattr(network, "embeddings", None)
    target = getattr(layer, "interpolated_position_embeddings", None)
    if layer is None or target is None:
        return
    import keras

    table = keras.ops.convert_to_numpy(layer.position_embeddings)[0]
    resized_count, count = target.shape[1] - 1, len(table) - 1
    if resized_count == count:
        return
    side, resized_side = round(count**0.5), round(resized_count**0.5)
    weights = bicubic_weights(side, resized_side, antialias=layer.antialias_in_interpolation)
    positions = table[1:].reshape(side, side, -1).astype("float64")
    resized = np.einsum("ai,bj,ijd->abd", weights, weights, positions).reshape(resized_count, -1)
    target.assign(np.concatenate([table[:1], resized])[None].astype("float32"))


def bicubic_weights(side: int, resized_side: int, *, antialias: bool) -> NDArray[np.float64]:
    """Return the weights (resized_side, side) of the numbers of a row in those of the resized row.

    Keys's kernel (1981) with a = -0.5; contributions from beyond the edges are left out, and the
    rest is normalised to 1.
    """
    step = side / resized_side
    centres = (np.arange(resized_side) + 0.5) * step - 0.5
    far = np.abs(centres[:, None] - np.arange(side)) / (max(step, 1.0) if antialias else 1.0)
    near = (1.5 * far - 2.5) * far**2 + 1
    outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(far <= 1, near, np.where(far < 2, outer, 0.0))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def converter_side(settings: dict[str, Any], path: Path) -> int | None:
    """Return the side of the square images of an image converter; None if it states none.

    Args:
        settings: Arguments of the image converter.
        path: File they are from, for messages.

    Raises:
        WeightsError: the images are not square.
    """
    value = settings.get("image_size")
    if "height" in settings and "width" in settings:  # so in older presets
        value = [settings["height"], settings["width"]]
    if value is None or value == [None, None]:
        return None
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if type(value) is not int or value < 1:
        raise WeightsError(f"{path}: image_size={value!r} is not that of square images")
    return value


def scaling(settings: dict[str, Any], path: Path) -> tuple[Channels, Channels]:
    """Return scale and offset of an image converter, for all channels or for each.

    Args:
        settings: Arguments of the image converter.
        path: File they are from, for messages.

    Raises:
        WeightsError: they are not numbers.
    """
    scale = _channels(settings, "scale", 1.0, path)
    if settings.get("mean") is None or settings.get("variance") is None:
        return scale, _channels(settings, "offset", 0.0, path)
    # So in older presets; KerasHub computes the same of them.
    mean, variance = (_three(_channels(settings, key, 0.0, path)) for key in ("mean", "variance"))
    if min(variance) <= 0:
        raise WeightsError(f"{path}: variance={settings['variance']!r} is not positive")
    deviation = [math.sqrt(value) for value in variance]
    factors = [own / by for own, by in zip(_three(scale), deviation, strict=True)]
    return factors, [-own / by for own, by in zip(mean, deviation, strict=True)]


def _channels(settings: dict[str, Any], key: str, default: float, path: Path) -> Channels:
    value = settings.get(key)
    if value is None:
        return default
    numbers = value if isinstance(value, list) else [value]
    if any(type(number) not in (int, float) for number in numbers) or len(numbers) not in (1, 3):
        raise WeightsError(f"{path}: {key}={value!r} is neither one number nor three")
    return [float(number) for number in numbers] if len(numbers) == 3 else float(numbers[0])


def _three(value: Channels) -> list[float]:
    return value if isinstance(value, list) else [value] * 3


def _network_settings(name: str) -> tuple[str, dict[str, Any]]:
    """Return the class of the preset's network, a supported one, and its arguments."""
    kind, arguments = read_settings(name, CONFIG)
    if kind not in ARCHITECTURES:
        raise WeightsError(
            f"{name} is a {kind}: of KerasHub, these are supported: "
            f"{', '.join(sorted(ARCHITECTURES))}. For CLIP and SigLIP give "
            "backbone='hf:ORG/NAME'"
        )
    return kind, arguments


def _network_side(arguments: dict[str, Any]) -> int | None:
    shape = arguments.get("image_shape") or arguments.get("input_shape") or []
    sides = [value for value in shape if isinstance(value, int) and value > 3]
    return sides[0] if sides else None


def _network(name: str, size: int) -> tuple[keras.Model, bool]:
    """Return KerasHub's own network, and whether its features are the class token.

    It is built in Keras's current image data format.
    """
    hub = require_keras_hub(name)
    import keras

    kind, arguments = _network_settings(name)
    architecture = ARCHITECTURES[kind]
    own = _network_side(arguments)
    if own and size != own and not architecture.any_size:
        raise ConfigError(f"size={size}: {name} takes images of {own}x{own} alone: give size={own}")
    layout = keras.config.image_data_format()
    if layout == "channels_first" and not architecture.channels_first:
        raise NotImplementedError(f"{kind} cannot be built for {layout}")
    shape = "input_shape" if "input_shape" in arguments else "image_shape"
    arguments[shape] = (3, size, size) if layout == "channels_first" else (size, size, 3)
    if "data_format" in arguments:
        arguments["data_format"] = layout
    # A ViT can be built without its class token.
    token = architecture.token and bool(arguments.get("use_class_token", True))
    try:
        with zero_initialisers():
            return getattr(hub.models, kind)(**arguments), token
    except Exception as error:  # KerasHub refuses sizes and settings in words of its own
        raise ConfigError(
            f"the backbone {name} cannot be built for images of {size}x{size} from "
            f"{preset_file(name, CONFIG)}: {type(error).__name__}: {error}"
        ) from error


def _pooled(outputs: Any, *, token: bool, channels_first: bool) -> Any:
    """Return features (B,D) of maps (B,H,W,D), of tokens (B,N,D), or of maps channels first."""
    import keras

    if len(outputs.shape) == 4:
        return keras.ops.mean(outputs, axis=(2, 3) if channels_first else (1, 2))
    return outputs[:, 0] if token else keras.ops.mean(outputs, axis=1)
