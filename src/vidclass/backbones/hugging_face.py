"""Image encoders of Hugging Face's transformers: `hf:ORG/NAME`, `hf:FOLDER`, and some by alias.

The features are what the model itself calls pooled (`pooler_output`): for CLIP and SigLIP that of
the vision tower, before the projection to the space of texts (Radford et al. 2021, Zhai et al.
2023); for DINOv2 the class token after the last norm (Oquab et al. 2023).  A model without it, or
whose pooler has no weights in the file, gives its class token.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass.backbones.facts import Description
from vidclass.backbones.hf_pictures import own_side, read_pictures
from vidclass.backbones.hub_files import (
    CONFIG,
    PICTURES,
    identity,
    is_folder,
    kept,
    located,
    read_json,
    weight_files,
)
from vidclass.backbones.torch_facts import facts_of
from vidclass.errors import WeightsError
from vidclass.extras import require_extra

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
    """

    repository: str
    size: int
    width: int
    parameters: int
    licence: str


ALIASES: dict[str, _Alias] = {
    "dinov2_small": _Alias("facebook/dinov2-small", 224, 384, 22_056_576, "Apache-2.0"),
    "dinov2_base": _Alias("facebook/dinov2-base", 224, 768, 86_580_480, "Apache-2.0"),
    "clip_vit_b32": _Alias("openai/clip-vit-base-patch32", 224, 768, 87_456_000, "MIT"),
    "siglip_base": _Alias("google/siglip-base-patch16-224", 224, 768, 92_884_224, "Apache-2.0"),
}


def describe(name: str) -> Description:
    """Size, width and parameters, and licence of `hf:...`; its settings are fetched if need be.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: the settings cannot be had, or are of no model for pictures.
    """
    folder = _located(name)
    size = read_pictures(folder, name).size
    facts = facts_of("hugging_face", folder, name=name, size=size)
    where = "see its folder" if is_folder(_place(name)) else "see its page on the hub"
    return Description(size, facts, where)


def build(name: str, *, size: int, weights: str) -> FrameEncoder:
    """The model behind its preprocessing, in evaluation mode.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: the weights are missing, or not this model's.
    """
    _require_named(name, weights)
    require_libraries(name)
    folder = _located(name, weights=weights == "imagenet")
    from vidclass.backbones.torch_frames import FrameEncoder

    if weights == "random":
        import torch

        torch.manual_seed(0)
        network, features = skeleton(folder, size=size)
    else:
        network, features = _pretrained(folder, name, size=size)
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
    if weights == "imagenet":
        return f"hf-{REVISION}-{identity(place, _located(name, weights=True), weights=True)}"
    known = Path(place) if is_folder(place) else kept(place)
    settings = identity(place, known, weights=False) if known else place
    return f"hf-{REVISION}-random-{settings}"


def weights_state(name: str) -> str:
    """Whether the weights are in the user's folder, or were fetched."""
    place = _place(name)
    folder = Path(place) if is_folder(place) else kept(place)
    return "at hand" if folder and weight_files(folder) else "to be fetched"


def weights_source(name: str) -> str:
    """How missing weights come to this machine."""
    if is_folder(_place(name)):
        return f"by putting model.safetensors into {_place(name)}"
    return "by huggingface_hub (pip install 'vidclass[torch]'), when it is first used"


def require_libraries(name: str) -> None:
    """Import what the models need.

    Raises:
        ConfigError: one of them is not installed.
    """
    for library in ("torch", "transformers"):
        require_extra(library, "torch", needed_by=f"the backbone {name}")


def skeleton(folder: Path, *, size: int) -> tuple[Any, Any]:
    """The model with the weights it starts with, and what takes the features out of it."""
    from transformers import AutoModel

    # The traced form of other attention kernels depends on the processor and the library.
    network = AutoModel.from_config(
        _vision(folder), trust_remote_code=False, attn_implementation="eager"
    )
    return network, _features(network, folder, size=size, trained_pooler=True)


def _pretrained(folder: Path, name: str, *, size: int) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel

    try:
        network, said = AutoModel.from_pretrained(
            folder,
            config=_vision(folder),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation="eager",
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # damaged and foreign files are refused in many kinds of words
        raise WeightsError(
            f"{folder} does not hold weights of {name}: {type(error).__name__}: {error}"
        ) from error
    missing = sorted(said["missing_keys"])
    pooler = [key for key in missing if key.startswith("pooler.")]
    if missing != pooler or said["mismatched_keys"]:
        wrong = [*missing, *map(str, said["mismatched_keys"])]
        raise WeightsError(
            f"{folder} does not hold weights of {name}: {len(wrong)} are missing or of another "
            f"shape, such as {wrong[0]}"
        )
    # A pooler that is not in the file would be random.
    return network, _features(network, folder, size=size, trained_pooler=not pooler)


def _vision(folder: Path) -> Any:
    """The settings of the model, or of its vision tower where it has one."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return getattr(config, "vision_config", config)


def _features(network: Any, folder: Path, *, size: int, trained_pooler: bool) -> Any:
    other = size != own_side(read_json(folder / CONFIG))
    can = "interpolate_pos_encoding" in signature(network.forward).parameters
    more = {"interpolate_pos_encoding": True} if other and can else {}
    return partial(_pooled, more=more, trained_pooler=trained_pooler)


def _pooled(network: Any, pictures: Any, *, more: dict[str, bool], trained_pooler: bool) -> Any:
    made = network(pixel_values=pictures, **more)
    pooled = getattr(made, "pooler_output", None) if trained_pooler else None
    if pooled is None:
        last = made.last_hidden_state
        # Tokens, the first of which is the class token, or the maps of a convolutional network.
        pooled = last[:, 0] if last.ndim == 3 else last.mean((2, 3))
    return pooled.flatten(1)


def _require_named(name: str, weights: str) -> None:
    if weights not in ("imagenet", "random"):
        raise WeightsError(
            f"weights={weights!r} of {name} is neither 'imagenet', which for it means its "
            f"published weights, nor 'random'. To use your own, put {CONFIG}, "
            f"{PICTURES} and model.safetensors into a folder: --backbone hf:FOLDER"
        )


def _located(name: str, *, weights: bool = False) -> Path:
    return located(_place(name), name=name, weights=weights, settings=(CONFIG, PICTURES))


def _place(name: str) -> str:
    return ALIASES[name].repository if name in ALIASES else name.removeprefix(PREFIX)
