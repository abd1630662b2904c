"""Files of a KerasHub preset: in a folder, or fetched from Kaggle or Hugging Face.

They are read as numbers and plain settings: no object that a file names is ever created.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vidclass._core.extras import require_extra
from vidclass.backbones.hub_files import (
    CONFIG,
    REPOSITORY,
    cached_folder,
    cached_revision,
    first_line,
    is_folder,
    joint_sha256,
    read_json,
)
from vidclass.errors import ConfigError, WeightsError

PREFIX = "hub:"
IMAGE_CONVERTER = "image_converter.json"
WEIGHTS, SHARDS = "model.weights.h5", "model.weights.json"
_HF, _KAGGLE = "hf://", "kaggle://"
# ORG/MODEL/keras/VARIATION/VERSION: without the version, Kaggle would have to be asked for it.
_HANDLE = re.compile(r"(?:\w[\w.-]*/){4}\d+")
_FILE = re.compile(r"\w[\w.-]*")
# The library had another name when the oldest presets were saved.
_PACKAGES = ("keras_hub", "keras_nlp")


@dataclass(frozen=True)
class Architecture:
    """Properties of one of KerasHub's classes of networks.

    Attributes:
        token: The features are the class token, which stands first; else the mean.
        any_size: The same weights take images of any size.
        channels_first: The network can be built for channels first.
    """

    token: bool = False
    any_size: bool = True
    channels_first: bool = False


_CONVOLUTIONAL = Architecture(channels_first=True)

# The classes of KerasHub whose presets are used.
ARCHITECTURES: dict[str, Architecture] = {
    "CSPNetBackbone": _CONVOLUTIONAL,
    "DeiTBackbone": Architecture(token=True, any_size=False),
    "DenseNetBackbone": _CONVOLUTIONAL,
    # KerasHub has no classifier on DINO: its authors take the class token.
    "DINOV2Backbone": Architecture(token=True),
    "DINOV3Backbone": Architecture(token=True),
    "EfficientNetBackbone": Architecture(),
    "MiTBackbone": Architecture(),
    "MobileNetBackbone": _CONVOLUTIONAL,
    "ResNetBackbone": _CONVOLUTIONAL,
    "SwinTransformerBackbone": Architecture(),
    "VGGBackbone": _CONVOLUTIONAL,
    "ViTBackbone": Architecture(token=True, any_size=False),
    "XceptionBackbone": _CONVOLUTIONAL,
}


def require_keras_hub(name: str) -> Any:
    """Return the module keras_hub, imported for the backbone `name`.

    Raises:
        ConfigError: it is not installed, or a library that it needs is not.
    """
    try:
        return require_extra("keras_hub", "hub", needed_by=f"the backbone {name}")
    except ImportError as error:
        raise ConfigError(
            f"the backbone {name} needs keras_hub, which is installed but cannot be imported: "
            f"{error}"
        ) from error


def location_of(name: str) -> str:
    """Return the folder, the name of a preset, or the handle behind the prefix."""
    return name.removeprefix(PREFIX)


def preset_file(name: str, file: str) -> Path:
    """Return the path of a file of a preset, fetched if it is not on this machine.

    Args:
        name: The backbone: `hub:` and a folder, the name of a preset, `hf://ORG/NAME`, or
            `kaggle://ORG/MODEL/keras/VARIATION/VERSION`.
        file: Name of the file in the preset.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: the file is missing or cannot be fetched.
    """
    location = location_of(name)
    if is_folder(location):
        if not (Path(location) / file).is_file():
            raise WeightsError(f"{name}: there is no {file} in {location}")
        return Path(location) / file
    handle = _handle(name)
    return _cached_file(handle, file) or _fetch(name, handle, file)


def weight_files(name: str) -> list[Path]:
    """Return the files of a preset's weights; for sharded weights their index comes first.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: one is missing or cannot be fetched.
    """
    try:
        return [preset_file(name, WEIGHTS)]
    except WeightsError as error:
        try:
            index = preset_file(name, SHARDS)
        except WeightsError:
            raise error from error.__cause__
    return [index, *(preset_file(name, shard) for shard in _shards(index))]


def weights_at_hand(name: str) -> bool:
    """Return whether all weights of the preset are on this machine; fetch nothing."""
    location = location_of(name)
    handle = location if is_folder(location) else _handle(name)
    if _cached_file(handle, WEIGHTS):
        return True
    index = _cached_file(handle, SHARDS)
    return index is not None and all(_cached_file(handle, shard) for shard in _shards(index))


def preset_id(name: str, *, weights: bool) -> str:
    """Return a checksum of the preset's settings and, with `weights`, of its weights."""
    paths = [preset_file(name, file) for file in (CONFIG, IMAGE_CONVERTER)]
    return joint_sha256(paths + (weight_files(name) if weights else []))


def read_settings(name: str, file: str) -> tuple[str, dict[str, Any]]:
    """Return the class that one of a preset's JSON files describes, and its arguments.

    Keras would create objects of any class, and call any function, that such a file names.  So the
    class must be one of KerasHub's, and its arguments numbers and strings alone.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: the file cannot be fetched, or describes something else.
    """
    path = preset_file(name, file)
    value = read_json(path)
    kind, config = value.get("class_name"), value.get("config")
    if not isinstance(kind, str) or not isinstance(config, dict):
        raise WeightsError(
            f"{path} is not of KerasHub's own format: it names no class_name. For a model of "
            "transformers or timm give backbone='hf:ORG/NAME' or backbone='timm:ORG/NAME'"
        )
    module = value.get("module")
    if module is not None and str(module).partition(".")[0] not in _PACKAGES:
        raise WeightsError(f"{path} names the module {module!r}: only those of keras_hub are used")
    _require_float(path, config.get("dtype"))
    # Layers are built in the precision that is asked for, and which are trained is not its matter.
    arguments = {key: value for key, value in config.items() if key not in ("dtype", "trainable")}
    for key, argument in arguments.items():
        if not _is_plain(argument):
            raise WeightsError(
                f"{path}: {key}={argument!r:.200} describes another object: only numbers, strings "
                "and lists of them are used"
            )
    return kind, arguments


def _handle(name: str) -> str:
    """Return the address of the files of a preset that is no folder."""
    location = location_of(name)
    if location.startswith(_HF) and REPOSITORY.fullmatch(location.removeprefix(_HF)):
        return location
    if location.startswith(_KAGGLE) and _HANDLE.fullmatch(location.removeprefix(_KAGGLE)):
        return location
    hub = require_keras_hub(name)
    presets = {
        preset: facts
        for kind in ARCHITECTURES
        for preset, facts in getattr(hub.models, kind).presets.items()
    }
    if location in presets:
        return str(presets[location]["kaggle_handle"])
    near = get_close_matches(location, presets, n=1)
    hint = f" Did you mean {PREFIX}{near[0]}?" if near else ""
    raise ConfigError(
        f"backbone={name!r}: {location!r} is neither a folder, nor {_HF}ORG/NAME, nor "
        f"{_KAGGLE}ORG/MODEL/keras/VARIATION/VERSION, nor one of KerasHub {hub.__version__}'s "
        f"presets for images.{hint}"
    )


def _cached_file(handle: str, file: str) -> Path | None:
    """Return a file that is in a folder, or was fetched before; needs no library."""
    if handle.startswith(_HF):
        folder = cached_folder(handle.removeprefix(_HF))
    elif handle.startswith(_KAGGLE):
        cache = Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub")
        folder = cache / "models" / handle.removeprefix(_KAGGLE)
        # kagglehub writes this file once the other is complete.
        if not (folder.parent / ".complete" / folder.name / f"{file}.complete").exists():
            return None
    else:
        folder = Path(handle)
    return folder / file if folder is not None and (folder / file).is_file() else None


def _fetch(name: str, handle: str, file: str) -> Path:
    on_hugging_face = handle.startswith(_HF)
    library = "huggingface_hub" if on_hugging_face else "kagglehub"
    client = require_extra(library, "hub", needed_by=f"the backbone {name}")
    try:
        if not on_hugging_face:
            return Path(client.model_download(handle.removeprefix(_KAGGLE), file))
        repository = handle.removeprefix(_HF)
        return Path(client.hf_hub_download(repository, file, **cached_revision(repository)))
    except Exception as error:  # of many kinds, those of the network among them
        preset = repr(location_of(name))
        raise WeightsError(
            f"{file} of {name} is not on this machine and cannot be fetched: "
            f"{type(error).__name__}: {first_line(error)} Where there is a network, save the "
            f"preset to a folder with keras_hub.models.Backbone.from_preset({preset})"
            f".save_to_preset(FOLDER) and keras_hub.layers.ImageConverter.from_preset({preset})"
            f".save_to_preset(FOLDER), and give backbone='{PREFIX}FOLDER'"
        ) from error


def _shards(index: Path) -> list[str]:
    """Return the names of the files of sharded weights, as their index lists them."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise WeightsError(f"{index} names no files of weights: weight_map={weight_map!r}")
    values = [value if isinstance(value, list) else [value] for value in weight_map.values()]
    names = {str(shard) for value in values for shard in value}
    for shard in names:
        if not _FILE.fullmatch(shard):
            raise WeightsError(f"{index} names {shard!r}, which is no file beside it")
    return sorted(names)


def _require_float(path: Path, dtype: Any) -> None:
    if dtype is None:
        return
    policy = dtype.get("config") if isinstance(dtype, dict) else {"name": dtype}
    kind = str(policy.get("name")) if isinstance(policy, dict) else ""
    if not kind.removeprefix("mixed_").startswith(("float", "bfloat")):
        raise WeightsError(
            f"{path}: dtype={dtype!r:.200} is of quantised weights: only floating point is read"
        )


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str)
