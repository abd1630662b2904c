"""Decoded frames of one video by their rank: the order in which they are shown.

The index comes from packets; only the decoder knows what really comes out.  So every wanted
frame is recognised by what the decoder stamped on it, and whatever does not fit raises
`MismatchError` instead of passing for something else.
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
from vidclass.video.container import open_video, packets_of
from vidclass.video.index import FrameIndex

Ranks = NDArray[np.int64]

# Below this, starting threads costs about what they bring.
_THREADED_FROM_PIXELS = 1280 * 720
# A seek costs a few frames' work: do it only where it saves more than this many.
_SEEK_SAVES_FRAMES = 12
# The longest reordering of any codec is 16 frames; after twice that a frame is surely missing.
_SURELY_MISSING_AFTER = 32


class MismatchError(Exception):
    """The decoder's frames are not those of the index (for use inside this room)."""


@dataclass(frozen=True)
class Damage:
    """What decoding everything showed: `sound` of `total` frames, the first loss at `first_s`."""

    sound: int
    total: int
    first_s: float


def read_by_pts(
    path: Path, index: FrameIndex, ranks: Ranks, *, seek: bool
) -> Generator[tuple[int, VideoFrame], None, None]:
    """Frames of these rising ranks, each known by its own presentation time.

    Each comes with its place in `ranks`.

    With `seek`, gaps between them are jumped over from key frame to key frame.

    Raises:
        MismatchError: a frame did not come out as the index says.
    """
    keys = np.flatnonzero(index.is_key)
    reached = -1
    with open_video(path) as (container, stream):
        frames = _sound(container, stream, index)
        for place, rank in enumerate(ranks.tolist()):
            key = int(keys[keys <= rank].max(initial=-1))
            if seek and key > reached + _SEEK_SAVES_FRAMES:
                _seek(container, stream, int(index.seek_to[key]))
                frames = _sound(container, stream, index)
            yield place, _advance(frames, int(index.stamps[rank]))
            reached = rank


def read_by_order(
    path: Path, index: FrameIndex, ranks: Ranks
) -> Generator[tuple[int, VideoFrame], None, None]:
    """Frames of these rising ranks, found by counting from the first one.

    Each comes with its place in `ranks`.

    Raises:
        MismatchError: a packet of the index gave no frame, or gave two.
    """
    reached = -1
    with open_video(path) as (container, stream):
        audit = _Audit(index.stamps)
        frames = map(audit.pass_on, _sound(container, stream, index))
        for place, rank in enumerate(ranks.tolist()):
            frame = next(islice(frames, rank - reached - 1, None), None)
            if frame is None:
                raise MismatchError(f"the frames end before number {rank}")
            reached = rank
            yield place, frame
        for _ in islice(frames, _SURELY_MISSING_AFTER):
            if not audit.late:
                break
        if audit.late:
            raise MismatchError(f"packets {sorted(audit.late)[:5]} gave no frame")


def read_shuffled(
    path: Path, index: FrameIndex, ranks: Ranks
) -> Generator[tuple[int, VideoFrame], None, None]:
    """Frames of these ranks in whatever order they are decoded; each with its place in `ranks`.

    Raises:
        MismatchError: a frame did not come out.
    """
    if not index.by_pts:
        yield from read_by_order(path, index, ranks)
        return
    missing = {int(index.stamps[rank]): place for place, rank in enumerate(ranks.tolist())}
    with open_video(path) as (container, stream):
        for frame in _sound(container, stream, index):
            place = missing.pop(-1 if frame.pts is None else frame.pts, None)
            if place is not None:
                yield place, frame
            if not missing:
                return
    raise MismatchError(f"the frames end before the one stamped {min(missing)}")


def decode_all(
    path: Path, index: FrameIndex, look: Callable[[VideoFrame], None] | None = None
) -> tuple[Ranks, Damage | None]:
    """Decode the whole video: ranks of the frames that come out sound, and the damage, if any.

    `look` is told of each frame that comes out.
    """
    sound: set[int] = set()
    corrupt: set[int] = set()
    errors: list[str] = []
    with open_video(path) as (container, stream):
        for frame in _decoded(container, stream, index, errors):
            stamp = -1 if frame.pts is None else frame.pts
            (corrupt if frame.is_corrupt else sound).add(stamp)
            if look is not None:
                look(frame)
    is_sound = np.isin(index.stamps, np.array(sorted(sound - corrupt), np.int64))
    ranks = np.flatnonzero(is_sound)
    lost = np.flatnonzero(~is_sound)
    # A packet may give no frame by right, such as the hidden reference frames of VP8.
    if not len(lost) or not (corrupt or errors):
        return ranks, None
    return ranks, Damage(len(ranks), len(index), float(index.times_s[lost[0]]))


def first_frame(path: Path, index: FrameIndex) -> VideoFrame | None:
    """The first frame that decodes at all; None where none does."""
    with open_video(path) as (container, stream):
        return next(_decoded(container, stream, index, []), None)


class _Audit:
    """Compares the packets whose frames have come out with those that should have."""

    def __init__(self, expected: NDArray[np.int64]) -> None:
        self.late: set[int] = set()
        self._expected = expected
        self._position = 0

    def pass_on(self, frame: VideoFrame) -> VideoFrame:
        """Note the frame's packet; those before it that gave no frame yet are late."""
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


def _sound(
    container: InputContainer, stream: VideoStream, index: FrameIndex
) -> Iterator[VideoFrame]:
    for frame in _decoded(container, stream, index, None):
        if frame.is_corrupt:
            raise MismatchError(f"the frame stamped {frame.pts} is damaged")
        yield frame


def _decoded(
    container: InputContainer, stream: VideoStream, index: FrameIndex, errors: list[str] | None
) -> Iterator[VideoFrame]:
    """All frames from here on; what cannot be decoded is noted in `errors`, or else raises.

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
    """All packets from here on.  They could all be read once: only a seek can have gone wrong."""
    try:
        yield from packets_of(container, stream)
    except av.error.FFmpegError as error:
        if errors is None:
            raise MismatchError(f"a packet cannot be read: {error}") from error
        errors.append(str(error))


def _numbered(
    packets: Iterator[Packet[VideoStream]], index: FrameIndex
) -> Iterator[Packet[VideoStream] | None]:
    """The packets that the index counts, those never shown, and None to flush the decoder."""
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
