"""From one clip to its features: the one function behind training, prediction and serving."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidclass.config import FeatureConfig
from vidclass.features.networks import Network
from vidclass.types import ClipFeatures, FrameBatch, Span
from vidclass.video.decode import decode_clip

# Frames that go through the network at a time; more gain no speed and cost memory.
BATCH_FRAMES = 32


def decode_for(config: FeatureConfig, path: Path, span: Span) -> FrameBatch:
    """The frames of a clip that `config` asks for.

    Raises:
        VideoError: the video cannot be read.
    """
    return decode_clip(path, span=span, sampling=config.sampling, geometry=config.geometry)


def features_of(network: Network, batch: FrameBatch) -> ClipFeatures:
    """What the network makes of the frames.

    Features are float16 everywhere, stored or not: a stored clip and the same clip seen for the
    first time give a head the same numbers.
    """
    parts = [
        network.run(frames=batch.frames[start : start + BATCH_FRAMES])
        for start in range(0, len(batch.frames), BATCH_FRAMES)
    ]
    # A float16 ends at 65,504; a network with larger outputs must not turn into infinities.
    limit = float(np.finfo(np.float16).max)
    features = np.clip(np.concatenate(parts), -limit, limit).astype(np.float16)
    return ClipFeatures(features, batch.timestamps_s)


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
