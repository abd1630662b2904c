"""Windows of successive frames, for networks that see several at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidclass.types import FrameBatch, UInt8Array


def window_count(frames: int, window: int) -> int:
    """Return the number of windows that cover `frames` frames.

    >>> [window_count(frames, 16) for frames in (1, 16, 17, 32)]
    [1, 1, 2, 2]
    """
    return -(-frames // window)


def window_rows(frames: int, window: int) -> NDArray[np.int64]:
    """Return the frame indices of each window, (S,window).

    Windows do not overlap, except that the last one is moved back to end with the clip.  A clip
    shorter than a window repeats its last frame.

    >>> window_rows(5, 3).tolist()
    [[0, 1, 2], [2, 3, 4]]
    >>> window_rows(2, 3).tolist()
    [[0, 1, 1]]
    """
    starts = np.arange(window_count(frames, window)) * window
    starts = np.minimum(starts, max(frames - window, 0))
    return np.asarray(np.minimum(starts[:, None] + np.arange(window), frames - 1), np.int64)


def network_input(batch: FrameBatch, window: int) -> UInt8Array:
    """Return the network input for a clip: frames (T,H,W,3), or windows (S,window,H,W,3)."""
    if window == 1:
        return batch.frames
    return batch.frames[window_rows(len(batch.frames), window)]


def network_times_s(batch: FrameBatch, window: int) -> NDArray[np.float64]:
    """Return the time of each feature vector, (S,): that of the frame, or the window's mean."""
    if window == 1:
        return batch.timestamps_s
    rows = window_rows(len(batch.frames), window)
    return np.asarray(batch.timestamps_s[rows].mean(axis=1), np.float64)
