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
from vidclass.audit.thumbnails import THUMBNAIL_FRAMES, thumbnail_strip
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.config.features import MAX_FRAMES
from vidclass.data.clip import Clip
from vidclass.errors import VidclassError
from vidclass.types import Failure, Progress, Span, UInt8Array
from vidclass.video.decode import COARSE_SIDE, decode_clip, scan_video
from vidclass.video.probe import VideoInfo, probe

_SAMPLING = SamplingConfig(frames=THUMBNAIL_FRAMES)
_GEOMETRY = GeometryConfig(crop="whole", size=96)
# An image sequence has no stream to scan; at most so many of its images are decoded.
_ALL_FRAMES = SamplingConfig(policy="first", frames=MAX_FRAMES)
_COARSE = GeometryConfig(crop="whole", size=COARSE_SIDE)
# The default number of frames, small.
_RETRY_SAMPLING = SamplingConfig()
_RETRY_GEOMETRY = GeometryConfig(size=32)

# As in FFmpeg's blackdetect: a pixel is dark below a tenth of white, and a frame is black when
# 98 % of its pixels are dark.
DARK_LEVEL = 25
BLACK_SHARE = 0.98
# Largest difference, of 255 levels, between coarse frames that count as equal: compression changes
# still frames by two or three levels.
SAME_LEVELS = 4

Rows = list[tuple[int, Clip]]


@dataclass(frozen=True)
class ClipInspection:
    """Inspection of one clip.

    Attributes:
        info: Properties of the file; None if it cannot be read.
        failure: Why the clip cannot be read; None if it can.
        duration_s: Duration of the clip, not of the whole file; 0 if it cannot be read.
        frames: Number of frames of the clip (in a part of a file, by the mean rate).
        inspected_frames: Number of frames that were decoded.
        black: All inspected frames are black.
        frozen: All inspected frames, two at least, are equal.
        thumbnail: JPEG of a few frames side by side; empty if none was wanted or possible.
    """

    info: VideoInfo | None
    failure: Failure | None = None
    duration_s: float = 0.0
    frames: int = 0
    inspected_frames: int = 0
    black: bool = False
    frozen: bool = False
    thumbnail: bytes = b""


def inspect_clips(
    clips: Sequence[Clip], *, deep: bool, thumbnail_rows: Collection[int], progress: Progress
) -> list[ClipInspection]:
    """Inspect each clip, files in parallel on all cores.

    Args:
        clips: The clips.
        deep: Decode every frame of every file, not only a few of each clip.
        thumbnail_rows: Rows of the clips to draw thumbnails of.
        progress: Callback; reports stage `inspect`, in files.
    """
    clips_by_file: dict[Path, Rows] = {}
    for row, clip in enumerate(clips):
        clips_by_file.setdefault(clip.video, []).append((row, clip))
    inspections: dict[int, ClipInspection] = {}

    def work(rows: Rows) -> dict[int, ClipInspection]:
        return _inspect_file(rows, deep=deep, thumbnail_rows=thumbnail_rows)

    with closing(run_each(work, clips_by_file.values())) as results:
        for count, done in enumerate(results, 1):
            if done.error is not None:
                inspections |= {row: failed(clip, done.error) for row, clip in done.item}
            inspections |= done.result or {}
            progress("inspect", count, len(clips_by_file))
    return [inspections[row] for row in range(len(clips))]


def draw_thumbnails(
    clips: Sequence[Clip], rows: Collection[int], progress: Progress
) -> dict[int, bytes]:
    """Return thumbnails of some clips by row, as JPEG; unreadable clips are left out.

    Args:
        clips: All clips.
        rows: Rows of the wanted clips.
        progress: Callback; reports stage `thumbnails`.
    """
    thumbnails = {}

    def work(row: int) -> bytes:
        return _thumbnail(_sample(clips[row]), _probe(clips[row]))

    with closing(run_each(work, rows)) as results:
        for count, done in enumerate(results, 1):
            if done.result is not None:
                thumbnails[done.item] = done.result
            progress("thumbnails", count, len(rows))
    return thumbnails


def failed(clip: Clip, error: VidclassError, info: VideoInfo | None = None) -> ClipInspection:
    """Return the inspection of a clip that cannot be read."""
    return ClipInspection(info, Failure.from_error(error, video=clip.video, span=clip.span))


def _inspect_file(
    rows: Rows, *, deep: bool, thumbnail_rows: Collection[int]
) -> dict[int, ClipInspection]:
    """Inspect all clips of one file; raise VideoError if none of them can be read."""
    info = _probe(rows[0][1])
    detectors = _scan_all_frames(rows) if deep else {}
    inspections = {}
    for row, clip in rows:
        try:
            # Needed even if every frame was scanned: it checks the span.
            frames = _sample(clip)
        except VidclassError as error:
            inspections[row] = failed(clip, error, info)
            continue
        detector = detectors.get(row) or _detect(frames)
        duration_s, count = _extent(clip, info)
        inspections[row] = ClipInspection(
            info,
            duration_s=duration_s,
            frames=count,
            inspected_frames=detector.frame_count,
            black=detector.black,
            frozen=detector.frozen,
            thumbnail=_thumbnail(frames, info) if row in thumbnail_rows else b"",
        )
    return inspections


def _scan_all_frames(rows: Rows) -> dict[int, BlackFreezeDetector]:
    """Decode every frame of a file; return detectors of the clips that have any frame."""
    detectors = {row: BlackFreezeDetector() for row, _ in rows}

    def add(time_s: float, grey: UInt8Array) -> None:
        for row, clip in rows:
            stop_s = clip.span.stop_s
            if time_s >= clip.span.start_s and (stop_s is None or time_s < stop_s):
                detectors[row].add(grey)

    first = rows[0][1]
    if first.fps is None:
        scan_video(first.video, add)
    else:
        images = decode_clip(
            first.video, span=Span(), sampling=_ALL_FRAMES, geometry=_COARSE, fps=first.fps
        )
        greys = coarse_grey(images.frames, COARSE_SIDE)
        for time_s, grey in zip(images.timestamps_s, greys, strict=True):
            add(float(time_s), grey)
    # A short span may lie between two frames of a slow video.
    return {row: detector for row, detector in detectors.items() if detector.frame_count}


def _detect(frames: UInt8Array) -> BlackFreezeDetector:
    detector = BlackFreezeDetector()
    for grey in coarse_grey(frames, COARSE_SIDE):
        detector.add(grey)
    return detector


def _probe(clip: Clip) -> VideoInfo:
    return probe(clip.video, fps=clip.fps)


def _sample(clip: Clip) -> UInt8Array:
    return decode_clip(
        clip.video, span=clip.span, sampling=_SAMPLING, geometry=_GEOMETRY, fps=clip.fps
    ).frames


def _thumbnail(frames: UInt8Array, info: VideoInfo) -> bytes:
    return thumbnail_strip(frames, aspect=info.width * info.pixel_aspect / info.height)


def _extent(clip: Clip, info: VideoInfo) -> tuple[float, int]:
    """Return the duration of a clip in seconds and its approximate number of frames."""
    start_s, stop_s = clip.span.start_s, clip.span.stop_s
    end_s = info.duration_s if stop_s is None else min(stop_s, info.duration_s)
    if start_s == 0 and end_s == info.duration_s:
        return end_s, info.frame_count
    return end_s - start_s, max(1, round((end_s - start_s) * info.fps))


class BlackFreezeDetector:
    """Detects whether all frames of a clip are black, and whether they are all equal."""

    def __init__(self) -> None:
        self.frame_count = 0
        self._black = self._frozen = True
        self._first: NDArray[np.int16] | None = None

    def add(self, grey: UInt8Array) -> None:
        """Add a coarse grey frame, (H,W) uint8, of one size for the whole clip."""
        self.frame_count += 1
        self._black = self._black and bool((grey <= DARK_LEVEL).mean() >= BLACK_SHARE)
        levels = grey.astype(np.int16)
        if self._first is None:
            self._first = levels
        self._frozen = self._frozen and bool(np.abs(levels - self._first).max() <= SAME_LEVELS)

    @property
    def black(self) -> bool:
        """True if there are frames and all are black."""
        return self.frame_count > 0 and self._black

    @property
    def frozen(self) -> bool:
        """True if there are at least two frames and all are equal."""
        return self.frame_count > 1 and self._frozen


def coarse_grey(frames: UInt8Array, side: int) -> UInt8Array:
    """Reduce frames (T,H,W,3) RGB to (T,side,side) grey, each pixel the mean of a block."""
    images = [Image.fromarray(frame).convert("L") for frame in frames]
    coarse = [image.resize((side, side), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image) for image in coarse])


@dataclass(frozen=True)
class LedgerEntry:
    """A failure of an earlier run, and whether its file can be read now.

    Attributes:
        failure: Row of the ledger.
        now: Why the file cannot be read now; empty if it can.
    """

    failure: Failure
    now: str


def retry_ledger(failures: Sequence[Failure], progress: Progress) -> list[LedgerEntry]:
    """Read each failed video again, with the default number of frames all over it.

    Args:
        failures: Rows of the ledger.
        progress: Callback; reports stage `ledger`, in videos.
    """
    videos = list(dict.fromkeys(failure.video for failure in failures))
    causes: dict[str, str] = {}
    with closing(run_each(_read, videos)) as results:
        for count, done in enumerate(results, 1):
            failure = done.error and Failure.from_error(done.error, video=done.item)
            causes[done.item] = failure.cause if failure else ""
            progress("ledger", count, len(videos))
    return [LedgerEntry(failure, causes[failure.video]) for failure in failures]


def _read(video: str) -> None:
    decode_clip(Path(video), span=Span(), sampling=_RETRY_SAMPLING, geometry=_RETRY_GEOMETRY)
