"""Image encoders of timm: `timm:NAME.TAG`, `timm:ORG/NAME` and `timm:FOLDER`.

The features are those that the model gives in place of classes (`num_classes=0`): pooled, as its
classifier would see them.  Each folder, and each of timm's repositories on the hub, holds the
architecture and the pictures it wants in `config.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass._core.extras import require_extra
from vidclass.backbones import hub_files
from vidclass.backbones.facts import Description
from vidclass.backbones.hub_files import (
    CONFIG,
    identity,
    is_folder,
    located,
    read_json,
)
from vidclass.backbones.torch_facts import facts_of
from vidclass.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from vidclass.backbones.torch_frames import FrameEncoder

# Goes up when the same files begin to give other features.
REVISION = 1
PREFIX = "timm:"


def describe(name: str) -> Description:
    """Size, width and parameters, and licence of `timm:...`; settings are fetched if need be.

    Raises:
        ConfigError: the name is no whole one, or a library is not installed.
        WeightsError: the settings cannot be had, or are of no model for pictures.
    """
    folder = located(_place(name), name=name)
    size = _size(folder, name)
    facts = facts_of("timm_models", folder, name=name, size=size)
    where = "see its folder" if is_folder(_place(name)) else "see its page on the hub"
    return Description(size, facts, str(_settings(folder).get("license") or where))


def build(name: str, *, size: int, weights: str) -> FrameEncoder:
    """The model behind its normalisation, in evaluation mode.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: the weights are missing, or not this model's.
    """
    _require_named(name, weights)
    require_libraries(name)
    pretrained = weights == "pretrained"
    folder = located(_place(name), name=name, weights=pretrained)
    import torch

    from vidclass.backbones.torch_frames import FrameEncoder

    torch.manual_seed(0)
    if pretrained:
        network = _pretrained(folder, name, size=size)
    else:
        network = _created(folder, size=size, pretrained=False)
    mean, std = (_channels(folder, key, name) for key in ("mean", "std"))
    made = FrameEncoder(network, _said, mean=mean, std=std, scale=1 / 255)
    made.eval()
    return made


def weights_id(name: str, weights: str) -> str:
    """What tells one set of weights from another: the hub's commit, or a folder's checksums.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: the weights are not here and cannot be fetched.
    """
    _require_named(name, weights)
    place = _place(name)
    folder = located(place, name=name, weights=weights == "pretrained")
    found = identity(place, folder, weights=weights == "pretrained")
    return f"timm-{REVISION}-{'' if weights == 'pretrained' else 'random-'}{found}"


def weights_state(name: str) -> str:
    """Whether the weights are in the user's folder, or were fetched."""
    return hub_files.weights_state(_place(name))


def weights_source(name: str) -> str:
    """How missing weights come to this machine."""
    return hub_files.weights_source(_place(name))


def require_libraries(name: str) -> None:
    """Import what the models need.

    Raises:
        ConfigError: one of them is not installed.
    """
    for library in ("torch", "torchvision", "timm"):
        require_extra(library, "torch", needed_by=f"the backbone {name}")


def skeleton(folder: Path, *, size: int) -> tuple[Any, Any]:
    """The model with the weights it starts with, and what takes the features out of it."""
    return _created(folder, size=size, pretrained=False), _said


def _pretrained(folder: Path, name: str, *, size: int) -> Any:
    # timm would otherwise take another file of the folder, and those are pickles.
    if not (folder / "model.safetensors").is_file():
        raise WeightsError(
            f"the weights of {name} in {folder} are in several files: timm reads model.safetensors"
        )
    try:
        return _created(folder, size=size, pretrained=True)
    except Exception as error:  # damaged and foreign files are refused in many kinds of words
        raise WeightsError(
            f"{folder} does not hold weights of {name}: {type(error).__name__}: {error}"
        ) from error


def _created(folder: Path, *, size: int, pretrained: bool) -> Any:
    import timm

    source, options = f"local-dir:{folder}", {"pretrained": pretrained, "num_classes": 0}
    if [size, size] == _input_size(folder)[1:]:
        return timm.create_model(source, **options)
    try:
        # Transformers need to know the size, and resample their embeddings of places.
        return timm.create_model(source, img_size=size, **options)
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        return timm.create_model(source, **options)


def _said(network: Any, pictures: Any) -> Any:
    return network(pictures).flatten(1)


def _settings(folder: Path) -> dict[str, Any]:
    """What is known of the pretrained weights; older files have it at the top."""
    config = read_json(folder / CONFIG)
    settings = config.get("pretrained_cfg", config)
    return settings if isinstance(settings, dict) else {}


def _input_size(folder: Path) -> list[Any]:
    value = _settings(folder).get("input_size")
    return value if isinstance(value, list) and len(value) == 3 else [None] * 3


def _size(folder: Path, name: str) -> int:
    _, height, width = _input_size(folder)
    if type(height) is not int or height != width:
        raise WeightsError(
            f"{name}: input_size={_settings(folder).get('input_size')!r} in {folder / CONFIG} is "
            "not that of square pictures, as in [3, 224, 224]"
        )
    return height


def _channels(folder: Path, key: str, name: str) -> list[float]:
    value = _settings(folder).get(key)
    if not isinstance(value, list) or len(value) != 3:
        raise WeightsError(f"{name}: {key}={value!r} in {folder / CONFIG} is not three numbers")
    return [float(number) for number in value]


def _require_named(name: str, weights: str) -> None:
    if weights not in ("pretrained", "random"):
        raise WeightsError(
            f"weights={weights!r} of {name} is neither 'pretrained', which for it means its "
            f"published weights, nor 'random'. To use your own, put {CONFIG} and model.safetensors "
            "into a folder: --backbone timm:FOLDER"
        )


def _place(name: str) -> str:
    place = name.removeprefix(PREFIX)
    if is_folder(place) or "/" in place:
        return place
    if "." not in place:
        raise ConfigError(
            f"backbone={name!r} names no weights: timm has them after a dot, as in "
            "timm:resnet18.a1_in1k"
        )
    return f"timm/{place}"
