"""Networks of Hugging Face's transformers: the input they take, and the features they give.

The features of a frame are the model's own pooled output (`pooler_output`): for CLIP and SigLIP
that of the vision tower, before the projection to the joint space with texts (Radford et al. 2021,
Zhai et al. 2023); for DINOv2 the class token after the last norm (Oquab et al. 2023).  For a model
without it, or whose pooler has no weights in the file, they are its class token.

The features of a window of frames are the input of the classifier, if the model was fine-tuned for
classes; else the mean over its tokens (VideoMAE, Tong et al. 2022; V-JEPA 2, Assran et al. 2025) or
its class token (TimeSformer, Bertasius et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from vidclass.backbones.hub_files import (
    CONFIG,
    IMAGE_SETTINGS,
    image_settings_file,
    read_json,
    three_numbers,
)
from vidclass.backbones.torch_family import Features
from vidclass.errors import WeightsError


@dataclass(frozen=True)
class ImageInput:
    """Preprocessing of the images that a model takes.

    Attributes:
        size: Side of the square images, in pixels.
        mean: Mean of each channel, of pixels multiplied by `scale`.
        std: Standard deviation of each channel, likewise.
        scale: Factor of pixels in [0, 255], as a rule 1/255.
    """

    size: int
    mean: list[float]
    std: list[float]
    scale: float


def read_input(folder: Path, name: str) -> ImageInput:
    """Read the preprocessing of the model in `folder`.

    Raises:
        WeightsError: the file is missing, or lacks what is needed.
    """
    file = image_settings_file(folder)
    if file is None:
        raise WeightsError(
            f"{name}: there is no {IMAGE_SETTINGS[0]} in {folder}, which states how images are "
            "normalised"
        )
    settings = _image_settings(read_json(file))
    side = settings.get("crop_size") if settings.get("do_center_crop", True) else None
    size = _side(side or settings.get("size")) or config_side(read_json(folder / CONFIG))
    if size is None:
        raise WeightsError(
            f"{name}: neither {file.name} nor {CONFIG} in {folder} states the size of square "
            f"images: size={settings.get('size')!r}, crop_size={settings.get('crop_size')!r}"
        )
    scale = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    if not settings.get("do_normalize", True):
        return ImageInput(size, [0.0] * 3, [1.0] * 3, float(scale))
    mean, std = (three_numbers(settings, key, name, file) for key in ("image_mean", "image_std"))
    return ImageInput(size, mean, std, float(scale))


def _image_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the part for images: one file may have one for texts too."""
    for part in ("image_processor", "video_processor"):
        if isinstance(settings.get(part), dict):
            return dict(settings[part])
    return settings


def config_side(config: dict[str, Any]) -> int | None:
    """Return the side that a model was built for, as its own settings state it."""
    vision = config.get("vision_config")
    return _side((vision if isinstance(vision, dict) else config).get("image_size"))


def _side(value: Any) -> int | None:
    """Return the side in any notation; None if the image is not square."""
    if isinstance(value, dict):
        sides = {value[key] for key in ("height", "width", "shortest_edge") if value.get(key)}
    else:
        sides = set(value) if isinstance(value, list) else {value}
    side = next(iter(sides), None)
    return side if len(sides) == 1 and type(side) is int and side > 0 else None


@dataclass(frozen=True)
class _VideoModel:
    """A type of model that takes windows of frames.

    Attributes:
        window: Setting with the number of frames.
        argument: Name of its argument for images (B,T,3,H,W).
        pooling: Pooling of its tokens to features where no classifier was trained.
        attention: Implementation of attention in transformers.  A window has thousands of tokens,
            and `eager` computes matrices of all their pairs.
    """

    window: str
    argument: str
    pooling: Literal["mean", "first"]
    attention: Literal["eager", "sdpa"] = "sdpa"


_VIDEO_MODELS = {
    "timesformer": _VideoModel("num_frames", "pixel_values", "first", "eager"),
    "videomae": _VideoModel("num_frames", "pixel_values", "mean"),
    "vjepa2": _VideoModel("frames_per_clip", "pixel_values_videos", "mean"),
}


def read_window(folder: Path, name: str) -> int:
    """Return the number of frames that the model in `folder` sees at once.

    Raises:
        WeightsError: its settings do not state it.
    """
    config = read_json(folder / CONFIG)
    video = _VIDEO_MODELS.get(config.get("model_type", ""))
    if video is None:
        return 1
    frames = config.get(video.window)
    if type(frames) is not int or frames < 2:
        raise WeightsError(
            f"{name}: {video.window}={frames!r} in {folder / CONFIG} is not a number of frames "
            "above 1"
        )
    return frames


def initial_network(folder: Path, *, size: int) -> tuple[Any, Features]:
    """Return the model with its initial weights, and what extracts its features."""
    network = _class(folder).from_config(
        _settings(folder), trust_remote_code=False, attn_implementation=_attention(folder)
    )
    return _with_features(network, folder, size=size, trained_pooler=True)


def pretrained_network(folder: Path, name: str, *, size: int) -> tuple[Any, Features]:
    """Return the model with the weights in `folder`, and what extracts its features.

    Raises:
        WeightsError: they are not this model's.
    """
    import torch

    try:
        network, loading = _class(folder).from_pretrained(
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
    needed = [key for key in sorted(loading["missing_keys"]) if "predictor" not in key.split(".")]
    pooler = [key for key in needed if key.startswith("pooler.")]
    if needed != pooler or loading["mismatched_keys"]:
        wrong = [*needed, *map(str, loading["mismatched_keys"])]
        raise WeightsError(
            f"{folder} does not hold weights of {name}: {len(wrong)} are missing or of another "
            f"shape, such as {wrong[0]}"
        )
    # A pooler that is not in the file would be random.
    return _with_features(network, folder, size=size, trained_pooler=not pooler)


def _class(folder: Path) -> Any:
    """Return the class that creates a model: with its classifier only if that pools the tokens."""
    from transformers import AutoModel, AutoModelForVideoClassification

    return AutoModelForVideoClassification if _has_classifier(folder) else AutoModel


def _attention(folder: Path) -> str:
    video = _VIDEO_MODELS.get(read_json(folder / CONFIG).get("model_type", ""))
    return video.attention if video else "eager"


def _has_classifier(folder: Path) -> bool:
    config = read_json(folder / CONFIG)
    classes = config.get("architectures") or [""]
    return config.get("model_type") in _VIDEO_MODELS and "VideoClassification" in str(classes[0])


def _settings(folder: Path) -> Any:
    """Return the settings of the model, or of its vision tower if it has one."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return getattr(config, "vision_config", config)


def _with_features(
    network: Any, folder: Path, *, size: int, trained_pooler: bool
) -> tuple[Any, Features]:
    """Return the part of a model that features need, and what extracts them."""
    import torch

    config = read_json(folder / CONFIG)
    video = _VIDEO_MODELS.get(config.get("model_type", ""))
    if video is None:
        options = _size_options(network, config_side(config), size)
        return network, partial(_pooled, options=options, trained_pooler=trained_pooler)
    if _has_classifier(folder):
        network.classifier = torch.nn.Identity()
        if config["model_type"] == "vjepa2":
            network.vjepa2.predictor = torch.nn.Identity()
        return network, partial(_before_classifier, argument=video.argument)
    if config["model_type"] == "vjepa2":
        network = network.encoder
    return network, partial(_tokens, argument=video.argument, pooling=video.pooling)


def _size_options(network: Any, own: int | None, size: int) -> dict[str, bool]:
    can_interpolate = "interpolate_pos_encoding" in signature(network.forward).parameters
    return {"interpolate_pos_encoding": True} if size != own and can_interpolate else {}


def _pooled(network: Any, images: Any, *, options: dict[str, bool], trained_pooler: bool) -> Any:
    outputs = network(pixel_values=images, **options)
    pooled = getattr(outputs, "pooler_output", None) if trained_pooler else None
    if pooled is None:
        last = outputs.last_hidden_state
        # Tokens, the first of which is the class token, or the maps of a convolutional network.
        pooled = last[:, 0] if last.ndim == 3 else last.mean((2, 3))
    return pooled.flatten(1)


def _before_classifier(network: Any, images: Any, *, argument: str) -> Any:
    return network(**{argument: images}).logits


def _tokens(network: Any, images: Any, *, argument: str, pooling: str) -> Any:
    tokens = network(**{argument: images}).last_hidden_state
    return tokens.mean(1) if pooling == "mean" else tokens[:, 0]
