"""Read decoded frames of one video by their rank: their number in the order of display.

The index comes from packets; only the decoder knows what really comes out.  So every requested
frame is recognised by the time stamp that the decoder gives it, and any mismatch raises
`MismatchError` instead of returning another frame.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidclass.errors import VideoError
from vidclass.video.container import demux_packets, open_video
from vidclass.video.index import FrameIndex

Ranks = NDArray[np.int64]

# Below this, starting threads costs about as much time as they save.
_THREADED_FROM_PIXELS = 1280 * 720
# A seek costs as much as decoding a few frames: seek only where it saves more than this many.
_SEEK_SAVES_FRAMES = 12
# The longest reordering of any codec is 16 frames; after twice that a frame is certainly missing.
_MISSING_AFTER_FRAMES = 32


class MismatchError(Exception):
    """The decoder's frames are not those of the index; raised within this package only."""


@dataclass(frozen=True)
class Damage:
    """Damage of a video: `intact` of `total` frames decode, the first loss is at `first_s`."""

    intact: int
    total: int
    first_s: float


def read_by_pts(
    path: Path, index: FrameIndex, ranks: Ranks, *, seek: bool
) -> Generator[tuple[int, VideoFrame], None, None]:
    """Yield the frames of these rising ranks, each recognised by its own presentation time.

    Args:
        path: The video.
        index: Its frames.
        ranks: The frames to read.
        seek: Skip gaps between them from key frame to key frame.

    Yields:
        The position in `ranks` and the frame.

    Raises:
        MismatchError: a frame did not come out as the index says.
    """
    keys = np.flatnonzero(index.is_key)
    reached = -1
    with open_video(path) as (container, stream):
        frames = _intact(container, stream, index)
        for position, rank in enumerate(ranks.tolist()):
            key = int(keys[keys <= rank].max(initial=-1))
            if seek and key > reached + _SEEK_SAVES_FRAMES:
                _seek(container, stream, int(index.seek_to[key]))
                frames = _intact(container, stream, index)
            yield position, _advance(frames, int(index.stamps[rank]))
            reached = rank


def read_by_order(
    path: Path, index: FrameIndex, ranks: Ranks
) -> Generator[tuple[int, VideoFrame], None, None]:
    """Yield the position in `ranks` and the frame of these rising ranks, counting from the first.

    Raises:
        MismatchError: a packet of the index gave no frame, or gave two.
    """
    reached = -1
    with open_video(path) as (container, stream):
        order = _PacketOrder(index.stamps)
        frames = map(order.checked, _intact(container, stream, index))
        for position, rank in enumerate(ranks.tolist()):
            frame = next(islice(frames, rank - reached - 1, None), None)
            if frame is None:
                raise MismatchError(f"the frames end before number {rank}")
            reached = rank
            yield position, frame
        for _ in islice(frames, _MISSING_AFTER_FRAMES):
            if not order.late:
                break
        if order.late:
            raise MismatchError(f"packets {sorted(order.late)[:5]} gave no frame")


def read_in_any_order(
    path: Path, index: FrameIndex, ranks: Ranks
) -> Generator[tuple[int, VideoFrame], None, None]:
    """Yield the position in `ranks` and the frame of these ranks, in the order of decoding.

    Raises:
        MismatchError: a frame did not come out.
    """
    if not index.by_pts:
        yield from read_by_order(path, index, ranks)
        return
    missing = {int(index.stamps[rank]): position for position, rank in enumerate(ranks.tolist())}
    with open_video(path) as (container, stream):
        for frame in _intact(container, stream, index):
            position = missing.pop(-1 if frame.pts is None else frame.pts, None)
            if position is not None:
                yield position, frame
            if not missing:
                return
    raise MismatchError(f"the frames end before the one stamped {min(missing)}")


def decode_all(
    path: Path, index: FrameIndex, on_frame: Callable[[VideoFrame], None] | None = None
) -> tuple[Ranks, Damage | None]:
    """Decode the whole video and return the ranks of its intact frames, and the damage, if any.

    Args:
        path: The video.
        index: Its frames.
        on_frame: Called with each decoded frame.
    """
    intact: set[int] = set()
    corrupt: set[int] = set()
    errors: list[str] = []
    with open_video(path) as (container, stream):
        for frame in _decoded(container, stream, index, errors):
            stamp = -1 if frame.pts is None else frame.pts
            (corrupt if frame.is_corrupt else intact).add(stamp)
            if on_frame is not None:
                on_frame(frame)
    is_intact = np.isin(index.stamps, np.array(sorted(intact - corrupt), np.int64))
    ranks = np.flatnonzero(is_intact)
    lost = np.flatnonzero(~is_intact)
    # A packet may rightly give no frame, such as the hidden reference frames of VP8.
    if not len(lost) or not (corrupt or errors):
        return ranks, None
    return ranks, Damage(len(ranks), len(index), float(index.times_s[lost[0]]))


def first_frame(path: Path, index: FrameIndex) -> VideoFrame | None:
    """Return the first frame that decodes at all; None where none does."""
    with open_video(path) as (container, stream):
        return next(_decoded(container, stream, index, []), None)


class _PacketOrder:
    """Compares the packets whose frames were decoded with those that should have been."""

    def __init__(self, expected: NDArray[np.int64]) -> None:
        self.late: set[int] = set()
        self._expected = expected
        self._position = 0

    def checked(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame, noting its packet; those before it without a frame yet are late."""
        until = int(
            np.searchsorted(self._expected, -1 if frame.pts is None else frame.pts, "right")
        )
        self.late.update(self._expected[self._position : until].tolist())
        self._position = max(self._position, until)
        if frame.pts not in self.late:
            raise MismatchError(f"packet {frame.pts} gave a frame that was not expected")
        self.late.remove(frame.pts)
        return frame


def _seek(container: InputContainer, stream: VideoStream, stamp: int) -> None:
    try:
        container.seek(stamp, stream=stream)
    except av.error.FFmpegError as error:
        raise MismatchError(f"cannot seek to {stamp}: {error}") from error


def _advance(frames: Iterator[VideoFrame], stamp: int) -> VideoFrame:
    for frame in frames:
        if frame.pts == stamp:
            return frame
        if frame.pts is None or frame.pts > stamp:
            raise MismatchError(f"a frame stamped {frame.pts} came, {stamp} did not")
    raise MismatchError(f"the frames end before the one stamped {stamp}")


def _intact(
    container: InputContainer, stream: VideoStream, index: FrameIndex
) -> Iterator[VideoFrame]:
    for frame in _decoded(container, stream, index, None):
        if frame.is_corrupt:
            raise MismatchError(f"the frame stamped {frame.pts} is damaged")
        yield frame


def _decoded(
    container: InputContainer, stream: VideoStream, index: FrameIndex, errors: list[str] | None
) -> Iterator[VideoFrame]:
    """Yield all frames from here on; append decoding errors to `errors`, or raise if it is None.

    Where the index goes by order, a frame's `pts` becomes the number of its packet.
    """
    if not stream.codec_context.is_open:
        large = stream.width * stream.height >= _THREADED_FROM_PIXELS
        stream.thread_type = "AUTO" if large else "NONE"
        stream.codec_context.thread_count = 0 if large else 1
    for packet in _numbered(_packets(container, stream, errors), index):
        try:
            yield from stream.decode(packet)
        except MemoryError as error:
            raise VideoError(
                container.name.removeprefix("file:"),
                "there is not enough memory to decode it",
                hint="Close other programs, and run the same command again.",
                lasting=False,
            ) from error
        except av.error.FFmpegError as error:
            if errors is None:
                raise MismatchError(f"a packet cannot be decoded: {error}") from error
            errors.append(str(error))


def _packets(
    container: InputContainer, stream: VideoStream, errors: list[str] | None
) -> Iterator[Packet[VideoStream]]:
    """Yield all packets from here on; all were read once, so only a seek can have gone wrong."""
    try:
        yield from demux_packets(container, stream)
    except av.error.FFmpegError as error:
        if errors is None:
            raise MismatchError(f"a packet cannot be read: {error}") from error
        errors.append(str(error))


def _numbered(
    packets: Iterator[Packet[VideoStream]], index: FrameIndex
) -> Iterator[Packet[VideoStream] | None]:
    """Yield the packets of the index, those never shown, and None to flush the decoder."""
    number, started = 0, not index.starts_at_key
    for packet in packets:
        started = started or packet.is_keyframe
        if not packet.size or not started:
            continue
        if not index.by_pts:
            packet.pts = None if packet.is_discard else number
            number += not packet.is_discard
        yield packet
    yield None
