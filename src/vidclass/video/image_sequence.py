"""A folder of numbered pictures, such as `img_00001.jpg`, as one video."""

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
from vidclass.video.container import pixel_limits, reading

# FFmpeg's decoders by the ending of the name.
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
_MOST_HZ = 10_000.0


def picture_names(folder: Path) -> list[str]:
    """Names of the pictures that lie in a folder, unsorted; other and hidden files do not count.

    Raises:
        VideoError: the folder is missing or may not be read.
    """
    with reading(folder), os.scandir(folder) as entries:
        return [
            entry.name
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in CODECS
            and not entry.name.startswith(".")
            and entry.is_file()
        ]


def numbered_pictures(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder in the order of their numbers.

    A name is the same text, a number, the same text and ending for all; the number may start
    anywhere and have leading zeros, and must then rise by one.

    Raises:
        VideoError: there are none, one has no number, one is missing or there twice, or their
            names or endings differ.
    """
    names = picture_names(folder)
    if not names:
        raise VideoError(
            folder, "is a folder, not a video", hint="Give the files in it.", stage="probe"
        )
    _require_one_ending(folder, names)
    by_number: dict[int, str] = {}
    styles: dict[tuple[str, str], str] = {}
    for name in sorted(names):
        match = _NUMBERED.fullmatch(os.path.splitext(name)[0])
        if match is None:
            raise _bad_names(folder, f"{name!r} among its pictures has no number")
        styles.setdefault((match[1], match[3]), name)
        if len(styles) > 1:
            first, second = sorted(styles.values())
            raise _bad_names(
                folder, f"its pictures have more than one kind of name: {first!r}, {second!r}"
            )
        other = by_number.setdefault(int(match[2]), name)
        if other != name:
            raise _bad_names(folder, f"{other!r} and {name!r} have the same number")
    numbers = sorted(by_number)
    _require_no_gap(folder, numbers)
    return tuple(folder / by_number[number] for number in numbers)


def refuse_rate(path: Path, fps: float | None) -> None:
    """A file has times of its own.

    Raises:
        VideoError: there is a rate nevertheless.
    """
    if fps is not None:
        raise VideoError(
            path,
            f"is a file, which knows its own times, but fps={fps:g} is given",
            hint="Give a rate to folders of pictures only.",
            stage="probe",
        )


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder, each shown for as long as the next."""

    path: Path
    pictures: tuple[Path, ...]
    fps: float

    @classmethod
    def of(cls, path: Path, fps: float | None) -> PictureFolder:
        """Look at the names; no picture is opened.

        Raises:
            VideoError: it is no folder of numbered pictures, or `fps` is not given or no rate.
        """
        pictures = numbered_pictures(path)
        if fps is None:
            raise VideoError(
                path,
                f"is a folder of {len(pictures)} pictures, and how many a second is not said",
                hint="Give their rate: the column fps of a table, or --fps.",
                stage="probe",
            )
        if not 0 < fps <= _MOST_HZ:
            raise VideoError(
                path,
                f"fps={fps!r} is no rate",
                hint=f"Give a number above 0, at most {_MOST_HZ:.0f}.",
                stage="probe",
            )
        return cls(path, pictures, fps)

    @cached_property
    def times_s(self) -> NDArray[np.float64]:
        """When each picture is first shown; (N,) seconds."""
        return np.arange(len(self.pictures)) / self.fps

    @property
    def end_s(self) -> float:
        """When the last picture has been shown."""
        return len(self.pictures) / self.fps

    def read(self, ranks: NDArray[np.int64]) -> Generator[tuple[int, VideoFrame], None, None]:
        """These pictures alone, each with its place in `ranks`.

        Raises:
            VideoError: one cannot be read, or is not of the size of the others.
        """
        first: tuple[Path, int, int] | None = None
        for place, rank in enumerate(ranks.tolist()):
            picture = self.pictures[rank]
            frame = self._decode(picture)
            first = first or (picture, frame.width, frame.height)
            if (frame.width, frame.height) != first[1:]:
                raise VideoError(
                    self.path,
                    f"its pictures differ in size: {first[0].name} is {first[1]}x{first[2]}, "
                    f"{picture.name} is {frame.width}x{frame.height}",
                    hint="Write them again, all of one size.",
                )
            yield place, frame

    def _decode(self, picture: Path) -> VideoFrame:
        with reading(picture):
            data = picture.read_bytes()
        name = CODECS[picture.suffix.lower()]
        codec = cast(VideoCodecContext, VideoCodecContext.create(name, "r"))
        # Without the second, half a picture passes for a whole one.
        codec.options = {**pixel_limits(), "err_detect": "explode"}
        try:
            frames = [*codec.decode(av.Packet(data)), *codec.decode(None)] if data else []
        except (av.error.FFmpegError, ValueError):
            frames = []
        if len(frames) != 1 or frames[0].is_corrupt:
            raise VideoError(
                self.path,
                f"its picture {picture.name} cannot be decoded",
                hint="Write it again; nothing is put in the place of lost frames.",
            )
        return frames[0]


def _require_one_ending(folder: Path, names: list[str]) -> None:
    endings = Counter(os.path.splitext(name)[1].lower() for name in names)
    if len({CODECS[ending] for ending in endings}) > 1:
        counts = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
        raise _bad_names(folder, f"its pictures are of several kinds ({counts})")


def _require_no_gap(folder: Path, numbers: list[int]) -> None:
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    if not missing:
        return
    first = next(a + 1 for a, b in zip(numbers, numbers[1:], strict=False) if b != a + 1)
    more = f", and {missing - 1} more are missing" if missing > 1 else ""
    raise VideoError(
        folder,
        f"its pictures go from number {numbers[0]} to {numbers[-1]}, but number {first} is "
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
