"""From a decoded frame to an upright square RGB picture, by FFmpeg's filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame

from vidclass.config import GeometryConfig
from vidclass.types import UInt8Array
from vidclass.video.container import check_size
from vidclass.video.orientation import Orientation

# AVCOL_SPC_UNSPECIFIED: FFmpeg then takes BT.601, as OpenCV does.
_UNSPECIFIED_SPACE = 2


class PictureMaker:
    """Crop, convert, scale and turn frames; keeps FFmpeg's filters between frames alike.

    `centre` gives the same picture as OpenCV's: RGB, a centred square and a bilinear `resize`,
    within the tolerance stated in `vidclass.video.decode`.

    Not for several threads at once: make one for each clip.
    """

    def __init__(self, path: Path, geometry: GeometryConfig) -> None:
        """Nothing is set up before the first frame shows its format."""
        self._path = path
        self._geometry = geometry
        self._graph: Graph | None = None
        self._made_for: tuple[object, ...] = ()

    def rgb(self, frame: VideoFrame) -> UInt8Array:
        """The picture; (size, size, 3) uint8."""
        check_size(self._path, frame.width, frame.height)
        turn = Orientation.of(frame)
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if self._graph is None or self._made_for != (kind, turn):
            self._graph, self._made_for = self._build(frame, turn), (kind, turn)
        self._graph.vpush(frame)
        picture = self._graph.vpull().to_ndarray()
        return turn.apply(picture.astype(np.uint8, copy=False))

    def _build(self, frame: VideoFrame, turn: Orientation) -> Graph:
        size = self._geometry.size
        x, y, width, height = self._window(frame, turn)
        space = "" if frame.colorspace == _UNSPECIFIED_SPACE else f":colorspace={frame.colorspace}"
        steps = [
            (
                "buffer",
                f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
                f":time_base=1/1000:range={frame.color_range}{space}",
            ),
            # RGB first and at full size, as OpenCV does it: colours scaled in YUV come out two
            # to four times as far from it.
            ("scale", "flags=bicubic"),
            ("format", "rgb24"),
            ("crop", f"{width}:{height}:{x}:{y}"),
            # Planes of RGB are scaled in nearly half the time that packed RGB takes.  Straight
            # from YUV to planes FFmpeg leaves the last column of odd widths black.
            ("scale", ""),
            ("format", "gbrp"),
            ("scale", f"{size}:{size}:flags=bilinear"),
            ("format", "gbrp"),
            ("scale", ""),
            ("format", "rgb24"),
            ("buffersink", ""),
        ]
        graph = Graph()
        graph.threads = 1
        graph.link_nodes(*[graph.add(name, options or None) for name, options in steps])
        graph.configure()
        return graph

    def _window(self, frame: VideoFrame, turn: Orientation) -> tuple[int, int, int, int]:
        """The part of the stored frame to use: left, top, width, height."""
        width, height = frame.width, frame.height
        if self._geometry.crop == "whole":
            return 0, 0, width, height
        side = min(width, height)
        left, top = width // 2 - side // 2, height // 2 - side // 2
        # The centre is a matter of the picture as shown; a flip moves it by the odd pixel.
        flip_stored_x, flip_stored_y = turn.flips_of_stored()
        if flip_stored_x:
            left = width - side - left
        if flip_stored_y:
            top = height - side - top
        return left, top, side, side
