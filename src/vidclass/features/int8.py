"""int8 backbones for a set of clips: choose the calibration frames, reuse one that fits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np

from vidclass._core.parallel import run_each
from vidclass.config import FeatureConfig
from vidclass.data.clip import Clip
from vidclass.errors import RuntimeRouteError
from vidclass.features.decoding import decode_for
from vidclass.features.identity import identify_clips
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.runtime.quantize import Int8Ir, int8_entries, make_int8, require_nncf
from vidclass.types import Progress, UInt8Array

# More clips or frames bring the features no nearer to float32.
CALIBRATION_CLIPS = 64
CHECK_CLIPS = 32
FRAMES = 192


def int8_for_clips(
    spec: NetworkSpec,
    config: FeatureConfig,
    clips: Sequence[Clip],
    *,
    progress: Progress,
) -> Int8Ir:
    """Return the int8 form of a backbone that was calibrated on at least half of its clips here.

    A cached form is reused if half of the clips that calibrated it are among these: one clip more
    or less must not change the features of all others.  Otherwise a form is made from frames of
    clips that are chosen by their keys, so that the same clips give the same network.

    Args:
        spec: The backbone.
        config: Sampling and geometry of the frames.
        clips: The clips.
        progress: Callback; reports stages `hash`, `calibrate` and `quantize`.

    Raises:
        ConfigError: NNCF is not installed.
        RuntimeRouteError: the backbone cannot compute in int8, its features would be too far from
            those in float32, or no clip can be read.
    """
    _, keys = identify_clips(clips, lambda *_: None, progress)
    clip_by_key = {key: clip for key, clip in zip(keys, clips, strict=True) if key is not None}
    for entry in int8_entries(spec):
        if 2 * len(entry.clips & clip_by_key.keys()) >= len(entry.clips):
            entry.require_similar()
            return entry
    require_nncf()
    entry = _calibrated(spec, config, clip_by_key, progress)
    entry.require_similar()
    return entry


def _calibrated(
    spec: NetworkSpec, config: FeatureConfig, clips: Mapping[str, Clip], progress: Progress
) -> Int8Ir:
    """Make an int8 form, calibrated on some of the clips and checked on others."""
    keys = sorted(clips)[: CALIBRATION_CLIPS + CHECK_CLIPS]
    readable: list[str] = []
    frames: list[UInt8Array] = []
    for key, frames_of_clip in _decoded(keys, config, clips, progress):
        readable.append(key)
        frames.append(frames_of_clip)
    if not frames:
        raise RuntimeRouteError("none of the clips to calibrate int8 on can be read")
    # Two clips of three set the ranges; a single clip does both.
    cut = max(1, len(frames) * CALIBRATION_CLIPS // (CALIBRATION_CLIPS + CHECK_CLIPS))
    progress("quantize", 0, 1)
    entry = make_int8(
        spec,
        clips=readable,
        calibrate=np.concatenate(frames[:cut]),
        check=np.concatenate(frames[cut:] or frames),
    )
    progress("quantize", 1, 1)
    return entry


def _decoded(
    keys: Sequence[str], config: FeatureConfig, clips: Mapping[str, Clip], progress: Progress
) -> Iterator[tuple[str, UInt8Array]]:
    """Yield frames (n,H,W,3) spread over each readable clip, more of them for fewer clips."""
    frames_per_clip = math.ceil(FRAMES / max(len(keys), 1))

    def decode(key: str) -> UInt8Array:
        clip = clips[key]
        frames = decode_for(config, clip.video, clip.span, fps=clip.fps, key=key).frames
        indices = (np.arange(frames_per_clip) + 0.5) * len(frames) / frames_per_clip
        chosen: UInt8Array = frames[np.unique(indices.astype(int))]
        return chosen

    with closing(run_each(decode, keys)) as results:
        for count, done in enumerate(results, 1):
            # Extraction reads unreadable clips again, and lists them.
            if done.result is not None:
                yield done.item, done.result
            progress("calibrate", count, len(keys))
