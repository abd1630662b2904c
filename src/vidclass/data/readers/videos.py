"""Where the videos are that a list names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from vidclass.data.frame_folders import is_frame_folder
from vidclass.data.rows import SPLIT_WORDS
from vidclass.data.wording import counted, listed, quoted
from vidclass.errors import ManifestError


def find_video(name: str, bases: Iterable[Path], folders: Iterable[str] = ()) -> str:
    """The first place where the video is, else the first where it could have been.

    Looked for in each of `bases`: right there, then in each of `folders` below it.
    """
    within = ["", *folders]
    places = [os.path.abspath(base / folder / name) for base in bases for folder in within]
    return next((place for place in places if _is_there(place)), places[0])


def split_folders(split: str | None) -> list[str]:
    """How a folder for the clips of this split may be called."""
    return [word for word, meaning in SPLIT_WORDS.items() if meaning == split]


def rates_of(
    videos: Sequence[str], given: Sequence[float | None], fps: float | None
) -> list[float | None]:
    """Frames a second of each row: None for a file; as given, else `fps`, for a frame folder.

    Raises:
        ManifestError: a folder of frames has no rate.
    """
    folders = {video for video in set(videos) if is_frame_folder(Path(video))}
    rates = [
        (rate or fps) if video in folders else None
        for video, rate in zip(videos, given, strict=True)
    ]
    without = [
        video
        for video, rate in zip(videos, rates, strict=True)
        if rate is None and video in folders
    ]
    if without:
        unique = list(dict.fromkeys(without))
        raise ManifestError(
            f"{counted(len(unique), 'folder')} of frames without a frame rate: "
            f"{listed(quoted(unique))}. Pictures have no clock: say how many were taken a second, "
            "with --fps or in a column `fps`."
        )
    return rates


def _is_there(place: str) -> bool:
    return os.path.isfile(place) or is_frame_folder(Path(place))
