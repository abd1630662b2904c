"""Which frames of a clip are used: arithmetic on times, no files.

The frame at a time is the last one shown at or before it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidclass.config import SamplingConfig

Times = NDArray[np.float64]
# Times come out of sums and products of fractions: below this, two of them are the same.
_SAME_S = 1e-6


def uniform_timestamps_s(start_s: float, stop_s: float, count: int) -> Times:
    """Mid-points of `count` equal parts of [start_s, stop_s); (count,) seconds.

    >>> uniform_timestamps_s(0.0, 4.0, 2).tolist()
    [1.0, 3.0]
    """
    part_s = (stop_s - start_s) / count
    return np.array([start_s + (i + 0.5) * part_s for i in range(count)], np.float64)


def stride_timestamps_s(start_s: float, stop_s: float, stride_s: float, count: int) -> Times:
    """Every `stride_s` seconds from `start_s` on, before `stop_s`, at most `count`; seconds.

    >>> stride_timestamps_s(0.0, 1.0, 0.4, 20).tolist()
    [0.0, 0.4, 0.8]
    """
    fitting = math.ceil((stop_s - start_s - _SAME_S) / stride_s)
    return np.array(
        [start_s + i * stride_s for i in range(min(max(fitting, 1), count))], np.float64
    )


def choose_frames(
    sampling: SamplingConfig, frame_times_s: Times, start_s: float, stop_s: float
) -> NDArray[np.int64]:
    """Numbers of the frames to use, strictly rising; (n,) with 1 <= n <= `sampling.frames`.

    The span's frames are the one on show at `start_s` and all that follow before `stop_s`.
    Where they are no more than `sampling.frames`, `uniform` and `head` give each of them once.
    A frame that stays on show over several of the chosen times (videos of varying rate) is
    given once.

    Args:
        sampling: The policy, and how many frames at most.
        frame_times_s: (N,) when each frame of the video is first shown, never falling.
        start_s: The beginning of the span, before the end of the video.
        stop_s: The end of the span, after `start_s`.
    """
    first = int(_frames_at(frame_times_s, np.array([start_s]))[0])
    past = int(np.searchsorted(frame_times_s, stop_s - _SAME_S, side="left"))
    past = max(past, first + 1)
    if sampling.policy == "head":
        return np.arange(first, min(past, first + sampling.frames))
    if sampling.policy == "stride":
        times_s = stride_timestamps_s(start_s, stop_s, sampling.stride_s, sampling.frames)
    elif past - first <= sampling.frames:
        return np.arange(first, past)
    else:
        times_s = uniform_timestamps_s(start_s, stop_s, sampling.frames)
    return np.unique(np.clip(_frames_at(frame_times_s, times_s), first, past - 1))


def _frames_at(frame_times_s: Times, times_s: Times) -> NDArray[np.int64]:
    numbers = np.searchsorted(frame_times_s, times_s + _SAME_S, side="right") - 1
    return np.maximum(numbers, 0)
