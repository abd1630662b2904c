"""Image sequences: a folder of numbered images, such as `img_00001.jpg`, as one video."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from vidclass.errors import VideoError
from vidclass.video.container import pixel_limit_options, video_errors

# FFmpeg's decoders by the suffix of the file name.
CODECS = {
    ".jpg": "mjpeg",
    ".jpeg": "mjpeg",
    ".png": "png",
    ".bmp": "bmp",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".ppm": "ppm",
}

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL | re.ASCII)
_MAX_FPS = 10_000.0


def image_names(folder: Path) -> list[str]:
    """Return the names of the images in a folder, unsorted, without other and hidden files.

    Raises:
        VideoError: the folder is missing or may not be read.
    """
    with video_errors(folder), os.scandir(folder) as entries:
        return [
            entry.name
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in CODECS
            and not entry.name.startswith(".")
            and entry.is_file()
        ]


def numbered_images(folder: Path) -> tuple[Path, ...]:
    """Return the images of a folder in the order of their numbers.

    All names have the same prefix, a number, and the same text and suffix after it.  The numbers
    may start anywhere, have leading zeros, and must rise by one.

    Raises:
        VideoError: there are no images, a number is missing or there twice, a name has none, or
            the names or suffixes differ.
    """
    names = image_names(folder)
    if not names:
        raise VideoError(
            folder, "is a folder, not a video", hint="Give the files in it.", stage="probe"
        )
    _require_one_format(folder, names)
    by_number: dict[int, str] = {}
    styles: dict[tuple[str, str], str] = {}
    for name in sorted(names):
        match = _NUMBERED.fullmatch(os.path.splitext(name)[0])
        if match is None:
            raise _bad_names(folder, f"{name!r} among its images has no number")
        styles.setdefault((match[1], match[3]), name)
        if len(styles) > 1:
            first, second = sorted(styles.values())
            raise _bad_names(
                folder, f"its images have more than one pattern of names: {first!r}, {second!r}"
            )
        other = by_number.setdefault(int(match[2]), name)
        if other != name:
            raise _bad_names(folder, f"{other!r} and {name!r} have the same number")
    numbers = sorted(by_number)
    _require_no_gap(folder, numbers)
    return tuple(folder / by_number[number] for number in numbers)


def require_no_rate(path: Path, fps: float | None) -> None:
    """Require that no frame rate is given for a file, which has times of its own.

    Raises:
        VideoError: `fps` is given.
    """
    if fps is not None:
        raise VideoError(
            path,
            f"is a file, which has its own times, but fps={fps:g} is given",
            hint="Give a frame rate for image sequences only.",
            stage="probe",
        )


@dataclass(frozen=True)
class ImageSequence:
    """The images of a folder as a video of constant frame rate.

    Attributes:
        path: The folder.
        images: Its images in the order of their numbers.
        fps: Frames per second.
    """

    path: Path
    images: tuple[Path, ...]
    fps: float

    @classmethod
    def from_folder(cls, path: Path, fps: float | None) -> ImageSequence:
        """Return the sequence after a check of the names alone; no image is opened.

        Raises:
            VideoError: the folder is no image sequence, or `fps` is missing or out of range.
        """
        images = numbered_images(path)
        if fps is None:
            raise VideoError(
                path,
                f"is a sequence of {len(images)} images without a frame rate",
                hint="Give their rate: the column fps of a table, or `fps`.",
                stage="probe",
            )
        if not 0 < fps <= _MAX_FPS:
            raise VideoError(
                path,
                f"fps={fps!r} is not a frame rate",
                hint=f"Give a number above 0, at most {_MAX_FPS:.0f}.",
                stage="probe",
            )
        return cls(path, images, fps)

    @cached_property
    def times_s(self) -> NDArray[np.float64]:
        """Time at which each image is first shown; (N,) seconds."""
        return np.arange(len(self.images)) / self.fps

    @property
    def end_s(self) -> float:
        """Time at which the last image has been shown."""
        return len(self.images) / self.fps

    def read(self, ranks: NDArray[np.int64]) -> Generator[tuple[int, VideoFrame], None, None]:
        """Yield the position in `ranks` and the image of these ranks; no other image is opened.

        Raises:
            VideoError: an image cannot be read, or differs in size from the first.
        """
        first: tuple[Path, int, int] | None = None
        for position, rank in enumerate(ranks.tolist()):
            image = self.images[rank]
            frame = self._decode(image)
            first = first or (image, frame.width, frame.height)
            if (frame.width, frame.height) != first[1:]:
                raise VideoError(
                    self.path,
                    f"its images differ in size: {first[0].name} is {first[1]}x{first[2]}, "
                    f"{image.name} is {frame.width}x{frame.height}",
                    hint="Write them again, all of one size.",
                )
            yield position, frame

    def _decode(self, image: Path) -> VideoFrame:
        with video_errors(image):
            data = image.read_bytes()
        name = CODECS[image.suffix.lower()]
        codec = cast(VideoCodecContext, VideoCodecContext.create(name, "r"))
        # Without the second, half an image passes for a whole one.
        codec.options = {**pixel_limit_options(), "err_detect": "explode"}
        try:
            frames = [*codec.decode(av.Packet(data)), *codec.decode(None)] if data else []
        except (av.error.FFmpegError, ValueError):
            frames = []
        if len(frames) != 1 or frames[0].is_corrupt:
            raise VideoError(
                self.path,
                f"its image {image.name} cannot be decoded",
                hint="Write it again; lost frames are not replaced.",
            )
        return frames[0]


def _require_one_format(folder: Path, names: list[str]) -> None:
    suffixes = Counter(os.path.splitext(name)[1].lower() for name in names)
    if len({CODECS[suffix] for suffix in suffixes}) > 1:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items()))
        raise _bad_names(folder, f"its images have several formats ({counts})")


def _require_no_gap(folder: Path, numbers: list[int]) -> None:
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    if not missing:
        return
    first = next(a + 1 for a, b in zip(numbers, numbers[1:], strict=False) if b != a + 1)
    more = f", and {missing - 1} more are missing" if missing > 1 else ""
    raise VideoError(
        folder,
        f"its images go from number {numbers[0]} to {numbers[-1]}, but number {first} is "
        f"missing{more}",
        hint="Write them again, or renumber them if nothing is lost.",
        stage="probe",
    )


def _bad_names(folder: Path, cause: str) -> VideoError:
    return VideoError(
        folder,
        cause,
        hint="Keep one video in a folder, as img_00001.jpg, img_00002.jpg and so on.",
        stage="probe",
    )
