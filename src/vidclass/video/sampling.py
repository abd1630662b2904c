"""Sample the frames of a clip: arithmetic on times, without any file.

The frame at a time is the last one shown at or before it.

Equal parts with one frame of each, drawn at random for training and taken from the middle for
testing, are the sampling of TSN (L. Wang et al., "Temporal Segment Networks", ECCV 2016).
"""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
from numpy.typing import NDArray

from vidclass.config import SamplingConfig
from vidclass.errors import ConfigError

Times = NDArray[np.float64]
# Times are sums and products of fractions: below this, two of them are the same.
_SAME_S = 1e-6


def uniform_timestamps_s(start_s: float, stop_s: float, count: int) -> Times:
    """Return the mid-points of `count` equal parts of [start_s, stop_s); (count,) seconds.

    >>> uniform_timestamps_s(0.0, 4.0, 2).tolist()
    [1.0, 3.0]
    """
    part_s = (stop_s - start_s) / count
    return np.array([start_s + (i + 0.5) * part_s for i in range(count)], np.float64)


def random_timestamps_s(
    start_s: float, stop_s: float, count: int, rng: np.random.Generator
) -> Times:
    """Draw one time from each of `count` equal parts of [start_s, stop_s); (count,) seconds.

    The parts are those whose mid-points `uniform_timestamps_s` gives.

    Args:
        start_s: The beginning.
        stop_s: The end, after `start_s`.
        count: Number of parts.
        rng: Random generator; see `clip_generator`.
    """
    part_s = (stop_s - start_s) / count
    times_s: Times = start_s + (np.arange(count) + rng.random(count)) * part_s
    # The sum may round up to the end, which is outside.
    return np.minimum(times_s, np.nextafter(stop_s, start_s))


def views_timestamps_s(start_s: float, stop_s: float, count: int, views: int) -> Times:
    """Return `views` sets of `count` evenly spaced times, each a little later; (views,count) s.

    Every view has one time in each of `count` equal parts of [start_s, stop_s).  One view is
    `uniform_timestamps_s`; all of them together are the mid-points of `count * views` parts.

    >>> views_timestamps_s(0.0, 8.0, 2, 2).tolist()
    [[1.0, 5.0], [3.0, 7.0]]
    """
    return uniform_timestamps_s(start_s, stop_s, count * views).reshape(count, views).T


def clip_generator(seed: int, clip_key: str, *, epoch: int = 0) -> np.random.Generator:
    """Return the random generator of one clip in one epoch, which depends on these values only."""
    text = json.dumps([seed, clip_key, epoch])
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def stride_timestamps_s(start_s: float, stop_s: float, stride_s: float, count: int) -> Times:
    """Return every `stride_s` seconds from `start_s` on, before `stop_s`, at most `count`; seconds.

    >>> stride_timestamps_s(0.0, 1.0, 0.4, 20).tolist()
    [0.0, 0.4, 0.8]
    """
    fitting = math.ceil((stop_s - start_s - _SAME_S) / stride_s)
    return np.array(
        [start_s + i * stride_s for i in range(min(max(fitting, 1), count))], np.float64
    )


def choose_frames(
    sampling: SamplingConfig,
    frame_times_s: Times,
    start_s: float,
    stop_s: float,
    *,
    rng: np.random.Generator | None = None,
) -> NDArray[np.int64]:
    """Return the numbers of the sampled frames, strictly rising; (n,), 1 <= n <= `total_frames`.

    The span's frames are the one on show at `start_s` and all that follow before `stop_s`.
    Where they are no more than `sampling.total_frames`, every policy but `stride` gives each of
    them once.  A frame that stays on show over several of the chosen times (videos of varying
    rate) is given once.

    Args:
        sampling: The policy, and the maximum number of frames.
        frame_times_s: (N,) when each frame of the video is first shown, never falling.
        start_s: The beginning of the span, before the end of the video.
        stop_s: The end of the span, after `start_s`.
        rng: Random generator; only the policy `random` needs it.

    Raises:
        ConfigError: the policy is `random`, and `rng` is not given.
    """
    count = sampling.total_frames
    first = int(_frames_at(frame_times_s, np.array([start_s]))[0])
    past = int(np.searchsorted(frame_times_s, stop_s - _SAME_S, side="left"))
    past = max(past, first + 1)
    if sampling.policy == "random" and rng is None:
        raise ConfigError("policy='random' draws frames: pass rng, for example clip_generator(...)")
    if sampling.policy == "first":
        return np.arange(first, min(past, first + count))
    if sampling.policy == "stride":
        times_s = stride_timestamps_s(start_s, stop_s, sampling.stride_s, count)
    elif past - first <= count:
        return np.arange(first, past)
    elif rng is not None and sampling.policy == "random":
        return _one_of_each_part(frame_times_s, (start_s, stop_s), (first, past), count, rng)
    else:
        times_s = uniform_timestamps_s(start_s, stop_s, count)
    return np.unique(np.clip(_frames_at(frame_times_s, times_s), first, past - 1))


def _one_of_each_part(
    frame_times_s: Times,
    span_s: tuple[float, float],
    limits: tuple[int, int],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw a frame from each part, one that begins in the part if any does.

    Without that condition, two parts could draw the frame on show at the border between them.
    """
    start_s, stop_s = span_s
    first, past = limits
    drawn = _frames_at(frame_times_s, random_timestamps_s(start_s, stop_s, count, rng))
    borders_s = start_s + np.arange(1, count) * ((stop_s - start_s) / count)
    inner = np.searchsorted(frame_times_s, borders_s - _SAME_S, side="left")
    borders = np.concatenate([[first], np.clip(inner, first, past), [past]])
    low, high = borders[:-1], borders[1:] - 1
    chosen = np.where(low <= high, np.clip(drawn, low, high), np.clip(drawn, first, past - 1))
    return np.unique(chosen).astype(np.int64)


def _frames_at(frame_times_s: Times, times_s: Times) -> NDArray[np.int64]:
    numbers = np.searchsorted(frame_times_s, times_s + _SAME_S, side="right") - 1
    return np.maximum(numbers, 0)
