"""How a stored frame must be turned to stand upright: rotation metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.video.frame import VideoFrame

from vidclass.types import UInt8Array


@dataclass(frozen=True)
class Orientation:
    """First swap the axes, then flip: all eight positions of a picture.

    Angles other than quarter turns are taken as the nearest quarter turn.
    """

    swap_axes: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """What the file's display matrix asks for; upright where it has none."""
        try:
            data = cast("Buffer | None", frame.side_data.get("DISPLAYMATRIX"))
        except ValueError:
            # PyAV lists no side data at all where it does not know the kind of one (EXIF, the
            # views of stereo video).  The turn it still tells; a mirroring is lost.
            return cls.turned(-frame.rotation)
        if data is None:
            return cls()
        # x' = a x + c y, y' = b x + d y; the third column is not about turning.
        a, b, _, c, d = (int(value) for value in np.frombuffer(memoryview(data), np.int32)[:5])
        if abs(b) > abs(a):
            return cls(swap_axes=True, flip_x=c < 0, flip_y=b < 0)
        return cls(flip_x=a < 0, flip_y=d < 0)

    @classmethod
    def turned(cls, clockwise_deg: int) -> Orientation:
        """A turn without mirroring."""
        quarters = round(clockwise_deg / 90) % 4
        return cls(
            swap_axes=quarters in (1, 3), flip_x=quarters in (1, 2), flip_y=quarters in (2, 3)
        )

    @property
    def rotation_deg(self) -> int:
        """The clockwise turn, in degrees, that it comes to (after a mirroring, if any)."""
        if self.swap_axes:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    def flips_of_stored(self) -> tuple[bool, bool]:
        """Whether the stored picture's own left and right, top and bottom change sides."""
        return (self.flip_y, self.flip_x) if self.swap_axes else (self.flip_x, self.flip_y)

    def apply(self, picture: UInt8Array) -> UInt8Array:
        """Turn a picture (H,W,3) upright."""
        if self.swap_axes:
            picture = picture.swapaxes(0, 1)
        if self.flip_x:
            picture = picture[:, ::-1]
        if self.flip_y:
            picture = picture[::-1]
        return picture
