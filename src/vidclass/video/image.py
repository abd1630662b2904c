"""Convert a decoded frame to an upright square RGB image with FFmpeg's filters."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame

from vidclass.config import GeometryConfig
from vidclass.errors import VideoError
from vidclass.types import UInt8Array
from vidclass.video.container import require_frame_size
from vidclass.video.hdr import HDR_TRANSFERS, to_sdr
from vidclass.video.orientation import Orientation

# AVCOL_SPC_UNSPECIFIED: FFmpeg then takes BT.601, as OpenCV does.
_UNSPECIFIED_SPACE = 2


class FrameConverter:
    """Crops, converts, scales and turns frames; keeps FFmpeg's filters between frames of a format.

    `centre` gives the same image as OpenCV's RGB conversion, a centred square and a bilinear
    `resize`, within the tolerance stated in `vidclass.video.decode`.  Four things that OpenCV
    ignores are corrected:

    - The square is one as shown, also where pixels are not square (`pixel_aspect`).
    - A frame that is marked as interlaced holds two moments, line by line: only the lines of the
      first, the top field, are used.
    - Transparent pixels become black.
    - High dynamic range (PQ, HLG) becomes standard range, see `vidclass.video.hdr`.

    Not thread-safe: create one for each clip.
    """

    def __init__(
        self, path: Path, geometry: GeometryConfig, *, pixel_aspect: Fraction = Fraction(1)
    ) -> None:
        """Store the settings; the filters are built when the first frame shows its format.

        Args:
            path: The video, for messages.
            geometry: Crop and size.
            pixel_aspect: Width of a stored pixel as shown, over its height.
        """
        self._path = path
        self._geometry = geometry
        self._pixel_aspect = pixel_aspect
        self._graph: Graph | None = None
        self._graph_key: tuple[object, ...] = ()

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return self._geometry.size

    def rgb(self, frame: VideoFrame) -> UInt8Array:
        """Return the frame as an image; (size, size, 3) uint8.

        Raises:
            VideoError: the frame is too large, or its pixel format cannot be converted.
        """
        require_frame_size(self._path, frame.width, frame.height)
        orientation = Orientation.from_frame(frame)
        key = (
            orientation,
            frame.width,
            frame.height,
            frame.format.name,
            frame.colorspace,
            frame.color_range,
            frame.interlaced_frame,
        )
        try:
            if self._graph is None or self._graph_key != key:
                self._graph, self._graph_key = self._build(frame, orientation), key
            self._graph.vpush(frame)
            image = self._graph.vpull().to_ndarray().astype(np.uint8, copy=False)
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(
                self._path,
                f"its frames ({frame.width}x{frame.height}, {frame.format.name}) cannot be "
                f"converted to RGB ({error})",
                hint="Convert it, for example to H.264.",
            ) from error
        if frame.color_trc in HDR_TRANSFERS:
            image = to_sdr(image, frame.color_trc)
        return orientation.apply(image)

    def _build(self, frame: VideoFrame, orientation: Orientation) -> Graph:
        size = self._geometry.size
        x, y, width, height = self._window(frame, orientation)
        space = "" if frame.colorspace == _UNSPECIFIED_SPACE else f":colorspace={frame.colorspace}"
        steps = [
            (
                "buffer",
                f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
                f":time_base=1/1000:range={frame.color_range}{space}",
            ),
            *([("field", "type=top")] if frame.interlaced_frame else []),
            # FFmpeg blends nothing while it looks colours up in a palette.
            *([("scale", ""), ("format", "rgba")] if frame.format.has_palette else []),
            # RGB first and at full size, as OpenCV does it: colours scaled in YUV differ from
            # it two to four times as much.
            ("scale", "flags=bicubic" + (":alphablend=uniform_color" if _has_alpha(frame) else "")),
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

    def _window(self, frame: VideoFrame, orientation: Orientation) -> tuple[int, int, int, int]:
        """Return the part of the stored frame, or of its field: left, top, width, height."""
        width, height, aspect = frame.width, frame.height, self._pixel_aspect
        if frame.interlaced_frame:
            height, aspect = -(-height // 2), aspect / 2
        if self._geometry.crop == "whole":
            return 0, 0, width, height
        # The side as shown, in heights of a pixel.
        side = min(width * aspect, Fraction(height))
        if self._geometry.short_side is not None:
            side *= Fraction(self._geometry.size, self._geometry.short_side)
        across, down = max(1, round(side / aspect)), max(1, round(side))
        left, top = width // 2 - across // 2, height // 2 - down // 2
        # The centre is that of the image as shown; a flip moves it by the odd pixel.
        flip_stored_x, flip_stored_y = orientation.flips_of_stored()
        if flip_stored_x:
            left = width - across - left
        if flip_stored_y:
            top = height - down - top
        return left, top, across, down


def _has_alpha(frame: VideoFrame) -> bool:
    # The colours of a palette may be transparent.
    return frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
