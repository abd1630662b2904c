"""Feature pipeline: decoding overlaps with the network, so that every core is busy.

Frames of neighbouring clips share a batch, so that the network always gets full ones.  Threads
decode and compute, since FFmpeg and OpenVINO release Python's lock; nothing is pickled.  The queues
between the stages are bounded, so memory depends neither on the number of clips nor on their
length.
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
    """Frames of a clip and their features."""

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

    A clip that cannot be decoded, or for which the network returns NaN or infinity, comes with its
    error.  Closing the generator drops the work in progress.

    Args:
        items: Items that stand for the clips.
        decode: Function that decodes the frames of an item; called in several threads at once.
        network: The network.
        video_of: Function that returns the video of an item, for messages.
        window: Number of successive frames that the network sees at once; there is then one feature
            vector for each window, see `vidclass.features.windows`.
    """
    clips: deque[_Clip[Item]] = deque()
    with closing(run_each(decode, items)) as decoded:
        batches = _batches(decoded, clips, max(1, network.batch_frames // window), window)
        with closing(run_each(_runner(network), batches, workers=network.parallel)) as outputs:
            for done in outputs:
                _assign(_result(done), clips)
                yield from _finished(clips, video_of, window)
    yield from _finished(clips, video_of, window)


@dataclass
class _Clip(Generic[Item]):
    """A decoded clip, the features computed for it so far, and the number of missing ones."""

    item: Item
    frames: FrameBatch | None
    error: VidclassError | None
    rows: list[FloatArray] = field(default_factory=list)
    missing: int = 0


def _runner(network: Network) -> Callable[[UInt8Array], FloatArray]:
    return lambda frames: network.run(frames=frames)


def _batches(
    decoded: Iterator[Done[Item, FrameBatch]], clips: deque[_Clip[Item]], size: int, window: int
) -> Iterator[UInt8Array]:
    """Yield batches across clips, all but the last one full; append each clip to `clips`."""
    parts: list[UInt8Array] = []
    buffered = 0
    for done in decoded:
        clip = _Clip(done.item, done.result, done.error)
        clips.append(clip)
        if clip.frames is None:
            continue
        rest = network_input(clip.frames, window)
        clip.missing = len(rest)
        while buffered + len(rest) >= size:
            parts.append(rest[: size - buffered])
            rest = rest[size - buffered :]
            # A batch within one clip is a view: nothing is copied.
            yield parts[0] if len(parts) == 1 else np.concatenate(parts)
            parts, buffered = [], 0
        if len(rest):
            parts.append(rest)
            buffered += len(rest)
    if parts:
        yield np.concatenate(parts)


def _result(done: Done[UInt8Array, FloatArray]) -> FloatArray:
    if done.result is None:
        raise done.error or RuntimeRouteError("the network returned no output")
    return done.result


def _assign(rows: FloatArray, clips: deque[_Clip[Item]]) -> None:
    """Assign feature vectors to their clips; both come in the same order."""
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
    """Raise if a feature is NaN or infinite: one such clip would ruin a whole training."""
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise VideoError(
            video,
            f"the backbone returned NaN or infinity for {len(bad)} of its {len(features)} frames, "
            f"first for the one at {times_s[bad[0]]:.2f} s",
            hint="Look at that frame; if it is sound, try other weights or another backbone.",
            stage="extract",
        )


def _to_float16(features: FloatArray, times_s: NDArray[np.float64]) -> ClipFeatures:
    """Convert features to float16, stored or not.

    So a head gets the same values from a stored clip and from one that is decoded now.
    """
    # The largest float16 is 65,504; larger outputs of a network must not become infinite.
    limit = float(np.finfo(np.float16).max)
    return ClipFeatures(np.clip(features, -limit, limit).astype(np.float16), times_s)
