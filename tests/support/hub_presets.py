"""Tiny presets of KerasHub with random weights, saved as it saves them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

needs_keras_hub = pytest.mark.skipif(
    find_spec("keras_hub") is None, reason="the extra `hub` is not installed"
)
SIZE = 32
SCALE, OFFSET = [0.02, 0.018, 0.017], [-2.1, -2.0, -1.8]
TOKENS = {"patch_size": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 8}
SHAPE = {"image_shape": (SIZE, SIZE, 3)}
# Each kind of features, of positions and of settings; the width of each.
WIDTHS = {
    "DINOV2Backbone": 8,
    "DINOV3Backbone": 8,
    "DeiTBackbone": 8,
    "DenseNetBackbone": 72,
    "EfficientNetBackbone": 1280,
    "ResNetBackbone": 64,
    "SwinTransformerBackbone": 16,
    "VGGBackbone": 8,
    "ViTBackbone": 8,
}
TRANSFORMERS = ("DINOV2Backbone", "DINOV3Backbone", "DeiTBackbone", "ViTBackbone")
_ARGUMENTS: dict[str, dict[str, Any]] = {
    # Its position embeddings were learned on larger images.
    "DINOV2Backbone": TOKENS
    | SHAPE
    | {"intermediate_dim": 16, "num_register_tokens": 2, "position_embedding_shape": (48, 48)},
    "DINOV3Backbone": TOKENS | SHAPE | {"intermediate_dim": 16},
    "DeiTBackbone": TOKENS | SHAPE | {"intermediate_dim": 16},
    "DenseNetBackbone": SHAPE | {"stackwise_num_repeats": [1], "growth_rate": 8},
    "EfficientNetBackbone": {
        "input_shape": (SIZE, SIZE, 3),
        "stackwise_kernel_sizes": [3],
        "stackwise_num_repeats": [1],
        "stackwise_input_filters": [8],
        "stackwise_output_filters": [8],
        "stackwise_expansion_ratios": [1],
        "stackwise_squeeze_and_excite_ratios": [0.25],
        "stackwise_strides": [1],
        "stackwise_block_types": ["v1"],
        "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
    },
    "ResNetBackbone": SHAPE
    | {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [3],
        "stackwise_num_filters": [64],
        "stackwise_num_blocks": [1],
        "stackwise_num_strides": [1],
        "block_type": "basic_block",
    },
    "SwinTransformerBackbone": SHAPE
    | {"embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4},
    "VGGBackbone": SHAPE | {"stackwise_num_repeats": [1], "stackwise_num_filters": [8]},
    "ViTBackbone": TOKENS | SHAPE | {"mlp_dim": 16},
}


def network(kind: str) -> Any:
    """Return a network of KerasHub with reproducible random weights."""
    import keras_hub

    model = getattr(keras_hub.models, kind)(**_ARGUMENTS[kind])
    rng = np.random.default_rng(1)
    for weight in model.weights:
        values = rng.normal(0, 0.3, tuple(weight.shape)).astype("float32")
        positive = weight.name in ("gamma", "moving_variance", "variance")
        weight.assign(np.abs(values) + 0.5 if positive else values)
    if kind == "DINOV2Backbone":
        # The resized ones follow from the learned ones; were they others, saving would set both.
        layer = model.embeddings
        resized = layer._interpolate_position_embeddings(
            layer.position_embeddings, 8, (48, 48), (SIZE, SIZE)
        )
        layer.interpolated_position_embeddings.assign(resized)
    return model


def save(kind: str, folder: Path, **options: Any) -> Path:
    """Save a preset of a network and its image converter."""
    import keras_hub

    network(kind).save_to_preset(folder, **options)
    converter = getattr(keras_hub.layers, kind.replace("Backbone", "ImageConverter"))
    converter(image_size=(SIZE, SIZE), scale=SCALE, offset=OFFSET).save_to_preset(folder)
    return folder
