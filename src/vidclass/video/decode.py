"""The one decode function: training, prediction, live use and serving all come through here."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.types import FrameBatch, Span
from vidclass.video.container import open_video, pixel_aspect
from vidclass.video.frame_reader import (
    Damage,
    MismatchError,
    Ranks,
    decode_all,
    read_by_order,
    read_by_pts,
    read_shuffled,
)
from vidclass.video.image import PictureMaker
from vidclass.video.image_sequence import PictureFolder, refuse_rate
from vidclass.video.index import FrameIndex, build_index
from vidclass.video.sampling import choose_frames


def decode_clip(
    path: Path,
    *,
    span: Span,
    sampling: SamplingConfig,
    geometry: GeometryConfig,
    fps: float | None = None,
    rng: np.random.Generator | None = None,
) -> FrameBatch:
    """Chosen frames of a clip as upright square RGB pictures, each with its true time.

    Only frames that the file really holds are returned: nothing is repeated, padded or put in
    the place of what cannot be decoded.  A part of the span beyond the video's end is left out.
    May be called from several threads at once.  Memory does not grow with the video's length,
    but for some tens of bytes a frame.

    With `crop="centre"` the pictures equal those of OpenCV (every frame to RGB, the centred
    square, bilinear `resize`) to within a mean of 0.7 (1.0 for odd heights) and a 99.9th
    percentile of 10 levels of 255.  That holds for 8-bit BT.601 video with square pixels whose
    short side is up to a seventh larger than `size`, or smaller.  These differences are meant:
    greater reductions are antialiased, where OpenCV skips pixels; BT.709 video and high dynamic
    range are converted as what they are; the square is one as shown, also where pixels are not
    square (sample aspect ratio); of interlaced frames one field is used; what is transparent
    becomes black.

    Args:
        path: The file, or a folder of numbered pictures.
        span: The part of the video to use; times count from the first shown frame.
        sampling: How many frames, and which.
        geometry: Crop and size.
        fps: Pictures a second, for a folder alone.
        rng: What the policy `random` draws from; see `vidclass.video.sampling.clip_generator`.

    Returns:
        frames (n, size, size, 3) uint8, timestamps_s (n,), 1 <= n <= `sampling.total_frames`.

    Raises:
        VideoError: the file cannot be read or decoded, or the span is not in it.
        ConfigError: the policy is `random`, and `rng` is not given.
    """
    # Drawn once, so that a second attempt to read chooses the same frames.
    draw = None if rng is None else int(rng.integers(2**63))

    def choose(times_s: NDArray[np.float64], end_s: float) -> Ranks:
        start_s, stop_s = _inside(path, span, end_s)
        again = None if draw is None else np.random.default_rng(draw)
        return choose_frames(sampling, times_s, start_s, stop_s, rng=again)

    if os.path.isdir(path):
        folder = PictureFolder.of(path, fps)
        ranks = choose(folder.times_s, folder.end_s)
        maker = PictureMaker(path, geometry)
        return _pictures(folder.read(ranks), maker, folder.times_s[ranks])
    refuse_rate(path, fps)
    with open_video(path) as (container, stream):
        index = build_index(path, container, stream)
        maker = PictureMaker(path, geometry, pixel_aspect=pixel_aspect(stream))
    ranks = choose(index.times_s, index.end_s)
    for seek in (True, False) if index.by_pts else (False,):
        try:
            return _pictures(_reader(path, index, ranks, seek), maker, index.times_s[ranks])
        except MismatchError:
            continue
    # Packets and frames disagree: find out what really comes out, then choose among that.
    sound, damage = decode_all(path, index)
    if damage is not None or not len(sound):
        raise undecodable(path, damage or Damage(0, len(index), 0.0))
    index = index.only(sound)
    ranks = choose(index.times_s, index.end_s)
    try:
        return _pictures(read_shuffled(path, index, ranks), maker, index.times_s[ranks])
    except MismatchError as error:
        raise VideoError(
            path,
            f"its frames do not agree with its packets ({error})",
            hint="Re-encode it, for example with ffmpeg.",
        ) from error


def _reader(
    path: Path, index: FrameIndex, ranks: Ranks, seek: bool
) -> Generator[tuple[int, VideoFrame], None, None]:
    if index.by_pts:
        return read_by_pts(path, index, ranks, seek=seek)
    return read_by_order(path, index, ranks)


def _pictures(
    frames: Generator[tuple[int, VideoFrame], None, None],
    maker: PictureMaker,
    times_s: NDArray[np.float64],
) -> FrameBatch:
    """A picture of each frame, at its place among the chosen ones."""
    size = maker.size
    pictures = np.empty((len(times_s), size, size, 3), np.uint8)
    with closing(frames):
        for place, frame in frames:
            pictures[place] = maker.rgb(frame)
    return FrameBatch(frames=pictures, timestamps_s=times_s)


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


def undecodable(path: Path, damage: Damage) -> VideoError:
    """The error for a video of which frames are lost."""
    lost = "none is sound" if not damage.sound else f"the first loss is at {damage.first_s:.2f} s"
    return VideoError(
        path,
        f"only {damage.sound} of its {damage.total} frames can be decoded ({lost})",
        hint="Get the file again; nothing is put in the place of lost frames.",
    )
