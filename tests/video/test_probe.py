from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.video.probe import VideoInfo, probe

TinyVideo = Callable[..., Path]


def test_everything_about_a_plain_video(tiny_video: TinyVideo) -> None:
    path = tiny_video("v.mp4", frames=40, fps=20, audio=False)
    assert probe(path) == VideoInfo(
        path=path,
        duration_s=2.0,
        width=64,
        height=48,
        rotation_deg=0,
        fps=20.0,
        frame_count=40,
        codec="h264",
        pixel_format="yuv420p",
        has_audio=False,
        variable_frame_rate=False,
    )


def test_sound_is_noticed(tiny_video: TinyVideo) -> None:
    assert probe(tiny_video("v.mkv", audio=True)).has_audio


@pytest.mark.parametrize("name", ["v.avi", "v.mp4", "v.mkv"])
def test_rounded_times_are_a_constant_rate(name: str, tiny_video: TinyVideo) -> None:
    info = probe(tiny_video(name, frames=60, fps=30))
    assert info.fps == pytest.approx(30, rel=1e-3)
    assert not info.variable_frame_rate


def test_varying_rate(tiny_video: TinyVideo) -> None:
    info = probe(tiny_video("v.mkv", frames=4, times_s=[0.0, 0.1, 0.2, 3.0]))
    assert info.variable_frame_rate
    assert info.fps == pytest.approx(1.0)
    assert info.duration_s >= 3.0


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_size_is_that_of_the_image_as_shown(rotation_deg: int, tiny_video: TinyVideo) -> None:
    info = probe(tiny_video("v.mp4", frames=3, rotation_deg=rotation_deg))
    assert info.rotation_deg == rotation_deg
    assert (info.width, info.height) == ((64, 48) if rotation_deg % 180 == 0 else (48, 64))


def test_one_frame(tiny_video: TinyVideo) -> None:
    info = probe(tiny_video(frames=1))
    assert (info.frame_count, info.fps, info.variable_frame_rate) == (1, 25.0, False)
    assert info.duration_s == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dmlc+decord__video_90.mov", (320, 568, 90, 3, "h264", "yuv420p")),
        ("dmlc+decord__video_270.mov", (320, 568, 270, 3, "h264", "yuv420p")),
        ("open-mmlab+mmaction2__test.avi", (320, 240, 0, 164, "mpeg4", "yuv420p")),
        ("pytorch+torchcodec__av1_video.mkv", (640, 360, 0, 125, "av1", "yuv420p")),
        ("pytorch+torchcodec__h265_10bits.mp4", (200, 200, 0, 30, "hevc", "yuv420p10le")),
        ("pytorch+torchcodec__nasa_13013.mp4", (320, 180, 0, 325, "h264", "yuv420p")),
    ],
)
def test_real_files(name: str, expected: tuple[object, ...], shared: Path) -> None:
    info = probe(shared / "media" / name)
    assert expected == (
        info.width,
        info.height,
        info.rotation_deg,
        info.frame_count,
        info.codec,
        info.pixel_format,
    )
