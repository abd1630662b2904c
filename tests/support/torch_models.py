"""Tiny models of transformers with random weights, saved as the hub has them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = ("torch", "transformers")
needs_torch = pytest.mark.skipif(
    any(find_spec(library) is None for library in LIBRARIES),
    reason="the extra `torch` is not installed",
)
IMAGE_SETTINGS = {
    "size": {"shortest_edge": 40},
    "crop_size": 32,
    "do_center_crop": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.3, 0.2],
}
_LAYERS = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
_SQUARE = {"image_size": 32, "patch_size": 8}
_MAPS = {"hidden_sizes": [8, 12], "depths": [1, 1]}
_TEXT: dict[str, Any] = _LAYERS | {"vocab_size": 8, "bos_token_id": 0, "eos_token_id": 1}
# Features of frames: pooled, a class token without pooler, a vision tower, pooled maps.
IMAGE_KINDS = ("dinov2", "clip", "siglip", "vit_with_classes", "resnet", "swin")
# Tokens and their mean, a class token, and the input of a classifier.
VIDEO_KINDS = ("videomae", "videomae_classes", "timesformer", "vjepa2", "vjepa2_classes")
WIDTHS = {"resnet": 12}
WINDOW = 4


def model(kind: str) -> Any:
    """Return a model with reproducible random weights."""
    import torch
    import transformers as hf

    torch.manual_seed(1)
    both = {"text_config": _TEXT, "vision_config": _LAYERS | _SQUARE}
    dino = {name: value for name, value in _LAYERS.items() if name != "intermediate_size"}
    swin = {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
    videos = _LAYERS | _SQUARE | {"num_frames": WINDOW}
    jepa = _LAYERS | {"crop_size": 32, "patch_size": 8, "frames_per_clip": WINDOW}
    jepa |= {"pred_hidden_size": 12, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    builders = {
        "dinov2": lambda: hf.Dinov2Model(hf.Dinov2Config(**dino, image_size=48, patch_size=8)),
        "clip": lambda: hf.CLIPModel(hf.CLIPConfig(**both)),
        "siglip": lambda: hf.SiglipModel(hf.SiglipConfig(**both)),
        "vit_with_classes": lambda: hf.ViTForImageClassification(
            hf.ViTConfig(**_LAYERS, **_SQUARE)
        ),
        "resnet": lambda: hf.ResNetModel(hf.ResNetConfig(embedding_size=8, **_MAPS)),
        "swin": lambda: hf.SwinModel(hf.SwinConfig(image_size=32, patch_size=4, **swin)),
        "videomae": lambda: hf.VideoMAEModel(hf.VideoMAEConfig(**videos, use_mean_pooling=False)),
        "videomae_classes": lambda: hf.VideoMAEForVideoClassification(
            hf.VideoMAEConfig(**videos, num_labels=3)
        ),
        "timesformer": lambda: hf.TimesformerModel(hf.TimesformerConfig(**videos)),
        "vjepa2": lambda: hf.VJEPA2Model(hf.VJEPA2Config(**jepa)),
        "vjepa2_classes": lambda: hf.VJEPA2ForVideoClassification(
            hf.VJEPA2Config(**jepa, num_pooler_layers=1, num_labels=3)
        ),
    }
    return builders[kind]().eval()


def save(kind: str, folder: Path) -> Path:
    """Save settings, image settings and weights of a model in a folder."""
    model(kind).save_pretrained(folder)
    file = "video_preprocessor_config.json" if "vjepa2" in kind else "preprocessor_config.json"
    (folder / file).write_text(json.dumps(IMAGE_SETTINGS))
    return folder
