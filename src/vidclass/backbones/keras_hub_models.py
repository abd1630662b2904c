"""Image backbones of KerasHub, behind the scale and offset that their preset carries.

The features are what KerasHub's own classifier of that family takes of the network's outputs: the
mean over the places, or the class token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from vidclass._core.files import sha256_of
from vidclass.backbones.facts import Description, Facts, cached_facts
from vidclass.backbones.hub_files import CONFIG, is_folder
from vidclass.backbones.hub_positions import settle_places
from vidclass.backbones.hub_presets import (
    PICTURES,
    identity,
    keras_hub_for,
    place_of,
    preset_file,
    settings,
    weight_files,
    weights_at_hand,
)
from vidclass.backbones.hub_scale import scaling, side
from vidclass.backbones.loading import load_weights_file, named_weights_id, randomise
from vidclass.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    import keras

# Goes up when the same files begin to give other features.
REVISION = 1


@dataclass(frozen=True)
class _Family:
    """One of KerasHub's classes of networks.

    Attributes:
        token: Whether the features are the class token, which stands first; else the mean.
        any_size: Whether the same weights take pictures of any size.
        channels_first: Whether the network can be made for them.
    """

    token: bool = False
    any_size: bool = True
    channels_first: bool = False


_CONVOLUTIONAL = _Family(channels_first=True)

FAMILIES: dict[str, _Family] = {
    "CSPNetBackbone": _CONVOLUTIONAL,
    "DeiTBackbone": _Family(token=True, any_size=False),
    "DenseNetBackbone": _CONVOLUTIONAL,
    # KerasHub has no classifier on DINO: its authors take the class token.
    "DINOV2Backbone": _Family(token=True),
    "DINOV3Backbone": _Family(token=True),
    "EfficientNetBackbone": _Family(),
    "MiTBackbone": _Family(),
    "MobileNetBackbone": _CONVOLUTIONAL,
    "ResNetBackbone": _CONVOLUTIONAL,
    "SwinTransformerBackbone": _Family(),
    "VGGBackbone": _CONVOLUTIONAL,
    "ViTBackbone": _Family(token=True, any_size=False),
    "XceptionBackbone": _CONVOLUTIONAL,
}


def describe(name: str) -> Description:
    """Size, width and parameters, and licence of `hub:...`; its settings are fetched if need be.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: its settings cannot be had, or are of no network from pictures to features.
    """
    size = _own_size(name)
    config = sha256_of(preset_file(name, CONFIG, FAMILIES))
    facts = cached_facts(
        ["keras_hub_models", REVISION, _version(), config, size], lambda: _found(name, size)
    )
    where = "see its folder" if is_folder(place_of(name)) else "see its page on the hub"
    return Description(size, facts, where)


def build(name: str, *, size: int, weights: str) -> keras.Model:
    """The network behind its preset's scale and offset, with pooled features.

    Input shape: (B, size, size, 3) RGB in [0, 255], or channels first.
    Output shape: (B, D).

    Args:
        name: `hub:` and the preset.
        size: The side of the pictures.
        weights: `pretrained` for the preset's, whatever they were trained on, `random`, or a file
            that Keras wrote for this network.

    Raises:
        ConfigError: there is no such preset, or its network takes no pictures of that size.
        WeightsError: the weights are missing or not this network's.
    """
    made, network = _untrained(name, size)
    if weights == "random":
        randomise(network)
        _open_branches(network)
    else:
        # Weights in parts are read by the list of them, which is the first file.
        own = weights == "pretrained"
        path = str(weight_files(name, FAMILIES)[0]) if own else weights
        load_weights_file(network, name, path)
        settle_places(network)
    return made


def weights_id(name: str, weights: str) -> str:
    """Checksums of the preset's files, or of the weights file; and the version of KerasHub.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: a file is missing or cannot be fetched.
    """
    own = weights == "pretrained"
    parts = [f"hub-{REVISION}-{_version()}", identity(name, FAMILIES, weights=own)]
    return "-".join(parts if own else [*parts, named_weights_id(name, weights)])


def weights_state(name: str) -> str:
    """Whether the weights are in the user's folder, or were fetched."""
    return "at hand" if weights_at_hand(name, FAMILIES) else "to be fetched"


def weights_source(name: str) -> str:
    """How missing weights come to this machine."""
    place = place_of(name)
    if is_folder(place):
        return f"by putting model.weights.h5 into {place}"
    client = "huggingface_hub" if place.startswith("hf://") else "kagglehub"
    return f"by {client} (pip install 'vidclass[hub]'), when it is first used"


def _version() -> str:
    try:
        return version("keras-hub")
    except PackageNotFoundError:
        return "missing"


def _found(name: str, size: int) -> Facts:
    keras_hub_for(name)
    import keras

    with _channels_last():
        made, network = _untrained(name, size)
    found = Facts(int(made.output.shape[-1]), int(network.count_params()))
    del made, network
    keras.utils.clear_session(free_memory=True)
    return found


@contextmanager
def _channels_last() -> Iterator[None]:
    import keras

    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


def _stated(name: str) -> tuple[str, dict[str, Any]]:
    """The class of the preset's network, one of those above, and its arguments."""
    kind, arguments = settings(name, CONFIG, FAMILIES)
    if kind not in FAMILIES:
        raise WeightsError(
            f"{name} is a {kind}: of KerasHub, these make features of pictures here: "
            f"{', '.join(sorted(FAMILIES))}. CLIP and SigLIP are to be had by "
            "--backbone hf:ORG/NAME"
        )
    return kind, arguments


def _own_size(name: str) -> int:
    """The side of the pictures for which the preset was made, in pixels."""
    kind, arguments = _stated(name)
    _, pictures = settings(name, PICTURES, FAMILIES)
    path = preset_file(name, PICTURES, FAMILIES)
    wanted, made = side(pictures, path), _network_side(arguments)
    # Those that take no other pictures are asked first.
    sides = (wanted, made) if FAMILIES[kind].any_size else (made, wanted)
    return next((found for found in sides if found), 224)


def _network_side(arguments: dict[str, Any]) -> int | None:
    shape = arguments.get("image_shape") or arguments.get("input_shape") or []
    sides = [value for value in shape if isinstance(value, int) and value > 3]
    return sides[0] if sides else None


def _untrained(name: str, size: int) -> tuple[keras.Model, keras.Model]:
    """The model from pictures in [0, 255] to features, and KerasHub's own network in it."""
    network, family = _network(name, size)
    import keras

    _, pictures = settings(name, PICTURES, FAMILIES)
    scale, offset = scaling(pictures, preset_file(name, PICTURES, FAMILIES))
    first = keras.config.image_data_format() == "channels_first"
    inputs = keras.Input((3, size, size) if first else (size, size, 3), name="frames")
    scaled = keras.layers.Rescaling(scale, offset, name="preset_scale")(inputs)
    # Some networks take their pictures by a name.
    named = isinstance(network.input, dict)
    outputs = network(dict.fromkeys(network.input, scaled) if named else scaled)
    features = _pooled(outputs, family, first=first)
    return keras.Model(inputs, features, name=network.name), network


def _network(name: str, size: int) -> tuple[Any, _Family]:
    """KerasHub's own network, in Keras's current image data format."""
    hub = keras_hub_for(name)
    import keras

    kind, arguments = _stated(name)
    family = FAMILIES[kind]
    own = _network_side(arguments)
    if own and size != own and not family.any_size:
        raise ConfigError(f"size={size}: {name} takes pictures of {own}x{own} alone: --size {own}")
    layout = keras.config.image_data_format()
    if layout == "channels_first" and not family.channels_first:
        raise NotImplementedError(f"{kind} is not made for {layout} here")
    shape = "input_shape" if "input_shape" in arguments else "image_shape"
    arguments[shape] = (3, size, size) if layout == "channels_first" else (size, size, 3)
    if "data_format" in arguments:
        arguments["data_format"] = layout
    # A ViT can be made without its class token.
    token = family.token and bool(arguments.get("use_class_token", True))
    try:
        return getattr(hub.models, kind)(**arguments), _Family(token=token)
    except Exception as error:  # KerasHub refuses sizes and settings in words of its own
        raise ConfigError(
            f"the backbone {name} cannot be made for pictures of {size}x{size} from "
            f"{preset_file(name, CONFIG, FAMILIES)}: {type(error).__name__}: {error}"
        ) from error


def _pooled(outputs: Any, family: _Family, *, first: bool) -> Any:
    """Features (B,D) of places (B,H,W,D), of tokens (B,N,D), or of either channels first."""
    import keras

    if len(outputs.shape) == 4:
        return keras.ops.mean(outputs, axis=(2, 3) if first else (1, 2))
    return outputs[:, 0] if family.token else keras.ops.mean(outputs, axis=1)


def _open_branches(network: Any) -> None:
    """Let random branches count: a layer scale of 0 would shut them, and all pictures be alike."""
    import numpy as np

    for weight in network.weights:
        if weight.name.startswith("lambda"):
            weight.assign(np.full(tuple(weight.shape), 0.5, "float32"))
