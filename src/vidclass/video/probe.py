"""Probe a video: length, frame size, frame rate, codec."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import VideoError
from vidclass.video.container import open_video, pixel_aspect
from vidclass.video.frame_reader import first_frame
from vidclass.video.image_sequence import CODECS, ImageSequence, require_no_rate
from vidclass.video.index import build_index, rate_hz
from vidclass.video.orientation import Orientation


@dataclass(frozen=True)
class VideoInfo:
    """Properties of one video.

    Attributes:
        path: The file, or the folder of an image sequence.
        duration_s: Seconds from the first shown frame until the last one has been shown.
        width: Pixels from left to right as shown, after rotation.
        height: Pixels from top to bottom as shown, after rotation.
        rotation_deg: Clockwise rotation that brings the stored frames upright: 0, 90, 180, 270.
        fps: Mean number of frames per second.
        frame_count: Number of frames, by the packets of the file.
        codec: FFmpeg's name of the codec, such as `h264`.
        pixel_format: FFmpeg's name of the pixel format, such as `yuv420p`.
        has_audio: Whether it has an audio stream.
        variable_frame_rate: Whether the time between frames differs by more than rounding.
        pixel_aspect: Width of a pixel over its height, after rotation; 1 for square pixels.
        interlaced: Whether the first frame is marked as two fields.
    """

    path: Path
    duration_s: float
    width: int
    height: int
    rotation_deg: int
    fps: float
    frame_count: int
    codec: str
    pixel_format: str
    has_audio: bool
    variable_frame_rate: bool
    pixel_aspect: float = 1.0
    interlaced: bool = False


def probe(path: Path, *, fps: float | None = None) -> VideoInfo:
    """Return the properties of a video; reads all its packets and decodes one frame.

    Args:
        path: The file, or the folder of an image sequence, all images of which are decoded.
        fps: Frame rate of an image sequence; None for a file.

    Raises:
        VideoError: the file, or an image of the sequence, is missing, unreadable, truncated or
            not a video; the frame rate of a sequence is missing, or one is given for a file.
    """
    if os.path.isdir(path):
        return _probe_sequence(ImageSequence.from_folder(path, fps))
    require_no_rate(path, fps)
    with open_video(path) as (container, stream):
        index = build_index(path, container, stream)
        rate = rate_hz(stream)
        tick_s = float(stream.time_base or 0)
        has_audio = bool(container.streams.audio)
        codec = stream.codec_context.codec.canonical_name
        aspect = pixel_aspect(stream)
    frame = first_frame(path, index)
    if frame is None:
        raise VideoError(
            path,
            f"none of its {len(index)} frames can be decoded",
            hint="Get the file again.",
            stage="probe",
        )
    orientation = Orientation.from_frame(frame)
    width, height = frame.width, frame.height
    steps_s = np.diff(index.times_s)
    return VideoInfo(
        path=path,
        duration_s=index.end_s,
        width=height if orientation.swap_axes else width,
        height=width if orientation.swap_axes else height,
        rotation_deg=orientation.rotation_deg,
        fps=round(float(len(steps_s) / index.times_s[-1]), 6) if index.times_s[-1] > 0 else rate,
        frame_count=len(index),
        codec=codec,
        pixel_format=frame.format.name,
        has_audio=has_audio,
        variable_frame_rate=_varies(steps_s, tick_s),
        pixel_aspect=float(1 / aspect if orientation.swap_axes else aspect),
        interlaced=frame.interlaced_frame,
    )


def _probe_sequence(sequence: ImageSequence) -> VideoInfo:
    # All images are decoded to check them; one frame is kept.
    frame = next(frame for _, frame in sequence.read(np.array([0])))
    for _ in sequence.read(np.arange(len(sequence.images))):
        pass
    orientation = Orientation.from_frame(frame)
    width, height = frame.width, frame.height
    return VideoInfo(
        path=sequence.path,
        duration_s=sequence.end_s,
        width=height if orientation.swap_axes else width,
        height=width if orientation.swap_axes else height,
        rotation_deg=orientation.rotation_deg,
        fps=sequence.fps,
        frame_count=len(sequence.images),
        codec=CODECS[sequence.images[0].suffix.lower()],
        pixel_format=frame.format.name,
        has_audio=False,
        variable_frame_rate=False,
    )


def _varies(steps_s: NDArray[np.float64], tick_s: float) -> bool:
    if not len(steps_s):
        return False
    median_s = float(np.median(steps_s))
    # Matroska rounds to milliseconds: 33, 33, 34 is a constant rate.
    return bool(np.abs(steps_s - median_s).max() > max(0.1 * median_s, 1.5 * tick_s))
