"""Index of the frames of a video and their times, from its packets without decoding them.

A container's presentation times (pts) are used where it really stores them, once for each
frame.  Otherwise (AVI, raw streams, broken files) frames are identified by their order alone:
the k-th frame that the decoder shows has the k-th smallest decoding time (dts), and where that
is missing too, frames are counted at the average rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidclass.errors import VideoError
from vidclass.types import BoolArray
from vidclass.video.container import demux_packets

_FALLBACK_RATE_HZ = 25.0


@dataclass(frozen=True)
class FrameIndex:
    """All N frames of a video in the order in which they are shown.

    Attributes:
        times_s: (N,) float64, seconds since the first shown frame, never falling.
        is_key: (N,) bool, decoding can start here.
        stamps: (N,) int64, strictly rising.  Where `by_pts`, the frames' own presentation
            times in ticks of the stream; else the numbers of the packets that give frames,
            and the k-th frame need not be the k-th packet's.
        seek_to: (N,) int64, the tick to seek to in order to decode from this frame on.
        by_pts: The container gives each frame its own presentation time.
        starts_at_key: The first frame to decode is a key frame; packets before it are left out.
        end_s: Time at which the last frame has been shown.
    """

    times_s: NDArray[np.float64]
    is_key: BoolArray
    stamps: NDArray[np.int64]
    seek_to: NDArray[np.int64]
    by_pts: bool
    starts_at_key: bool
    end_s: float

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.times_s)

    def subset(self, ranks: NDArray[np.int64]) -> FrameIndex:
        """Return the index of these frames alone; the first of them is shown at 0 s."""
        origin_s = self.times_s[ranks[0]]
        return FrameIndex(
            times_s=self.times_s[ranks] - origin_s,
            is_key=self.is_key[ranks],
            stamps=self.stamps[ranks],
            seek_to=self.seek_to[ranks],
            by_pts=self.by_pts,
            starts_at_key=self.starts_at_key,
            end_s=float(self.end_s - origin_s),
        )


@dataclass
class _Scan:
    """Fields of the packets, in the order of decoding."""

    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    is_key: list[bool] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    """End of the data of each stream, in its ticks."""


def build_index(path: Path, container: InputContainer, stream: VideoStream) -> FrameIndex:
    """Return the index of a freshly opened file, all packets of which are read and none decoded.

    Raises:
        VideoError: there is no frame, the data cannot be read to its end, or it ends well before
            what the header announces.
    """
    try:
        scan = _read_packets(container, stream)
    except av.error.FFmpegError as error:
        raise VideoError(
            path,
            f"the file is damaged or cut off: it cannot be read to its end ({error.strerror})",
            hint="Copy or download it again, or re-encode what is left of it.",
            stage="probe",
        ) from error
    if not scan.pts:
        raise VideoError(
            path,
            "its video stream has no frames",
            hint="Copy or record it again.",
            stage="probe",
        )
    index = _index_of(scan, container, stream)
    _require_whole(path, index, scan, container, stream)
    return index


def _read_packets(container: InputContainer, stream: VideoStream) -> _Scan:
    scan, started = _Scan(), False
    # Matroska announces the length of its longest stream, so that all of them count there.
    streams = container.streams if _is_format(container, "matroska") else [stream]
    for packet in demux_packets(container, *streams):
        if not packet.size:
            # It repeats the frame before it.
            continue
        if packet.pts is not None:
            end = packet.pts + (packet.duration or 0)
            scan.ends[packet.stream_index] = max(end, scan.ends.get(packet.stream_index, end))
        if packet.stream_index != stream.index:
            continue
        if packet.is_keyframe and not started:
            # Nothing before the first key frame can be decoded (recordings of broadcasts).
            scan, started = _Scan(ends=scan.ends), True
        # Decoded because others need it, but an edit list says not to show it.
        if packet.is_discard:
            continue
        scan.pts.append(packet.pts)
        scan.dts.append(packet.dts)
        scan.is_key.append(packet.is_keyframe)
        scan.duration.append(packet.duration or 0)
    return scan


def _index_of(scan: _Scan, container: InputContainer, stream: VideoStream) -> FrameIndex:
    count = len(scan.pts)
    tick_s = float(stream.time_base or 0)
    pts = [stamp for stamp in scan.pts if stamp is not None]
    dts = [stamp for stamp in scan.dts if stamp is not None]
    by_pts = not _is_format(container, "avi") and len(pts) == len(set(pts)) == count
    if by_pts:
        stamps, step_s = np.array(pts, np.int64), tick_s
    elif len(dts) == count:
        stamps, step_s = np.array(dts, np.int64), tick_s
    else:
        stamps, step_s = np.arange(count), 1 / rate_hz(stream)
    order = np.argsort(stamps, kind="stable")
    times_s = (stamps[order] - stamps[order[0]]) * step_s
    # Containers look seeks up by dts or by pts: the lower of them is not too late for either.
    lowest = [p if d is None else min(p, d) for p, d in zip(stamps, scan.dts, strict=True)]
    is_key = np.array(scan.is_key, np.bool_)
    return FrameIndex(
        times_s=times_s,
        is_key=is_key[order] if by_pts else is_key,
        stamps=stamps[order] if by_pts else np.arange(count),
        seek_to=np.array(lowest, np.int64)[order],
        by_pts=by_pts,
        starts_at_key=bool(is_key.any()),
        end_s=float(times_s[-1])
        + _last_period_s(scan.duration[order[-1]] * tick_s, times_s, stream),
    )


def _last_period_s(packet_s: float, times_s: NDArray[np.float64], stream: VideoStream) -> float:
    """Return how long the last frame is shown: its packet's duration, else that of the others."""
    if packet_s > 0:
        return packet_s
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1 / rate_hz(stream)


def rate_hz(stream: VideoStream) -> float:
    """Return the frames per second of the header, else 25."""
    return float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE_HZ)


def _is_format(container: InputContainer, name: str) -> bool:
    return name in container.format.name.split(",")


def _require_whole(
    path: Path, index: FrameIndex, scan: _Scan, container: InputContainer, stream: VideoStream
) -> None:
    """Compare with the length in the header; only these formats have one, FFmpeg guesses others."""
    tick_s = float(stream.time_base or 0)
    if _is_format(container, "avi"):
        # FFmpeg shortens the duration of a cut AVI, but not the number of frames.
        announced_s, data_s = stream.frames * tick_s, index.end_s
    elif _is_format(container, "mov"):
        announced_s, data_s = (stream.duration or 0) * tick_s, index.end_s
    elif _is_format(container, "matroska"):
        announced_s = (container.duration or 0) / 1_000_000
        ends_s = [end * (container.streams[k].time_base or 0) for k, end in scan.ends.items()]
        data_s = float(max(ends_s, default=0))
    else:
        return
    margin_s = max(3 * index.end_s / len(index), 0.05 * announced_s)
    if announced_s - data_s > margin_s:
        raise VideoError(
            path,
            f"the file is truncated: its header announces {announced_s:.1f} s, "
            f"the data ends at {data_s:.1f} s",
            hint="Copy or download it again, or re-encode what is left of it.",
            stage="probe",
        )
