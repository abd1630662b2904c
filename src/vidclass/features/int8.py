"""int8 backbones for a set of clips: which frames they are calibrated on, and when one fits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np

from vidclass._core.parallel import run_each
from vidclass.config import FeatureConfig
from vidclass.data.clip import Clip
from vidclass.data.manifest import Manifest
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
    manifest: Manifest,
    *,
    progress: Progress,
) -> Int8Ir:
    """The int8 form of a backbone that was calibrated on these clips, or on most of them.

    A form whose own clips are for the better half still among `clips` is used again: a clip more
    or less must not change the features of all the others.  Otherwise one is made, from frames
    spread over clips that are picked by their keys, so that the same clips give the same network.

    Args:
        spec: The backbone.
        config: Sampling and geometry of the frames.
        manifest: The clips.
        progress: Told of the stages `hash`, `calibrate` and `quantize`.

    Raises:
        ConfigError: NNCF is not installed.
        RuntimeRouteError: the backbone cannot compute in int8, or its features would be too far
            from those in float32; no clip can be read.
    """
    rows = manifest.clips()
    _, keys = identify_clips(rows, lambda *_: None, progress)
    clips = {key: row for key, row in zip(keys, rows, strict=True) if key is not None}
    for entry in int8_entries(spec):
        if 2 * len(entry.clips & clips.keys()) >= len(entry.clips):
            return entry.require_near()
    require_nncf()
    picked = sorted(clips)[: CALIBRATION_CLIPS + CHECK_CLIPS]
    read: list[str] = []
    parts: list[UInt8Array] = []
    for key, frames in _frames_of(picked, config, clips, progress):
        read.append(key)
        parts.append(frames)
    if not parts:
        raise RuntimeRouteError("none of the clips to calibrate int8 on can be read")
    # Two clips of three set the ranges; a single clip has to do for both.
    cut = max(1, len(parts) * CALIBRATION_CLIPS // (CALIBRATION_CLIPS + CHECK_CLIPS))
    progress("quantize", 0, 1)
    made = make_int8(
        spec,
        clips=read,
        calibrate=np.concatenate(parts[:cut]),
        check=np.concatenate(parts[cut:] or parts),
    )
    progress("quantize", 1, 1)
    return made.require_near()


def _frames_of(
    keys: Sequence[str], config: FeatureConfig, clips: Mapping[str, Clip], progress: Progress
) -> Iterator[tuple[str, UInt8Array]]:
    """Frames spread over each clip that can be read: the fewer clips, the more of each."""
    of_each = math.ceil(FRAMES / max(len(keys), 1))

    def decode(key: str) -> UInt8Array:
        clip = clips[key]
        frames = decode_for(config, clip.video, clip.span, fps=clip.fps, key=key).frames
        spread = (np.arange(of_each) + 0.5) * len(frames) / of_each
        chosen: UInt8Array = frames[np.unique(spread.astype(int))]
        return chosen

    with closing(run_each(decode, keys)) as results:
        for count, done in enumerate(results, 1):
            # What cannot be read comes up again, and is listed, when its features are wanted.
            if done.result is not None:
                yield done.item, done.result
            progress("calibrate", count, len(keys))
