"""Frames of a clip under a feature setting, and clips as padded arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidclass.config import FeatureConfig
from vidclass.features.identity import clip_key, hash_video
from vidclass.types import BoolArray, ClipFeatures, FrameBatch, Span
from vidclass.video.decode import decode_clip
from vidclass.video.sampling import clip_generator


def decode_for(
    config: FeatureConfig,
    path: Path,
    span: Span,
    *,
    fps: float | None = None,
    key: str | None = None,
    epoch: int = 0,
) -> FrameBatch:
    """Decode the frames of a clip that `config` samples; the same frames on every call.

    Args:
        config: Sampling and geometry.
        path: The video file, or the folder of an image sequence.
        span: Span of the clip.
        fps: Frame rate, for an image sequence.
        key: Store key of the clip, which seeds the policy `random`; None hashes the video for it.
        epoch: Training epoch; with the policy `random`, each epoch samples other frames.

    Raises:
        VideoError: the video cannot be read.
    """
    sampling, rng = config.sampling, None
    if sampling.policy == "random":
        key = key or clip_key(hash_video(path).sha256, span, fps)
        rng = clip_generator(sampling.seed, key, epoch=epoch)
    batch = decode_clip(
        path, span=span, sampling=sampling, geometry=config.geometry, fps=fps, rng=rng
    )
    if not config.geometry.mirror:
        return batch
    return FrameBatch(np.ascontiguousarray(batch.frames[:, :, ::-1]), batch.timestamps_s)


def pad_clips(clips: Sequence[ClipFeatures], steps: int) -> tuple[np.ndarray, BoolArray]:
    """Return features (B,steps,D) float32, zero-padded, and their mask (B,steps).

    A clip with more than `steps` features keeps its first ones.
    """
    width = clips[0].features.shape[1]
    features = np.zeros((len(clips), steps, width), np.float32)
    mask = np.zeros((len(clips), steps), np.bool_)
    for row, clip in enumerate(clips):
        count = min(steps, len(clip.features))
        features[row, :count] = clip.features[:count]
        mask[row, :count] = True
    return features, mask
