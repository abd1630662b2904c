"""Decode the frames of a clip; training, prediction and the audit all use this one function."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.types import FrameBatch, Span, UInt8Array
from vidclass.video.container import open_video, pixel_aspect, require_frame_size
from vidclass.video.frame_reader import (
    Damage,
    MismatchError,
    Ranks,
    decode_all,
    read_by_order,
    read_by_pts,
    read_in_any_order,
)
from vidclass.video.image import FrameConverter
from vidclass.video.image_sequence import ImageSequence, require_no_rate
from vidclass.video.index import FrameIndex, build_index
from vidclass.video.sampling import choose_frames

COARSE_SIDE = 32
"""Height and width, in pixels, of the images of `scan_video`."""
_BLOCKS = 4  # FFmpeg brings each frame to so many times the side; blocks of that are averaged


def decode_clip(
    path: Path,
    *,
    span: Span,
    sampling: SamplingConfig,
    geometry: GeometryConfig,
    fps: float | None = None,
    rng: np.random.Generator | None = None,
) -> FrameBatch:
    """Decode the sampled frames of a clip as upright square RGB images, each with its true time.

    Only frames that the file really holds are returned: nothing is repeated or padded, and frames
    that cannot be decoded are not replaced.  A part of the span beyond the video's end is left out.
    May be called from several threads at once.  Memory does not grow with the video's length,
    but for some tens of bytes a frame.

    With `crop="centre"` the images equal those of OpenCV (every frame to RGB, the centred
    square, bilinear `resize`) to within a mean of 0.7 (1.0 for odd heights) and a 99.9th
    percentile of 10 levels of 255.  That holds for 8-bit BT.601 video with square pixels whose
    short side is up to a seventh larger than `size`, or smaller.  These differences are meant:
    greater reductions are antialiased, where OpenCV skips pixels; BT.709 video and high dynamic
    range are converted as such; the square is one as shown, also where pixels are not
    square (sample aspect ratio); of interlaced frames one field is used; transparent pixels
    become black.

    Args:
        path: The file, or the folder of an image sequence.
        span: The part of the video to use; times count from the first shown frame.
        sampling: Number of frames and policy.
        geometry: Crop and size.
        fps: Frame rate of an image sequence; None for a file.
        rng: Source of the policy `random`; see `vidclass.video.sampling.clip_generator`.

    Returns:
        frames (n, size, size, 3) uint8, timestamps_s (n,), 1 <= n <= `sampling.total_frames`.

    Raises:
        VideoError: the file cannot be read or decoded, or the span is not in it.
        ConfigError: the policy is `random`, and `rng` is not given.
    """
    # Drawn once, so that a second attempt to read chooses the same frames.
    seed = None if rng is None else int(rng.integers(2**63))

    def choose(times_s: NDArray[np.float64], end_s: float) -> Ranks:
        start_s, stop_s = _inside(path, span, end_s)
        generator = None if seed is None else np.random.default_rng(seed)
        return choose_frames(sampling, times_s, start_s, stop_s, rng=generator)

    if os.path.isdir(path):
        sequence = ImageSequence.from_folder(path, fps)
        ranks = choose(sequence.times_s, sequence.end_s)
        converter = FrameConverter(path, geometry)
        return _convert(sequence.read(ranks), converter, sequence.times_s[ranks])
    require_no_rate(path, fps)
    with open_video(path) as (container, stream):
        index = build_index(path, container, stream)
        converter = FrameConverter(path, geometry, pixel_aspect=pixel_aspect(stream))
    ranks = choose(index.times_s, index.end_s)
    for seek in (True, False) if index.by_pts else (False,):
        try:
            return _convert(_reader(path, index, ranks, seek), converter, index.times_s[ranks])
        except MismatchError:
            continue
    # Packets and frames disagree: find out what really comes out, then choose among that.
    intact, damage = decode_all(path, index)
    if damage is not None or not len(intact):
        raise _undecodable(path, damage or Damage(0, len(index), 0.0))
    index = index.subset(intact)
    ranks = choose(index.times_s, index.end_s)
    try:
        return _convert(read_in_any_order(path, index, ranks), converter, index.times_s[ranks])
    except MismatchError as error:
        raise VideoError(
            path,
            f"its frames do not agree with its packets ({error})",
            hint="Re-encode it, for example with ffmpeg.",
        ) from error


def scan_video(path: Path, on_frame: Callable[[float, UInt8Array], None]) -> None:
    """Decode a whole video, and pass each frame, small and grey, to `on_frame`.

    Args:
        path: The file; an image sequence is not read.
        on_frame: Called with each frame's time in seconds and its lightness, (32,32) uint8.  One
            frame is held at a time.

    Raises:
        VideoError: the file cannot be read, or frames of it cannot be decoded.
    """
    with open_video(path) as (container, stream):
        index = build_index(path, container, stream)
    reformatter = VideoReformatter()
    side = COARSE_SIDE * _BLOCKS

    def shrink(frame: VideoFrame) -> None:
        require_frame_size(path, frame.width, frame.height)
        stamp = -1 if frame.pts is None else frame.pts
        rank = int(np.searchsorted(index.stamps, stamp, "right")) - 1
        grey = reformatter.reformat(frame, side, side, "gray", interpolation="AREA").to_ndarray()
        blocks = grey.reshape(COARSE_SIDE, _BLOCKS, COARSE_SIDE, _BLOCKS).mean((1, 3))
        on_frame(float(index.times_s[max(rank, 0)]), blocks.round().astype(np.uint8))

    ranks, damage = decode_all(path, index, shrink)
    if damage is not None or not len(ranks):
        raise _undecodable(path, damage or Damage(0, len(index), 0.0))


def _reader(
    path: Path, index: FrameIndex, ranks: Ranks, seek: bool
) -> Generator[tuple[int, VideoFrame], None, None]:
    if index.by_pts:
        return read_by_pts(path, index, ranks, seek=seek)
    return read_by_order(path, index, ranks)


def _convert(
    frames: Generator[tuple[int, VideoFrame], None, None],
    converter: FrameConverter,
    times_s: NDArray[np.float64],
) -> FrameBatch:
    """Convert each frame to RGB at its position among the sampled ones."""
    size = converter.size
    images = np.empty((len(times_s), size, size, 3), np.uint8)
    with closing(frames):
        for position, frame in frames:
            images[position] = converter.rgb(frame)
    return FrameBatch(frames=images, timestamps_s=times_s)


def _inside(path: Path, span: Span, end_s: float) -> tuple[float, float]:
    """Return start and end of the span in seconds, its end cut to the video's."""
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
    loss = "none is intact" if not damage.intact else f"the first loss is at {damage.first_s:.2f} s"
    return VideoError(
        path,
        f"only {damage.intact} of its {damage.total} frames can be decoded ({loss})",
        hint="Get the file again; lost frames are not replaced.",
    )
