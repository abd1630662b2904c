"""Rotation metadata: the turn that brings a stored frame upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.video.frame import VideoFrame

from vidclass.types import UInt8Array


@dataclass(frozen=True)
class Orientation:
    """First swap the axes, then flip: all eight orientations of an image.

    Angles other than quarter turns are taken as the nearest quarter turn.
    """

    swap_axes: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_frame(cls, frame: VideoFrame) -> Orientation:
        """Return the orientation of the frame's display matrix; upright where it has none."""
        try:
            data = cast("Buffer | None", frame.side_data.get("DISPLAYMATRIX"))
        except ValueError:
            # PyAV lists no side data at all where it does not know the type of one (EXIF, the
            # views of stereo video).  It still gives the rotation; a mirroring is lost.
            return cls.from_rotation(-frame.rotation)
        if data is None:
            return cls()
        # x' = a x + c y, y' = b x + d y; the third column is not about turning.
        a, b, _, c, d = (int(value) for value in np.frombuffer(memoryview(data), np.int32)[:5])
        if abs(b) > abs(a):
            return cls(swap_axes=True, flip_x=c < 0, flip_y=b < 0)
        return cls(flip_x=a < 0, flip_y=d < 0)

    @classmethod
    def from_rotation(cls, clockwise_deg: int) -> Orientation:
        """Return the orientation of a rotation without mirroring."""
        quarters = round(clockwise_deg / 90) % 4
        return cls(
            swap_axes=quarters in (1, 3), flip_x=quarters in (1, 2), flip_y=quarters in (2, 3)
        )

    @property
    def rotation_deg(self) -> int:
        """Clockwise rotation in degrees (after a mirroring, if any)."""
        if self.swap_axes:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    def flips_of_stored(self) -> tuple[bool, bool]:
        """Return whether left and right, and top and bottom, of the stored image change sides."""
        return (self.flip_y, self.flip_x) if self.swap_axes else (self.flip_x, self.flip_y)

    def apply(self, image: UInt8Array) -> UInt8Array:
        """Turn an image (H,W,3) upright."""
        if self.swap_axes:
            image = image.swapaxes(0, 1)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return image
