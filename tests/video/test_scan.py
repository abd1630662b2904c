"""`scan_video`: every frame of a video, small and grey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.errors import VideoError
from vidclass.video.decode import COARSE_SIDE, scan_video

Scanned = list[tuple[float, NDArray[np.uint8]]]


def scan(path: Path) -> Scanned:
    frames: Scanned = []
    scan_video(path, lambda time_s, grey: frames.append((time_s, grey)))
    return frames


@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mkv"])
def test_every_frame_once_at_its_time(
    tiny_video: Callable[..., Path],
    frame_number: Callable[[NDArray[np.uint8]], int],
    name: str,
) -> None:
    frames = scan(tiny_video(name, frames=30, fps=25))
    assert [time_s for time_s, _ in frames] == pytest.approx(np.arange(30) / 25, abs=2e-3)
    for number, (_, grey) in enumerate(frames):
        assert (grey.shape, grey.dtype) == ((COARSE_SIDE, COARSE_SIDE), np.uint8)
        assert frame_number(grey[..., None].repeat(3, -1)) == number


def test_black_is_zero_and_white_is_255(tiny_video: Callable[..., Path]) -> None:
    for level in (0, 255):
        flat = np.full((48, 64, 3), level, np.uint8)
        [(_, grey)] = scan(tiny_video(f"{level}.mp4", frames=[flat]))
        assert np.abs(grey.astype(int) - level).max() <= 1


def test_damage_inside_is_found(tiny_video: Callable[..., Path]) -> None:
    path = tiny_video("a.avi", frames=60, options={"g": "60"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"only \d+ of its \d+ frames can be decoded"):
        scan(path)


def test_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"none")
    with pytest.raises(VideoError, match="is not a video that FFmpeg knows"):
        scan(tmp_path / "a.avi")
