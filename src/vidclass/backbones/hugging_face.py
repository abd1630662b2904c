"""Encoders of Hugging Face's transformers: `hf:ORG/NAME`, `hf:FOLDER`, and some by alias."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidclass._core.extras import require_extra
from vidclass.backbones import hub_files
from vidclass.backbones.facts import Description
from vidclass.backbones.hf_networks import pretrained, skeleton, window_of
from vidclass.backbones.hf_pictures import read_pictures
from vidclass.backbones.hub_files import (
    CONFIG,
    PICTURES,
    identity,
    is_folder,
    kept,
    located,
)
from vidclass.backbones.torch_facts import facts_of
from vidclass.errors import WeightsError

if TYPE_CHECKING:
    from vidclass.backbones.torch_frames import FrameEncoder

# Goes up when the same files begin to give other features.
REVISION = 1
PREFIX = "hf:"


@dataclass(frozen=True)
class _Alias:
    """A model by a short name, with facts that need no file of it.

    Attributes:
        repository: Its name on the hub.
        size: The side of its input, in pixels.
        width: D, the width of its features.
        parameters: How many frames go through.
        licence: Of its weights.
        window: How many frames it sees at once.
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


def describe(name: str) -> Description:
    """Size, width and parameters, and licence of `hf:...`; its settings are fetched if need be.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: the settings cannot be had, or are of no model for pictures.
    """
    folder = _located(name)
    size, window = read_pictures(folder, name).size, window_of(folder, name)
    facts = facts_of("hugging_face", folder, name=name, size=size, window=window)
    where = "see its folder" if is_folder(_place(name)) else "see its page on the hub"
    return Description(size, facts, where, window)


def build(name: str, *, size: int, weights: str, window: int = 1) -> FrameEncoder:
    """The model behind its preprocessing, in evaluation mode.

    Args:
        name: The backbone.
        size: The side of its pictures.
        weights: `pretrained` for its published ones, whatever they were trained on, or `random`.
        window: How many frames it sees at once.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: the weights are missing, or not this model's.
    """
    _require_named(name, weights)
    require_libraries(name)
    folder = _located(name, weights=weights == "pretrained")
    if window != window_of(folder, name):
        raise WeightsError(
            f"{folder} is of a model that sees {window_of(folder, name)} frames at once, where "
            f"{name} is known to see {window}"
        )
    from vidclass.backbones.torch_frames import FrameEncoder

    if weights == "random":
        import torch

        torch.manual_seed(0)
        network, features = skeleton(folder, size=size)
    else:
        network, features = pretrained(folder, name, size=size)
    pictures = read_pictures(folder, name)
    made = FrameEncoder(
        network, features, mean=pictures.mean, std=pictures.std, scale=pictures.scale
    )
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
    if weights == "pretrained":
        return f"hf-{REVISION}-{identity(place, _located(name, weights=True), weights=True)}"
    known = Path(place) if is_folder(place) else kept(place)
    settings = identity(place, known, weights=False) if known else place
    return f"hf-{REVISION}-random-{settings}"


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
    for library in ("torch", "transformers"):
        require_extra(library, "torch", needed_by=f"the backbone {name}")


def _require_named(name: str, weights: str) -> None:
    if weights not in ("pretrained", "random"):
        raise WeightsError(
            f"weights={weights!r} of {name} is neither 'pretrained', which for it means its "
            f"published weights, nor 'random'. To use your own, put {CONFIG}, "
            f"{PICTURES[0]} and model.safetensors into a folder: --backbone hf:FOLDER"
        )


def _located(name: str, *, weights: bool = False) -> Path:
    return located(_place(name), name=name, weights=weights, pictures=True)


def _place(name: str) -> str:
    return ALIASES[name].repository if name in ALIASES else name.removeprefix(PREFIX)
