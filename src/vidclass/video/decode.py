"""The one decode function: training, prediction, live use and serving all come through here."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.types import FrameBatch, Span
from vidclass.video.container import open_video
from vidclass.video.index import FrameIndex, build_index
from vidclass.video.picture import PictureMaker
from vidclass.video.reader import (
    Damage,
    MismatchError,
    Ranks,
    decode_all,
    read_by_order,
    read_by_pts,
)
from vidclass.video.sampling import choose_frames


def decode_clip(
    path: Path, *, span: Span, sampling: SamplingConfig, geometry: GeometryConfig
) -> FrameBatch:
    """Chosen frames of a clip as upright square RGB pictures, each with its true time.

    Only frames that the file really holds are returned: nothing is repeated, padded or put in
    the place of what cannot be decoded.  A part of the span beyond the video's end is left out.
    May be called from several threads at once.  Memory does not grow with the video's length,
    but for some tens of bytes a frame.

    With `crop="centre"` the pictures equal those of OpenCV (every frame to RGB, the centred
    square, bilinear `resize`) to within a mean of 0.7 (1.0 for odd heights) and a 99.9th
    percentile of 10 levels of 255.  That holds for 8-bit BT.601 video whose short side is up
    to a seventh larger than `size`, or smaller.  Two differences are meant: greater reductions
    are antialiased, where OpenCV skips pixels, and BT.709 video is converted as what it is.
    The shape of pixels (sample aspect ratio) is ignored, as OpenCV does.

    Args:
        path: The file.
        span: The part of the video to use; times count from the first shown frame.
        sampling: How many frames, and which.
        geometry: Crop and size.

    Returns:
        frames (n, size, size, 3) uint8, timestamps_s (n,), 1 <= n <= `sampling.frames`.

    Raises:
        VideoError: the file cannot be read or decoded, or the span is not in it.
    """
    with open_video(path) as (container, stream):
        index = build_index(path, container, stream)
    for seek in (True, False) if index.by_pts else (False,):
        try:
            return _read(path, index, span, sampling, geometry, seek=seek)
        except MismatchError:
            continue
    # Packets and frames disagree: find out what really comes out, then choose among that.
    ranks, damage = decode_all(path, index)
    if damage is not None or not len(ranks):
        raise _undecodable(path, damage or Damage(0, len(index), 0.0))
    try:
        return _read(path, index.only(ranks), span, sampling, geometry, seek=False)
    except MismatchError as error:
        raise VideoError(
            path,
            f"its frames do not agree with its packets ({error})",
            hint="Re-encode it, for example with ffmpeg.",
        ) from error


def _read(
    path: Path,
    index: FrameIndex,
    span: Span,
    sampling: SamplingConfig,
    geometry: GeometryConfig,
    *,
    seek: bool,
) -> FrameBatch:
    start_s, stop_s = _inside(path, span, index.end_s)
    ranks: Ranks = choose_frames(sampling, index.times_s, start_s, stop_s)
    pictures = np.empty((len(ranks), geometry.size, geometry.size, 3), np.uint8)
    maker = PictureMaker(path, geometry)
    reader = (
        read_by_pts(path, index, ranks, seek=seek)
        if index.by_pts
        else read_by_order(path, index, ranks)
    )
    with closing(reader) as frames:
        for number, frame in enumerate(frames):
            pictures[number] = maker.rgb(frame)
    return FrameBatch(frames=pictures, timestamps_s=index.times_s[ranks])


def _inside(path: Path, span: Span, end_s: float) -> tuple[float, float]:
    """The span with its end cut to the video's."""
    start_s, stop_s = span.start_s, end_s if span.stop_s is None else span.stop_s
    text = f"the span [{start_s} s, {'end' if span.stop_s is None else f'{stop_s} s'})"
    hint = "Correct start_s and stop_s in the manifest."
    # The negations make NaN an error too.
    if not start_s >= 0:
        raise VideoError(path, f"{text} starts before the video", hint=hint)
    if not start_s < end_s:
        raise VideoError(path, f"{text} starts after the video's end at {end_s:.2f} s", hint=hint)
    if not stop_s > start_s:
        raise VideoError(path, f"{text} is empty", hint=hint)
    return start_s, min(stop_s, end_s)


def _undecodable(path: Path, damage: Damage) -> VideoError:
    lost = "none is sound" if not damage.sound else f"the first loss is at {damage.first_s:.2f} s"
    return VideoError(
        path,
        f"only {damage.sound} of its {damage.total} frames can be decoded ({lost})",
        hint="Get the file again; nothing is put in the place of lost frames.",
    )
