"""Write frames to a video file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from vidclass._core.files import replacing
from vidclass.errors import ConfigError, ShapeError, require_choice
from vidclass.types import UInt8Array

CONTAINERS = {".avi": "avi", ".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}

# A fixed quantiser instead of a bit rate: a quiet clip, a busy one, a small and a large one all
# come out equally good.
CODEC_OPTIONS = {
    "mpeg4": {"qmin": "4", "qmax": "4"},
    "libx264": {"crf": "20", "preset": "veryfast"},
}


def write_video(
    path: Path,
    frames: Iterable[UInt8Array],
    *,
    fps: float,
    codec: str = "mpeg4",
    key_every: int = 12,
) -> int:
    """Write `frames`, each (H,W,3) uint8 RGB and all of one size, as a video.

    One frame is held at a time.  Chroma is stored at half resolution, so an odd height or width
    gains one repeated row or column.

    Args:
        path: The file; its suffix decides the container.
        frames: The frames in their order.
        fps: Frames per second.
        codec: A key of `CODEC_OPTIONS`.
        key_every: Interval of key frames, which are stored whole, the others as differences.
            With 1 all frames are coded one by one, and none depends on those before it.

    Returns:
        The number of frames written.

    Raises:
        ConfigError: the suffix, codec, frame rate or `key_every` is not one that can be written.
        ShapeError: there is no frame, or one is not (H,W,3) uint8 of the size of the first.
    """
    require_choice("suffix", path.suffix.lower(), CONTAINERS)
    require_choice("codec", codec, CODEC_OPTIONS)
    if not 0.01 <= fps <= 1000:
        raise ConfigError(f"fps={fps!r} must be between 0.01 and 1000")
    if key_every < 1:
        raise ConfigError(f"key_every={key_every!r} must be at least 1")
    rate = Fraction(fps).limit_denominator(1001)
    options = {**CODEC_OPTIONS[codec], "g": str(key_every)}
    container = CONTAINERS[path.suffix.lower()]
    with replacing(path) as temp, av.open(str(temp), "w", format=container) as output:
        stream = cast(VideoStream, output.add_stream(codec, rate, options=options))
        return _encode(output, stream, _same_sized(frames), step_s=1 / rate)


def _encode(
    output: OutputContainer,
    stream: VideoStream,
    frames: Iterable[UInt8Array],
    *,
    step_s: Fraction,
) -> int:
    count = 0
    stream.pix_fmt = "yuv420p"
    for count, frame in enumerate(frames, start=1):
        if count == 1:
            stream.height, stream.width = frame.shape[:2]
        video_frame = av.VideoFrame.from_ndarray(frame, format="rgb24")
        video_frame.pts, video_frame.time_base = count - 1, step_s
        output.mux(stream.encode(video_frame))
    if count == 0:
        raise ShapeError("frames has 0 frames; a video needs at least 1")
    output.mux(stream.encode(None))
    return count


def _same_sized(frames: Iterable[UInt8Array]) -> Iterator[UInt8Array]:
    first: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        first = first or frame.shape
        if frame.ndim != 3 or frame.shape[-1] != 3 or 0 in frame.shape or frame.dtype != np.uint8:
            raise ShapeError(
                f"frame {index} must be (H,W,3) uint8, received: {frame.shape} {frame.dtype}"
            )
        if frame.shape != first:
            raise ShapeError(f"frame {index} is {frame.shape}, but frame 0 is {first}")
        odd_rows, odd_columns = frame.shape[0] % 2, frame.shape[1] % 2
        if odd_rows or odd_columns:
            frame = np.pad(frame, ((0, odd_rows), (0, odd_columns), (0, 0)), mode="edge")
        yield np.ascontiguousarray(frame)
