"""The family of Hugging Face's transformers: `hf:ORG/NAME`, `hf:FOLDER`, and some by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidclass.backbones.family import Backbone
from vidclass.backbones.hub_files import (
    CONFIG,
    IMAGE_SETTINGS,
    cached_folder,
    files_id,
    is_folder,
    model_folder,
)
from vidclass.backbones.hugging_face.network import (
    initial_network,
    pretrained_network,
    read_input,
    read_window,
)
from vidclass.backbones.torch_family import Features, TorchFamily
from vidclass.errors import WeightsError

if TYPE_CHECKING:
    import torch

    from vidclass.backbones.torch_frames import FrameEncoder

# Goes up when the same files begin to give other features.
REVISION = 1


@dataclass(frozen=True)
class _Alias:
    """A listed model, with facts that need no file of it.

    Attributes:
        repository: Its name on the hub.
        size: Side of its input, in pixels.
        width: D, the width of its features.
        parameters: Number of parameters that frames go through.
        licence: Licence of its weights.
        window: Number of frames per feature vector.
    """

    repository: str
    size: int
    width: int
    parameters: int
    licence: str
    window: int = 1


_CLIP, _SIGLIP = "openai/clip-vit-base-patch32", "google/siglip-base-patch16-224"
_DINO3, _DINO3_LICENCE = "facebook/dinov3-vits16-pretrain-lvd1689m", "DINOv3 License (gated)"
_MAE, _JEPA = "MCG-NJU/videomae-base-finetuned-kinetics", "facebook/vjepa2-vitl-fpc64-256"

ALIASES: dict[str, _Alias] = {
    "dinov2_small": _Alias("facebook/dinov2-small", 224, 384, 22_056_576, "Apache-2.0"),
    "dinov2_base": _Alias("facebook/dinov2-base", 224, 768, 86_580_480, "Apache-2.0"),
    "dinov3_small": _Alias(_DINO3, 224, 384, 21_596_544, _DINO3_LICENCE),
    "clip_vit_b32": _Alias(_CLIP, 224, 768, 87_456_000, "MIT"),
    "siglip_base": _Alias(_SIGLIP, 224, 768, 92_884_224, "Apache-2.0"),
    "videomae_base": _Alias(_MAE, 224, 768, 86_227_200, "CC-BY-NC-4.0 (non-commercial)", 16),
    "vjepa2_large": _Alias(_JEPA, 256, 1024, 303_885_312, "MIT or Apache-2.0, see its page", 64),
}


class HuggingFace(TorchFamily):
    """Encoders of Hugging Face's transformers, for frames and for windows of them."""

    names = tuple(ALIASES)
    prefix = "hf"
    libraries = ("torch", "transformers")
    folder_files = f"{CONFIG}, {IMAGE_SETTINGS[0]} and model.safetensors"

    def location(self, name: str) -> str:
        """Return the folder or the repository on the hub."""
        return ALIASES[name].repository if name in ALIASES else name.removeprefix("hf:")

    def describe(self, name: str) -> Backbone:
        """Return the facts of a model; its settings are fetched if need be."""
        if name in ALIASES:
            alias = ALIASES[name]
            return Backbone(
                name, self, alias.size, alias.width, alias.parameters, alias.window, alias.licence
            )
        folder = self._folder(name)
        size, window = read_input(folder, name).size, read_window(folder, name)
        facts = self.measured_facts(folder, name=name, size=size, window=window)
        licence = self.licence_page(name)
        return Backbone(name, self, size, facts.width, facts.parameters, window, licence)

    def build(self, name: str, *, size: int, weights: str, window: int = 1) -> FrameEncoder:
        """Build the model behind its preprocessing, in evaluation mode."""
        self.require_pretrained_or_random(name, weights)
        folder = self._folder(name, weights=weights == "pretrained")
        if window != read_window(folder, name):
            raise WeightsError(
                f"{folder} is of a model that sees {read_window(folder, name)} frames at once, "
                f"expected window={window} for {name}"
            )
        from vidclass.backbones.torch_frames import FrameEncoder

        if weights == "random":
            import torch

            torch.manual_seed(0)
            network, features = initial_network(folder, size=size)
        else:
            network, features = pretrained_network(folder, name, size=size)
        wanted = read_input(folder, name)
        encoder = FrameEncoder(
            network, features, mean=wanted.mean, std=wanted.std, scale=wanted.scale
        )
        encoder.eval()
        return encoder

    def skeleton(self, folder: Path, *, size: int) -> tuple[torch.nn.Module, Features]:
        """Return the model with its initial weights, and what extracts its features."""
        return initial_network(folder, size=size)

    def weights_id(self, name: str, weights: str) -> str:
        """Return the hub's commit, or a checksum of a folder's files."""
        self.require_pretrained_or_random(name, weights)
        location = self.location(name)
        if weights == "pretrained":
            folder = self._folder(name, weights=True)
            return f"hf-{REVISION}-{files_id(location, folder, weights=True)}"
        here = Path(location) if is_folder(location) else cached_folder(location)
        settings = files_id(location, here, weights=False) if here else location
        return f"hf-{REVISION}-random-{settings}"

    def _folder(self, name: str, *, weights: bool = False) -> Path:
        location = self.location(name)
        return model_folder(location, name=name, weights=weights, image_settings=True)
