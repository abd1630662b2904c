"""Networks of Hugging Face's transformers, and how features are taken out of them.

Of frames, the features are what the model itself calls pooled (`pooler_output`): for CLIP and
SigLIP that of the vision tower, before the projection to the space of texts (Radford et al. 2021,
Zhai et al. 2023); for DINOv2 the class token after the last norm (Oquab et al. 2023).  A model
without it, or whose pooler has no weights in the file, gives its class token.

Of windows of frames, a model that was fine-tuned for classes gives what its classifier sees; one
that was pretrained alone the mean over its tokens (VideoMAE, Tong et al. 2022; V-JEPA 2, Assran et
al. 2025) or its class token (TimeSformer, Bertasius et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from vidclass.backbones.hf_pictures import own_side
from vidclass.backbones.hub_files import CONFIG, read_json
from vidclass.errors import WeightsError

# Takes features (B,D) out of a network, given normalised pictures.
Features = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class _Videos:
    """A kind of models that see windows of frames.

    Attributes:
        window: The setting that says how many.
        argument: The name under which they take pictures (B,T,3,H,W).
        pooling: How its tokens become features where no classifier was trained.
        attention: Which of transformers' implementations is used.  A window has thousands of
            tokens, and `eager` makes matrices of all their pairs.
    """

    window: str
    argument: str
    pooling: Literal["mean", "first"]
    attention: Literal["eager", "sdpa"] = "sdpa"


_VIDEOS = {
    "timesformer": _Videos("num_frames", "pixel_values", "first", "eager"),
    "videomae": _Videos("num_frames", "pixel_values", "mean"),
    "vjepa2": _Videos("frames_per_clip", "pixel_values_videos", "mean"),
}


def window_of(folder: Path, name: str) -> int:
    """How many frames the model in `folder` sees at once.

    Raises:
        WeightsError: its settings do not say.
    """
    config = read_json(folder / CONFIG)
    kind = _VIDEOS.get(config.get("model_type", ""))
    if kind is None:
        return 1
    frames = config.get(kind.window)
    if type(frames) is not int or frames < 2:
        raise WeightsError(
            f"{name}: {kind.window}={frames!r} in {folder / CONFIG} is not a number of frames "
            "above 1"
        )
    return frames


def skeleton(folder: Path, *, size: int) -> tuple[Any, Features]:
    """The model with the weights it starts with, and what takes the features out of it."""
    network = _class(folder).from_config(
        _settings(folder), trust_remote_code=False, attn_implementation=_attention(folder)
    )
    return _taken(network, folder, size=size, trained_pooler=True)


def pretrained(folder: Path, name: str, *, size: int) -> tuple[Any, Features]:
    """The model with the weights in `folder`, and what takes the features out of it.

    Raises:
        WeightsError: they are not this model's.
    """
    import torch

    try:
        network, said = _class(folder).from_pretrained(
            folder,
            config=_settings(folder),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation=_attention(folder),
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # damaged and foreign files are refused in many kinds of words
        raise WeightsError(
            f"{folder} does not hold weights of {name}: {type(error).__name__}: {error}"
        ) from error
    # V-JEPA's predictor is for training alone, and left out below.
    needed = [key for key in sorted(said["missing_keys"]) if "predictor" not in key.split(".")]
    pooler = [key for key in needed if key.startswith("pooler.")]
    if needed != pooler or said["mismatched_keys"]:
        wrong = [*needed, *map(str, said["mismatched_keys"])]
        raise WeightsError(
            f"{folder} does not hold weights of {name}: {len(wrong)} are missing or of another "
            f"shape, such as {wrong[0]}"
        )
    # A pooler that is not in the file would be random.
    return _taken(network, folder, size=size, trained_pooler=not pooler)


def _class(folder: Path) -> Any:
    """What makes a model: with its classifier only where that tells how tokens are pooled."""
    from transformers import AutoModel, AutoModelForVideoClassification

    return AutoModelForVideoClassification if _has_classifier(folder) else AutoModel


def _attention(folder: Path) -> str:
    kind = _VIDEOS.get(read_json(folder / CONFIG).get("model_type", ""))
    return kind.attention if kind else "eager"


def _has_classifier(folder: Path) -> bool:
    config = read_json(folder / CONFIG)
    made = config.get("architectures") or [""]
    return config.get("model_type") in _VIDEOS and "VideoClassification" in str(made[0])


def _settings(folder: Path) -> Any:
    """The settings of the model, or of its vision tower where it has one."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return getattr(config, "vision_config", config)


def _taken(network: Any, folder: Path, *, size: int, trained_pooler: bool) -> tuple[Any, Features]:
    """The part of a model that features need, and what takes them out of it."""
    import torch

    config = read_json(folder / CONFIG)
    videos = _VIDEOS.get(config.get("model_type", ""))
    if videos is None:
        more = _for_size(network, own_side(config), size)
        return network, partial(_pooled, more=more, trained_pooler=trained_pooler)
    if _has_classifier(folder):
        network.classifier = torch.nn.Identity()
        if config["model_type"] == "vjepa2":
            network.vjepa2.predictor = torch.nn.Identity()
        return network, partial(_before_classifier, argument=videos.argument)
    if config["model_type"] == "vjepa2":
        network = network.encoder
    return network, partial(_tokens, argument=videos.argument, pooling=videos.pooling)


def _for_size(network: Any, own: int | None, size: int) -> dict[str, bool]:
    can = "interpolate_pos_encoding" in signature(network.forward).parameters
    return {"interpolate_pos_encoding": True} if size != own and can else {}


def _pooled(network: Any, pictures: Any, *, more: dict[str, bool], trained_pooler: bool) -> Any:
    made = network(pixel_values=pictures, **more)
    pooled = getattr(made, "pooler_output", None) if trained_pooler else None
    if pooled is None:
        last = made.last_hidden_state
        # Tokens, the first of which is the class token, or the maps of a convolutional network.
        pooled = last[:, 0] if last.ndim == 3 else last.mean((2, 3))
    return pooled.flatten(1)


def _before_classifier(network: Any, pictures: Any, *, argument: str) -> Any:
    return network(**{argument: pictures}).logits


def _tokens(network: Any, pictures: Any, *, argument: str, pooling: str) -> Any:
    tokens = network(**{argument: pictures}).last_hidden_state
    return tokens.mean(1) if pooling == "mean" else tokens[:, 0]
