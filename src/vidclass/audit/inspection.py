"""Look at every clip: what its file holds, whether it can be read, what is seen in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

from vidclass._core.parallel import run_each
from vidclass.audit.model import ClipLook
from vidclass.audit.thumbnails import STRIP_FRAMES, Judge, coarse_grey, strip_of
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.config.features import MAX_FRAMES
from vidclass.data.manifest import Clip
from vidclass.errors import VidclassError
from vidclass.types import Failure, Progress, Span, UInt8Array
from vidclass.video.decode import decode_clip
from vidclass.video.probe import VideoInfo, probe
from vidclass.video.scan import COARSE_SIDE, scan_video

_SAMPLING = SamplingConfig(frames=STRIP_FRAMES)
_GEOMETRY = GeometryConfig(crop="whole", size=96)
# A folder of pictures has no stream to scan; of a longer one, so many are decoded.
_ALL_FRAMES = SamplingConfig(policy="first", frames=MAX_FRAMES)
_COARSE = GeometryConfig(crop="whole", size=COARSE_SIDE)

Rows = list[tuple[int, Clip]]


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
