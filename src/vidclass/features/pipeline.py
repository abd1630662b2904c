"""From videos to features with every core busy: decoding overlaps the network.

Frames of neighbouring clips share a batch, so that the network always gets full ones.  Nothing
is pickled: threads decode and compute, since FFmpeg and OpenVINO let go of Python's lock.  What
waits between the stages is bounded, so memory depends neither on the number of clips nor on
their length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidclass._core.parallel import Done, run_each
from vidclass.errors import RuntimeRouteError, VidclassError, VideoError
from vidclass.features.extractor import Network
from vidclass.features.windows import network_input, network_times_s
from vidclass.types import ClipFeatures, FloatArray, FrameBatch, UInt8Array

Item = TypeVar("Item")


@dataclass(frozen=True)
class ExtractedClip:
    """A clip on its way out: its frames and what the network made of them."""

    frames: FrameBatch
    features: ClipFeatures


def stream_features(
    items: Iterable[Item],
    decode: Callable[[Item], FrameBatch],
    network: Network,
    *,
    video_of: Callable[[Item], object],
    window: int = 1,
) -> Generator[Done[Item, ExtractedClip], None, None]:
    """Yield the features of each item, in the items' order.

    A clip that cannot be decoded, or of which the network makes no finite numbers, comes with
    its error.  Closing the generator drops what is under way.

    Args:
        items: What stands for the clips.
        decode: Gives the frames of an item; called in several threads at once.
        network: What the frames go through.
        video_of: The video of an item, for messages.
        window: How many successive frames the network sees at once; there is then a feature
            vector for each window, see `vidclass.features.windows`.
    """
    clips: deque[_Clip[Item]] = deque()
    with closing(run_each(decode, items)) as decoded:
        batches = _batches(decoded, clips, max(1, network.batch_frames // window), window)
        with closing(run_each(_through(network), batches, workers=network.parallel)) as outputs:
            for done in outputs:
                _hand_out(_result(done), clips)
                yield from _finished(clips, video_of, window)
    yield from _finished(clips, video_of, window)


@dataclass
class _Clip(Generic[Item]):
    """A decoded clip, and the rows of features that have come for it so far."""

    item: Item
    frames: FrameBatch | None
    error: VidclassError | None
    rows: list[FloatArray] = field(default_factory=list)
    missing: int = 0


def _through(network: Network) -> Callable[[UInt8Array], FloatArray]:
    return lambda frames: network.run(frames=frames)


def _batches(
    decoded: Iterator[Done[Item, FrameBatch]], clips: deque[_Clip[Item]], size: int, window: int
) -> Iterator[UInt8Array]:
    """Full batches across clips, the last one excepted; notes each clip in `clips` on its way."""
    parts: list[UInt8Array] = []
    held = 0
    for done in decoded:
        clip = _Clip(done.item, done.result, done.error)
        clips.append(clip)
        if clip.frames is None:
            continue
        rest = network_input(clip.frames, window)
        clip.missing = len(rest)
        while held + len(rest) >= size:
            parts.append(rest[: size - held])
            rest = rest[size - held :]
            # A batch that lies within one clip is a view: nothing is copied.
            yield parts[0] if len(parts) == 1 else np.concatenate(parts)
            parts, held = [], 0
        if len(rest):
            parts.append(rest)
            held += len(rest)
    if parts:
        yield np.concatenate(parts)


def _result(done: Done[UInt8Array, FloatArray]) -> FloatArray:
    if done.result is None:
        raise done.error or RuntimeRouteError("the network gave nothing")
    return done.result


def _hand_out(rows: FloatArray, clips: deque[_Clip[Item]]) -> None:
    """Give each clip its rows: they come in the clips' order."""
    for clip in clips:
        taken, rows = rows[: clip.missing], rows[clip.missing :]
        if len(taken):
            clip.rows.append(taken)
            clip.missing -= len(taken)
        if not len(rows):
            return


def _finished(
    clips: deque[_Clip[Item]], video_of: Callable[[Item], object], window: int
) -> Iterator[Done[Item, ExtractedClip]]:
    while clips and not clips[0].missing:
        clip = clips.popleft()
        if clip.frames is None:
            yield Done(clip.item, None, clip.error)
            continue
        features = np.concatenate(clip.rows)
        times_s = network_times_s(clip.frames, window)
        try:
            _require_finite(video_of(clip.item), features, times_s)
        except VideoError as error:
            yield Done(clip.item, None, error)
            continue
        yield Done(clip.item, ExtractedClip(clip.frames, _to_float16(features, times_s)))


def _require_finite(video: object, features: FloatArray, times_s: NDArray[np.float64]) -> None:
    """Refuse NaN and infinity: one such clip would spoil a whole training."""
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise VideoError(
            video,
            f"the backbone made NaN or infinity of {len(bad)} of its {len(features)} frames, "
            f"first of the one at {times_s[bad[0]]:.2f} s",
            hint="Look at that frame; if it is sound, try other weights or another backbone.",
            stage="extract",
        )


def _to_float16(features: FloatArray, times_s: NDArray[np.float64]) -> ClipFeatures:
    """Features are float16 everywhere, stored or not.

    So a stored clip and the same clip seen for the first time give a head the same numbers.
    """
    # A float16 ends at 65,504; a network with larger outputs must not turn into infinities.
    limit = float(np.finfo(np.float16).max)
    return ClipFeatures(np.clip(features, -limit, limit).astype(np.float16), times_s)
