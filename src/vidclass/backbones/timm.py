"""The family of timm's image encoders: `timm:NAME.TAG`, `timm:ORG/NAME` and `timm:FOLDER`.

The features are the pooled ones that the model's classifier would see (`num_classes=0`).  Each
folder, and each of timm's repositories on the hub, holds the architecture and the description of
its input in `config.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass.backbones.family import Backbone
from vidclass.backbones.hub_files import (
    CONFIG,
    files_id,
    is_folder,
    model_folder,
    read_json,
    three_numbers,
)
from vidclass.backbones.torch_family import Features, TorchFamily
from vidclass.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    import torch

    from vidclass.backbones.torch_frames import FrameEncoder

# Goes up when the same files begin to give other features.
REVISION = 1


class Timm(TorchFamily):
    """Image encoders of timm."""

    prefix = "timm"
    libraries = ("torch", "torchvision", "timm")
    folder_files = f"{CONFIG} and model.safetensors"

    def location(self, name: str) -> str:
        """Return the folder or the repository on the hub, `timm/NAME.TAG` for a bare name."""
        location = name.removeprefix("timm:")
        if is_folder(location) or "/" in location:
            return location
        if "." not in location:
            raise ConfigError(
                f"backbone={name!r} names no weights: timm has them after a dot, as in "
                "timm:resnet18.a1_in1k"
            )
        return f"timm/{location}"

    def describe(self, name: str) -> Backbone:
        """Return the facts of a model; its settings are fetched if need be."""
        folder = model_folder(self.location(name), name=name)
        size = _size(folder, name)
        facts = self.measured_facts(folder, name=name, size=size)
        licence = str(_settings(folder).get("license") or self.licence_page(name))
        return Backbone(name, self, size, facts.width, facts.parameters, licence=licence)

    def build(self, name: str, *, size: int, weights: str, window: int = 1) -> FrameEncoder:
        """Build the model behind its normalisation, in evaluation mode."""
        self.require_pretrained_or_random(name, weights)
        pretrained = weights == "pretrained"
        folder = model_folder(self.location(name), name=name, weights=pretrained)
        import torch

        from vidclass.backbones.torch_frames import FrameEncoder

        torch.manual_seed(0)
        if pretrained:
            network = _load(folder, name, size=size)
        else:
            network = _create(folder, size=size, pretrained=False)
        settings, file = _settings(folder), folder / CONFIG
        mean, std = (three_numbers(settings, key, name, file) for key in ("mean", "std"))
        encoder = FrameEncoder(network, _features, mean=mean, std=std, scale=1 / 255)
        encoder.eval()
        return encoder

    def skeleton(self, folder: Path, *, size: int) -> tuple[torch.nn.Module, Features]:
        """Return the model with its initial weights, and what extracts its features."""
        return _create(folder, size=size, pretrained=False), _features

    def weights_id(self, name: str, weights: str) -> str:
        """Return the hub's commit, or a checksum of a folder's files."""
        self.require_pretrained_or_random(name, weights)
        location, pretrained = self.location(name), weights == "pretrained"
        folder = model_folder(location, name=name, weights=pretrained)
        files = files_id(location, folder, weights=pretrained)
        return f"timm-{REVISION}-{'' if pretrained else 'random-'}{files}"


def _load(folder: Path, name: str, *, size: int) -> Any:
    # timm would otherwise take another file of the folder, and those are pickles.
    if not (folder / "model.safetensors").is_file():
        raise WeightsError(
            f"the weights of {name} in {folder} are in several files: timm reads model.safetensors"
        )
    try:
        return _create(folder, size=size, pretrained=True)
    except Exception as error:  # damaged and foreign files are refused in many kinds of words
        raise WeightsError(
            f"{folder} does not hold weights of {name}: {type(error).__name__}: {error}"
        ) from error


def _create(folder: Path, *, size: int, pretrained: bool) -> Any:
    import timm

    source, options = f"local-dir:{folder}", {"pretrained": pretrained, "num_classes": 0}
    if [size, size] == _input_size(folder)[1:]:
        return timm.create_model(source, **options)
    try:
        # Transformers need to know the size, and resample their position embeddings.
        return timm.create_model(source, img_size=size, **options)
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        return timm.create_model(source, **options)


def _features(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = network(images).flatten(1)
    return features


def _settings(folder: Path) -> dict[str, Any]:
    """Return the settings of the pretrained weights; older files have them at the top level."""
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
            "not that of square images, as in [3, 224, 224]"
        )
    return height
