"""What a video file holds: length, size, rate, codec."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import VideoError
from vidclass.video.container import open_video, pixel_aspect
from vidclass.video.frame_reader import first_frame
from vidclass.video.image_sequence import CODECS, PictureFolder, refuse_rate
from vidclass.video.index import build_index, rate_hz
from vidclass.video.orientation import Orientation


@dataclass(frozen=True)
class VideoInfo:
    """One video file.

    Attributes:
        path: The file, or the folder of pictures.
        duration_s: From the first shown frame until the last one has been shown.
        width: Pixels from left to right as shown, after rotation.
        height: Pixels from top to bottom as shown, after rotation.
        rotation_deg: The clockwise turn that brings the stored frames upright: 0, 90, 180, 270.
        fps: Mean frames a second.
        frame_count: Frames in the file, by its packets.
        codec: FFmpeg's name of the codec, such as `h264`.
        pixel_format: FFmpeg's name of the pixel format, such as `yuv420p`.
        has_audio: There is a sound track.
        variable_frame_rate: The time from frame to frame differs by more than rounding.
        pixel_aspect: Width of a pixel over its height, after rotation; 1 for square pixels.
        interlaced: The first frame is marked as holding two fields.
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
    """Look at a video: read all its packets, decode one frame.

    Of a folder of numbered pictures, all are decoded; `fps` is then their rate.

    Raises:
        VideoError: the file is missing, unreadable, truncated or not a video, or one of the
            folder's pictures is; a rate is missing, or given for a file.
    """
    if os.path.isdir(path):
        return _probe_folder(PictureFolder.of(path, fps))
    refuse_rate(path, fps)
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
    turn = Orientation.of(frame)
    width, height = frame.width, frame.height
    steps_s = np.diff(index.times_s)
    return VideoInfo(
        path=path,
        duration_s=index.end_s,
        width=height if turn.swap_axes else width,
        height=width if turn.swap_axes else height,
        rotation_deg=turn.rotation_deg,
        fps=round(float(len(steps_s) / index.times_s[-1]), 6) if index.times_s[-1] > 0 else rate,
        frame_count=len(index),
        codec=codec,
        pixel_format=frame.format.name,
        has_audio=has_audio,
        variable_frame_rate=_varies(steps_s, tick_s),
        pixel_aspect=float(1 / aspect if turn.swap_axes else aspect),
        interlaced=frame.interlaced_frame,
    )


def _probe_folder(folder: PictureFolder) -> VideoInfo:
    # Every picture is looked at, and one of them kept.
    frame = next(frame for _, frame in folder.read(np.array([0])))
    for _ in folder.read(np.arange(len(folder.pictures))):
        pass
    turn = Orientation.of(frame)
    width, height = frame.width, frame.height
    return VideoInfo(
        path=folder.path,
        duration_s=folder.end_s,
        width=height if turn.swap_axes else width,
        height=width if turn.swap_axes else height,
        rotation_deg=turn.rotation_deg,
        fps=folder.fps,
        frame_count=len(folder.pictures),
        codec=CODECS[folder.pictures[0].suffix.lower()],
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
