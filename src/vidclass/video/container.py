"""Open one video file and pick its video stream, or raise an error that says why it fails."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidclass.errors import ConfigError, VideoError

# FFmpeg would print to standard error, and from threads of its own; we report by exceptions.
av.logging.set_level(None)

MAX_PIXELS = 2**26
"""Default limit of the pixels of a frame: more is taken for an attack on memory or damage."""
MAX_PIXELS_VARIABLE = "VIDCLASS_MAX_PIXELS"
# FFmpeg itself reads no larger frame.
_FFMPEG_MAX_PIXELS = 2**28
_EDGE_PIXELS = 2**17

# Pixels further from square are a damaged header: real ones end at about 2.
_MAX_PIXEL_ASPECT = 8

# FFmpeg "plays" text files as a terminal would show them; nobody's clips are that.
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
_COVER_IMAGES = Disposition.attached_pic | Disposition.timed_thumbnails


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and pick its default, else first, video stream that is not a cover image.

    Yields:
        The open container and the stream.

    Raises:
        VideoError: there is no such file, it may not be read, or it is not a video.
        ConfigError: `VIDCLASS_MAX_PIXELS` is not a number of pixels.
    """
    head = _read_head(path)
    # FFmpeg decodes a frame to learn what a stream holds, and the decoder asks for the memory of
    # whatever the frame claims to be: both must know the limit.
    options = pixel_limit_options()
    with _open_container(path, head, options) as container:
        stream = _pick_stream(path, container)
        require_frame_size(path, stream.width, stream.height)
        stream.codec_context.options = options
        yield container, stream


def max_pixels() -> int:
    """Return the limit of the pixels of a frame: `VIDCLASS_MAX_PIXELS`, else `MAX_PIXELS`.

    Raises:
        ConfigError: the variable does not hold such a number.
    """
    require_max_pixels()
    return int(os.environ.get(MAX_PIXELS_VARIABLE) or MAX_PIXELS)


def require_max_pixels() -> None:
    """Require that `VIDCLASS_MAX_PIXELS`, if set, is a number of pixels.

    Raises:
        ConfigError: it is not.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE, "")
    if text and not (text.isdecimal() and 0 < int(text) <= _FFMPEG_MAX_PIXELS):
        raise ConfigError(
            f"{MAX_PIXELS_VARIABLE}={text!r} must be a whole number of pixels from 1 to "
            f"{_FFMPEG_MAX_PIXELS}; without it, {MAX_PIXELS} is the limit"
        )


def decoder_version() -> str:
    """Return the versions of PyAV and FFmpeg as JSON: another one may read more or fewer files."""
    return json.dumps([av.__version__, av.library_versions], sort_keys=True)


def pixel_limit_options() -> dict[str, str]:
    """Return `max_pixels()` as option of FFmpeg's decoders, which count pixels at the edges too."""
    return {"max_pixels": str(max_pixels() * 9 // 8 + _EDGE_PIXELS)}


def require_frame_size(path: Path, width: int, height: int) -> None:
    """Require that a frame has at most `max_pixels()`, and a size that FFmpeg can read.

    Raises:
        VideoError: the frame is too large.
    """
    limit = max_pixels()
    if 0 < width * height <= limit:
        return
    cause = f"its frames are {width}x{height}, more than {limit} pixels"
    if not width * height:
        cause = f"its frames have more than {limit} pixels, or a size that cannot be read"
    raise VideoError(
        path,
        cause,
        hint="The header may be damaged; else scale the video down, or set "
        f"{MAX_PIXELS_VARIABLE} to a higher limit.",
        stage="probe",
    )


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Return a pixel's shown width over its height; 1 where the header has no plausible value."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _MAX_PIXEL_ASPECT <= aspect <= _MAX_PIXEL_ASPECT:
        return Fraction(1)
    return aspect


def demux_packets(container: InputContainer, *streams: Stream) -> Iterator[Packet[VideoStream]]:
    """Yield all packets of these streams from here on, and empty ones at the end.

    Raises:
        av.error.FFmpegError: the file cannot be read any further.
    """
    try:
        yield from cast("Iterator[Packet[VideoStream]]", container.demux(*streams))
    except IndexError:
        # After the last packet, PyAV stumbles over streams that began in the middle of the file.
        return


@contextmanager
def video_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors within the block, which reads `path`, into errors of the video.

    Raises:
        VideoError: the block raised an OSError.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise VideoError(
            path, "no such file", hint="Check the path, or set `root`.", stage="probe"
        ) from error
    except PermissionError as error:
        raise VideoError(
            path,
            "may not be read (permission denied)",
            hint="Change its permissions.",
            stage="probe",
        ) from error
    except OSError as error:
        raise VideoError(
            path, f"cannot be read ({error.strerror})", hint="Check the disk.", stage="probe"
        ) from error


def file_stat(path: Path) -> os.stat_result:
    """Return the status of a regular file, without opening it.

    Raises:
        VideoError: there is none, or it is a folder, or a pipe or a device, which might never end.
    """
    with video_errors(path):
        status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise VideoError(
            path, "is a folder, not a video", hint="Give the files in it.", stage="probe"
        )
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(
            path,
            "is a pipe, a socket or a device, not a file",
            hint="Save the video as a file first.",
            stage="probe",
        )
    return status


def _read_head(path: Path) -> bytes:
    """Return the first bytes of a file that is not empty and may be read."""
    if not file_stat(path).st_size:
        raise VideoError(
            path, "the file is empty (0 bytes)", hint="Copy or download it again.", stage="probe"
        )
    with video_errors(path), path.open("rb") as file:
        return file.read(12)


def _open_container(path: Path, head: bytes, options: dict[str, str]) -> InputContainer:
    try:
        # "file:" keeps a colon in a name from being read as a protocol; the whitelist keeps a
        # playlist from reaching out to the network; tags need not be UTF-8.
        container = av.open(
            f"file:{path}",
            metadata_errors="replace",
            options={"protocol_whitelist": "file", **options},
        )
    except (av.error.FFmpegError, ValueError) as error:
        if head[4:8] == b"ftyp":
            raise VideoError(
                path,
                "its index (the moov box) is missing, so the file was cut off or never finished",
                hint="Copy, download or record it again.",
                stage="probe",
            ) from error
        raise _not_a_video(path) from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise _not_a_video(path)
    return container


def _not_a_video(path: Path) -> VideoError:
    return VideoError(
        path,
        "is not a video that FFmpeg knows, or its beginning is damaged",
        hint="Open it in a player; if that fails too, get it again.",
        stage="probe",
    )


def _pick_stream(path: Path, container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & _COVER_IMAGES]
    if not streams:
        kinds = sorted({s.type for s in container.streams if s.type != "video"})
        raise VideoError(
            path,
            f"has no video stream (only {', '.join(kinds) or 'nothing'})",
            hint="Remove it from the list.",
            stage="probe",
        )
    default = [s for s in streams if s.disposition & Disposition.default]
    stream: VideoStream = (default or streams)[0]
    if stream.codec_context is None:
        raise VideoError(
            path,
            "no decoder for its video codec is built in",
            hint="Convert it, for example to H.264.",
            stage="probe",
        )
    return stream
