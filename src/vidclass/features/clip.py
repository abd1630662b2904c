"""The frames of a clip, and clips as arrays: what training, prediction and serving share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidclass.config import FeatureConfig
from vidclass.types import ClipFeatures, FrameBatch, Span
from vidclass.video.decode import decode_clip


def decode_for(config: FeatureConfig, path: Path, span: Span) -> FrameBatch:
    """The frames of a clip that `config` asks for.

    Raises:
        VideoError: the video cannot be read.
    """
    return decode_clip(path, span=span, sampling=config.sampling, geometry=config.geometry)


def padded(clips: list[ClipFeatures], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips as one array.  Returns features (B,frames,D) float32, zero-padded, and mask (B,frames).

    A clip with more than `frames` features keeps its first ones.
    """
    width = clips[0].features.shape[1]
    features = np.zeros((len(clips), frames, width), np.float32)
    mask = np.zeros((len(clips), frames), np.bool_)
    for row, clip in enumerate(clips):
        count = min(frames, len(clip.features))
        features[row, :count] = clip.features[:count]
        mask[row, :count] = True
    return features, mask
