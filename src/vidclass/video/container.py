"""Open one video file and pick its video stream, or say exactly why that cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from vidclass.errors import VideoError

# FFmpeg would print to standard error, and from threads of its own; we report by exceptions.
av.logging.set_level(None)

MAX_PIXELS = 2**26
"""The most pixels a frame may have: more is taken for an attack on memory or for damage."""

# FFmpeg "plays" text files as a terminal would show them; nobody's clips are that.
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open file and its default, else first, video stream that is not a cover picture.

    Raises:
        VideoError: there is no such file, it may not be read, or it is not a video.
    """
    head = _read_head(path)
    with _open_container(path, head) as container:
        stream = _pick_stream(path, container)
        check_size(path, stream.width, stream.height)
        # The decoder refuses a larger frame before it asks for the memory.
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse frames beyond `MAX_PIXELS`.

    Raises:
        VideoError: the frame is too large.
    """
    if width * height > MAX_PIXELS:
        raise VideoError(
            path,
            f"its frames are {width}x{height}, more than {MAX_PIXELS} pixels",
            hint="The header may be damaged; else scale the video down first.",
            stage="probe",
        )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say what the system's refusal to read a file means.

    Raises:
        VideoError: the block failed to read `path`.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise VideoError(
            path, "no such file", hint="Check the path, or pass --root.", stage="probe"
        ) from error
    except IsADirectoryError as error:
        raise VideoError(
            path, "is a folder, not a video", hint="Give the files in it.", stage="probe"
        ) from error
    except PermissionError as error:
        # Windows answers so for a folder too.
        if path.is_dir():
            raise VideoError(
                path, "is a folder, not a video", hint="Give the files in it.", stage="probe"
            ) from error
        raise VideoError(
            path, "may not be read (permission denied)", hint="Change its rights.", stage="probe"
        ) from error
    except OSError as error:
        raise VideoError(
            path, f"cannot be read ({error.strerror})", hint="Check the disk.", stage="probe"
        ) from error


def _read_head(path: Path) -> bytes:
    """The first bytes; proves that the file is there, is a file and may be read."""
    with reading(path), path.open("rb") as file:
        head = file.read(12)
    if not head:
        raise VideoError(
            path, "the file is empty (0 bytes)", hint="Copy or download it again.", stage="probe"
        )
    return head


def _open_container(path: Path, head: bytes) -> InputContainer:
    try:
        # "file:" keeps a colon in a name from being read as a protocol; the whitelist keeps a
        # playlist from reaching out to the network; tags need not be UTF-8.
        container = av.open(
            f"file:{path}", metadata_errors="replace", options={"protocol_whitelist": "file"}
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
    streams = [s for s in container.streams.video if not s.disposition & _PICTURES]
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
