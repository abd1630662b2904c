"""The two inputs of every head, and the first layers that several share."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from vidclass.heads.layers import RealSteps


def head_inputs(frames: int, width: int) -> tuple[dict[str, Any], Any, Any]:
    """Return the inputs by name, then each: features (B,T,D) float32 and mask (B,T) bool."""
    features = keras.Input((frames, width), name="features")
    mask = keras.Input((frames,), dtype="bool", name="mask")
    return {"features": features, "mask": mask}, features, mask


def project_steps(features: Any, mask: Any, units: int, dropout: float) -> Any:
    """Normalise each step and project it to `units` numbers: (B,T,D) -> (B,T,units)."""
    x = layers.LayerNormalization()(RealSteps()(features, mask))
    return layers.Dense(units)(layers.Dropout(dropout)(x))
