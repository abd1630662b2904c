"""Values passed between packages.

Axes: T frames, H W pixels, D feature width, K classes.  Times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import ShapeError, VidclassError, VideoError

UInt8Array = NDArray[np.uint8]
FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class FrameBatch:
    """Frames of one clip.  frames (T,H,W,3) uint8 RGB; timestamps_s (T,) float64.

    Raises:
        ShapeError: an array has another shape or type, or their lengths differ.
    """

    frames: UInt8Array
    timestamps_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check shapes and types."""
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            raise ShapeError(
                f"frames must be (T,H,W,3) uint8, received: {self.frames.shape} {self.frames.dtype}"
            )
        if self.timestamps_s.shape != (len(self.frames),):
            raise ShapeError(
                f"{len(self.frames)} frames but timestamps of shape {self.timestamps_s.shape}"
            )


@dataclass(frozen=True)
class Span:
    """A part [start_s, stop_s) of a video; `stop_s=None` means its end."""

    start_s: float = 0.0
    stop_s: float | None = None


@dataclass(frozen=True)
class ClipFeatures:
    """Features of one clip.  features (T,D) float16; timestamps_s (T,) float64.

    Raises:
        ShapeError: an array has another shape or type, or their lengths differ.
    """

    features: NDArray[np.float16]
    timestamps_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check shapes and types."""
        if self.features.ndim != 2 or self.features.dtype != np.float16:
            raise ShapeError(
                "features must be (T,D) float16, received: "
                f"{self.features.shape} {self.features.dtype}"
            )
        if self.timestamps_s.shape != (len(self.features),):
            raise ShapeError(
                f"{len(self.features)} features but timestamps of shape {self.timestamps_s.shape}"
            )


@dataclass(frozen=True)
class Failure:
    """Ledger row for a clip that could not be processed.

    Attributes:
        video: Path of the video.
        stage: Stage that failed: `probe`, `decode` or `extract`; empty if unknown.
        error_type: Class name of the error.
        message: The whole message.
        cause: What is wrong, without the file's name and the hint.
        hint: What to do about it; may be empty.
        start_s: Start of the clip in its video.
        stop_s: End of the clip; None for the end of the video.
    """

    video: str
    stage: str
    error_type: str
    message: str
    cause: str
    hint: str = ""
    start_s: float = 0.0
    stop_s: float | None = None

    @classmethod
    def from_error(
        cls,
        error: VidclassError,
        *,
        video: object,
        span: Span = Span(),  # noqa: B008  # frozen
    ) -> Failure:
        """Return the ledger row for `error` on `video`, or on a span of it."""
        if isinstance(error, VideoError):
            stage, cause, hint = error.stage, error.cause, error.hint
        else:
            stage, cause, hint = "", str(error).removesuffix("."), ""
        name = type(error).__name__
        return cls(str(video), stage, name, str(error), cause, hint, span.start_s, span.stop_s)


# Called with the name of a stage, the amount done, and the total.
Progress = Callable[[str, int, int], None]


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def part_of(progress: Progress, index: int, count: int) -> Progress:
    """Return a callback for piece `index` of `count` equal pieces of work that share `progress`."""
    if count == 1:
        return progress
    return lambda stage, done, total: progress(stage, index * total + done, count * total)
