"""The frames of a clip, and clips as arrays: what training, prediction and serving share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidclass.config import FeatureConfig
from vidclass.features.identity import clip_key, hash_video
from vidclass.types import ClipFeatures, FrameBatch, Span
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
    """The frames of a clip that `config` asks for; the same ones each time.

    Args:
        config: Sampling and geometry.
        path: The video, or a folder of numbered pictures.
        span: The part of it.
        fps: Pictures a second, for a folder.
        key: The clip's key, from which the policy `random` draws; None finds it by reading all
            of the video.
        epoch: With the policy `random`, each epoch of a training draws other frames.

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
