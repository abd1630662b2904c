"""Inspection of clips: read each file, detect black and frozen clips, retry a ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidclass._core.parallel import run_each
from vidclass.audit.thumbnails import STRIP_FRAMES, strip_of
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.config.features import MAX_FRAMES
from vidclass.data.clip import Clip
from vidclass.errors import VidclassError
from vidclass.types import Failure, Progress, Span, UInt8Array
from vidclass.video.decode import COARSE_SIDE, decode_clip, scan_video
from vidclass.video.probe import VideoInfo, probe

_SAMPLING = SamplingConfig(frames=STRIP_FRAMES)
_GEOMETRY = GeometryConfig(crop="whole", size=96)
# A folder of pictures has no stream to scan; of a longer one, so many are decoded.
_ALL_FRAMES = SamplingConfig(policy="first", frames=MAX_FRAMES)
_COARSE = GeometryConfig(crop="whole", size=COARSE_SIDE)

Rows = list[tuple[int, Clip]]


@dataclass(frozen=True)
class ClipLook:
    """What was seen of one clip.

    Attributes:
        info: What the file holds; None where it cannot be read.
        failure: Why the clip cannot be read; None where it can.
        duration_s: Of the clip, not of the whole file; 0 where it cannot be read.
        frames: How many frames the clip has (inside a file, by the mean rate).
        looked_at: How many of them were decoded and looked at.
        black: All of those are dark.
        frozen: All of those, two at least, are the same picture.
        strip: A JPEG of a few frames beside one another; empty where none was wanted or made.
    """

    info: VideoInfo | None
    failure: Failure | None = None
    duration_s: float = 0.0
    frames: int = 0
    looked_at: int = 0
    black: bool = False
    frozen: bool = False
    strip: bytes = b""


def look_at_clips(
    clips: Sequence[Clip], *, deep: bool, drawn: Collection[int], progress: Progress
) -> list[ClipLook]:
    """Look at each clip, files side by side on all cores.

    Args:
        clips: The clips.
        deep: Decode every frame of every file, in place of a few of each clip.
        drawn: The rows of those that get a strip.
        progress: Told of the stage `look`, in files.
    """
    by_file: dict[Path, Rows] = {}
    for row, clip in enumerate(clips):
        by_file.setdefault(clip.video, []).append((row, clip))
    looks: dict[int, ClipLook] = {}

    def work(rows: Rows) -> dict[int, ClipLook]:
        return _look_at_file(rows, deep=deep, drawn=drawn)

    with closing(run_each(work, by_file.values())) as results:
        for count, done in enumerate(results, 1):
            if done.error is not None:
                looks |= {row: failed(clip, done.error) for row, clip in done.item}
            looks |= done.result or {}
            progress("look", count, len(by_file))
    return [looks[row] for row in range(len(clips))]


def strips_of(clips: Sequence[Clip], rows: Collection[int], progress: Progress) -> dict[int, bytes]:
    """Strips of some more clips; those that cannot be read are left out.

    Args:
        clips: All clips.
        rows: The wanted ones.
        progress: Told of the stage `strips`.
    """
    strips = {}

    def work(row: int) -> bytes:
        return _strip(_sample(clips[row]), _probe(clips[row]))

    with closing(run_each(work, rows)) as results:
        for count, done in enumerate(results, 1):
            if done.result is not None:
                strips[done.item] = done.result
            progress("strips", count, len(rows))
    return strips


def failed(clip: Clip, error: VidclassError, info: VideoInfo | None = None) -> ClipLook:
    """What there is to say of a clip that cannot be read."""
    return ClipLook(info, Failure.from_error(error, video=clip.video, span=clip.span))


def _look_at_file(rows: Rows, *, deep: bool, drawn: Collection[int]) -> dict[int, ClipLook]:
    """Raises VideoError where no clip of the file can be read."""
    info = _probe(rows[0][1])
    judges = _judges_of_all_frames(rows) if deep else {}
    looks = {}
    for row, clip in rows:
        try:
            # Also where every frame has been seen: it checks the span.
            frames = _sample(clip)
        except VidclassError as error:
            looks[row] = failed(clip, error, info)
            continue
        judge = judges.get(row) or _judge(frames)
        strip = _strip(frames, info) if row in drawn else b""
        duration_s, count = _extent(clip, info)
        looks[row] = ClipLook(
            info,
            duration_s=duration_s,
            frames=count,
            looked_at=judge.looked_at,
            black=judge.black,
            frozen=judge.frozen,
            strip=strip,
        )
    return looks


def _judges_of_all_frames(rows: Rows) -> dict[int, Judge]:
    judges = {row: Judge() for row, _ in rows}

    def see(time_s: float, grey: UInt8Array) -> None:
        for row, clip in rows:
            stop_s = clip.span.stop_s
            if time_s >= clip.span.start_s and (stop_s is None or time_s < stop_s):
                judges[row].see(grey)

    first = rows[0][1]
    if first.fps is None:
        scan_video(first.video, see)
    else:
        pictures = decode_clip(
            first.video, span=Span(), sampling=_ALL_FRAMES, geometry=_COARSE, fps=first.fps
        )
        greys = coarse_grey(pictures.frames, COARSE_SIDE)
        for time_s, grey in zip(pictures.timestamps_s, greys, strict=True):
            see(float(time_s), grey)
    # Between two frames of a slow video, a span may have none of its own.
    return {row: judge for row, judge in judges.items() if judge.looked_at}


def _judge(frames: UInt8Array) -> Judge:
    judge = Judge()
    for grey in coarse_grey(frames, COARSE_SIDE):
        judge.see(grey)
    return judge


def _probe(clip: Clip) -> VideoInfo:
    return probe(clip.video, fps=clip.fps)


def _sample(clip: Clip) -> UInt8Array:
    return decode_clip(
        clip.video, span=clip.span, sampling=_SAMPLING, geometry=_GEOMETRY, fps=clip.fps
    ).frames


def _strip(frames: UInt8Array, info: VideoInfo) -> bytes:
    return strip_of(frames, aspect=info.width * info.pixel_aspect / info.height)


def _extent(clip: Clip, info: VideoInfo) -> tuple[float, int]:
    """How long the clip is, in seconds, and how many frames that is about."""
    start_s, stop_s = clip.span.start_s, clip.span.stop_s
    end_s = info.duration_s if stop_s is None else min(stop_s, info.duration_s)
    if start_s == 0 and end_s == info.duration_s:
        return end_s, info.frame_count
    return end_s - start_s, max(1, round((end_s - start_s) * info.fps))


# As many frames as are used by default.
_LEDGER_SAMPLING = SamplingConfig()
_LEDGER_GEOMETRY = GeometryConfig(size=32)

# As FFmpeg's blackdetect has it: a pixel is dark below a tenth of white, and a picture is black
# when 98 % of it are.
DARK_LEVEL = 25
BLACK_SHARE = 0.98
# Levels of 255 that a coarse picture may change by in any place and still be the same one:
# compression makes two or three of nothing.
SAME_LEVELS = 4


@dataclass(frozen=True)
class LedgerEntry:
    """A failure of an earlier run, and what comes of the same file now.

    Attributes:
        failure: The row of the ledger.
        now: Why it cannot be read now; empty where it can.
    """

    failure: Failure
    now: str


def try_again(failures: Sequence[Failure], progress: Progress) -> list[LedgerEntry]:
    """Try to read each of the videos now: frames all over it, as many as are used by default.

    Args:
        failures: The rows of the ledger.
        progress: Told of the stage `ledger`, in videos.
    """
    videos = list(dict.fromkeys(failure.video for failure in failures))
    now: dict[str, str] = {}
    with closing(run_each(_read, videos)) as results:
        for count, done in enumerate(results, 1):
            failure = done.error and Failure.from_error(done.error, video=done.item)
            now[done.item] = failure.cause if failure else ""
            progress("ledger", count, len(videos))
    return [LedgerEntry(failure, now[failure.video]) for failure in failures]


def _read(video: str) -> None:
    decode_clip(Path(video), span=Span(), sampling=_LEDGER_SAMPLING, geometry=_LEDGER_GEOMETRY)


class Judge:
    """Told of the frames of one clip, says whether it is black or frozen."""

    def __init__(self) -> None:
        self.looked_at = 0
        self._black = self._frozen = True
        self._first: NDArray[np.int16] | None = None

    def see(self, grey: UInt8Array) -> None:
        """Take one more frame, coarse and grey: (H,W) uint8, of one size for the whole clip."""
        self.looked_at += 1
        self._black = self._black and bool((grey <= DARK_LEVEL).mean() >= BLACK_SHARE)
        levels = grey.astype(np.int16)
        if self._first is None:
            self._first = levels
        self._frozen = self._frozen and bool(np.abs(levels - self._first).max() <= SAME_LEVELS)

    @property
    def black(self) -> bool:
        """Every frame was black."""
        return self.looked_at > 0 and self._black

    @property
    def frozen(self) -> bool:
        """There were two frames at least, all of them the same."""
        return self.looked_at > 1 and self._frozen


def coarse_grey(frames: UInt8Array, side: int) -> UInt8Array:
    """Frames (T,H,W,3) RGB as (T,side,side) grey, each pixel the mean of a block."""
    pictures = [Image.fromarray(frame).convert("L") for frame in frames]
    small = [picture.resize((side, side), Image.Resampling.BOX) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in small])
