"""`centre` equals what the Keras example makes with OpenCV, within a stated tolerance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.types import Span
from vidclass.video.decode import decode_clip

cv2 = pytest.importorskip("cv2")

# Levels of 255; worst measured on these clips: 0.55 and 9 at 224, 0.11 and 1 at 299.
MEAN_TOLERANCE = 0.7
PERCENTILE_TOLERANCE = 10
FIRST = SamplingConfig(policy="first", frames=20)
REAL_CLIPS = [
    "ucf101_tiny/*/v_*.avi",
    "ucf11_9class/*/v_juggle_04_02.avi",
    "ucf11_9class/*/v_jumping_04_01.avi",
    "ucf11_9class/*/v_golf_05_07.avi",
    "ucf11_9class/*/v_walk_dog_05_02.avi",
]


def opencv_images(path: Path, size: int, count: int) -> np.ndarray:
    """Return the first frames as the example prepares them."""
    capture = cv2.VideoCapture(str(path))
    images = []
    for _ in range(count):
        is_read, frame = capture.read()
        if not is_read:
            break
        y, x = frame.shape[:2]
        side = min(y, x)
        left, top = x // 2 - side // 2, y // 2 - side // 2
        square = frame[top : top + side, left : left + side]
        images.append(cv2.resize(square, (size, size))[:, :, [2, 1, 0]])
    capture.release()
    return np.stack(images)


def difference(path: Path, size: int) -> tuple[float, float]:
    """Return the mean and the 99.9th percentile of the absolute difference."""
    ours = decode_clip(path, span=Span(), sampling=FIRST, geometry=GeometryConfig(size=size)).frames
    theirs = opencv_images(path, size, len(ours))
    apart = np.abs(ours.astype(int) - theirs)
    return float(apart.mean()), float(np.percentile(apart, 99.9))


@pytest.mark.slow
@pytest.mark.parametrize("size", [224, 240, 299])
def test_real_clips(size: int, shared: Path) -> None:
    paths = [path for clips in REAL_CLIPS for path in sorted((shared / "data").glob(clips))]
    assert len(paths) >= 15
    for path in paths:
        mean, percentile = difference(path, size)
        assert mean <= MEAN_TOLERANCE, path
        assert percentile <= PERCENTILE_TOLERANCE, path


@pytest.mark.parametrize("name", ["v.avi", "v.mp4"])
@pytest.mark.parametrize("size", [(320, 240), (241, 225), (256, 340)])
def test_moving_synthetic_clip(
    name: str, size: tuple[int, int], tiny_video: Callable[..., Path]
) -> None:
    width, height = (side - side % 2 if name == "v.mp4" else side for side in size)
    y, x = np.mgrid[:height, :width]
    frames = [
        np.stack([128 + 100 * np.sin((x + 3 * k) / 17), y * 255 / height, x * 255 / width], -1)
        for k in range(8)
    ]
    path = tiny_video(name, frames=[frame.astype(np.uint8) for frame in frames])
    mean, percentile = difference(path, 224)
    assert mean <= (1.0 if height % 2 else MEAN_TOLERANCE)
    assert percentile <= PERCENTILE_TOLERANCE


def test_the_last_columns_and_rows_of_odd_sizes_are_there(
    tiny_video: Callable[..., Path],
) -> None:
    white = np.full((47, 47, 3), 255, np.uint8)
    path = tiny_video("v.avi", frames=[white])
    whole = GeometryConfig(size=47, crop="whole")
    image = decode_clip(path, span=Span(), sampling=FIRST, geometry=whole).frames[0]
    assert image.min() > 245


def test_greater_reductions_are_smoothed_where_opencv_skips(
    tiny_video: Callable[..., Path],
) -> None:
    # Lines one pixel wide, every third one light, average to a plain third of the brightness.
    image = np.zeros((960, 960, 3), np.uint8)
    image[:, ::3] = 240
    path = tiny_video("v.mkv", codec="ffv1", pixel_format="bgr0", frames=[image])
    geometry = GeometryConfig(size=192)
    ours = decode_clip(path, span=Span(), sampling=FIRST, geometry=geometry).frames[0]
    assert ours[:, 4:-4].std() < 12
    assert opencv_images(path, 192, 1).std() > 60
