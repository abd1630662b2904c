"""The two inputs that every head has, and the way in that several share."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from vidclass.heads.layers import RealSteps


def head_inputs(frames: int, width: int) -> tuple[dict[str, Any], Any, Any]:
    """The inputs by name, and each of them: features (B,T,D) and mask (B,T)."""
    features = keras.Input((frames, width), name="features")
    mask = keras.Input((frames,), dtype="bool", name="mask")
    return {"features": features, "mask": mask}, features, mask


def narrowed(features: Any, mask: Any, units: int, dropout: float) -> Any:
    """Each frame brought to one scale and to `units` numbers; padding is zero."""
    x = layers.LayerNormalization()(RealSteps()(features, mask))
    return layers.Dense(units)(layers.Dropout(dropout)(x))
