"""Every frame of a video, coarse and grey: to find damage, and to judge what is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from vidclass.types import UInt8Array
from vidclass.video.container import check_size, open_video
from vidclass.video.decode import undecodable
from vidclass.video.frame_reader import Damage, decode_all
from vidclass.video.index import build_index

COARSE_SIDE = 32
_BLOCKS = 4  # FFmpeg brings each frame to so many times the side; blocks of that are averaged


def scan_video(path: Path, look: Callable[[float, UInt8Array], None]) -> None:
    """Decode a whole video, and tell `look` of every frame: its time in seconds, a small picture.

    The picture is (32,32) uint8, the lightness of the whole frame.  One frame is held at a time.

    Raises:
        VideoError: the file cannot be read, or frames are lost in it.
    """
    with open_video(path) as (container, stream):
        index = build_index(path, container, stream)
    shrink = VideoReformatter()
    side = COARSE_SIDE * _BLOCKS

    def see(frame: VideoFrame) -> None:
        check_size(path, frame.width, frame.height)
        stamp = -1 if frame.pts is None else frame.pts
        rank = int(np.searchsorted(index.stamps, stamp, "right")) - 1
        small = shrink.reformat(frame, side, side, "gray", interpolation="AREA").to_ndarray()
        blocks = small.reshape(COARSE_SIDE, _BLOCKS, COARSE_SIDE, _BLOCKS).mean((1, 3))
        look(float(index.times_s[max(rank, 0)]), blocks.round().astype(np.uint8))

    ranks, damage = decode_all(path, index, see)
    if damage is not None or not len(ranks):
        raise undecodable(path, damage or Damage(0, len(index), 0.0))
