from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.errors import ConfigError, ShapeError
from vidclass.types import UInt8Array
from vidclass.video.write import CODEC_OPTIONS, CONTAINERS, write_video


def ramp(count: int, height: int = 48, width: int = 64) -> list[UInt8Array]:
    """Return frames of one colour each, the red of which grows by 20."""
    return [np.full((height, width, 3), (10 + 20 * i, 90, 160), np.uint8) for i in range(count)]


def decoded(path: Path) -> UInt8Array:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames)


@pytest.mark.parametrize("suffix", sorted(CONTAINERS))
@pytest.mark.parametrize("codec", sorted(CODEC_OPTIONS))
def test_written_frames_are_read_back(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"clip{suffix}"
    assert write_video(path, iter(ramp(10)), fps=25, codec=codec) == 10
    frames = decoded(path)
    assert frames.shape == (10, 48, 64, 3)
    assert np.abs(frames.astype(int) - np.stack(ramp(10))).mean() < 4
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 25
        assert stream.codec_context.codec.canonical_name == {"libx264": "h264"}.get(codec, codec)


def test_a_rate_that_is_no_whole_number_is_kept(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi", ramp(5), fps=29.97)
    with av.open(str(tmp_path / "clip.avi")) as container:
        rate = container.streams.video[0].average_rate
    assert float(rate) == pytest.approx(29.97, abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    codec=st.sampled_from(["mpeg4", "libx264"]),
)
def test_odd_sizes_gain_one_pixel(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, codec: str
) -> None:
    path = tmp_path_factory.mktemp("odd") / "clip.mp4"
    write_video(path, ramp(2, height, width), fps=10, codec=codec)
    assert decoded(path).shape == (2, height + height % 2, width + width % 2, 3)


def test_with_key_every_1_frames_do_not_depend_on_their_order(tmp_path: Path) -> None:
    frames = list(np.random.default_rng(0).integers(0, 255, (9, 48, 64, 3), np.uint8))
    write_video(tmp_path / "there.avi", frames, fps=25, key_every=1)
    write_video(tmp_path / "back.avi", frames[::-1], fps=25, key_every=1)
    there, back = decoded(tmp_path / "there.avi"), decoded(tmp_path / "back.avi")
    np.testing.assert_array_equal(there, back[::-1])


def test_frames_are_taken_one_at_a_time(tmp_path: Path) -> None:
    alive: list[int] = []

    def frames() -> Iterator[UInt8Array]:
        for frame in ramp(12):
            alive.append(len(list(tmp_path.iterdir())))
            yield frame

    write_video(tmp_path / "clip.avi", frames(), fps=25)
    assert alive[-1] == 1  # the unfinished file is there while frames still come
    assert [file.name for file in tmp_path.iterdir()] == ["clip.avi"]


def test_folders_are_made(tmp_path: Path) -> None:
    write_video(tmp_path / "a" / "b" / "clip.mkv", ramp(1), fps=1)
    assert len(decoded(tmp_path / "a" / "b" / "clip.mkv")) == 1


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(b"old")

    def frames() -> Iterator[UInt8Array]:
        yield from ramp(3)
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="camera unplugged"):
        write_video(path, frames(), fps=25)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["clip.avi"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("clip.webm", {}, r"suffix='\.webm' is not one of \['\.avi'"),
        ("clip.av", {}, r"Did you mean '\.avi'\?"),
        ("clip.avi", {"codec": "mpeg"}, r"codec='mpeg' is not one of .* Did you mean 'mpeg4'\?"),
        ("clip.avi", {"fps": 0}, r"fps=0 must be between 0\.01 and 1000"),
        ("clip.avi", {"fps": float("nan")}, r"fps=nan must be between"),
        ("clip.avi", {"key_every": 0}, r"key_every=0 must be at least 1"),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        write_video(tmp_path / name, ramp(1), **{"fps": 25, **options})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], r"frames has 0 frames; a video needs at least 1"),
        (
            [np.zeros((4, 4), np.uint8)],
            r"frame 0 must be \(H,W,3\) uint8, received: \(4, 4\) uint8",
        ),
        ([np.zeros((4, 0, 3), np.uint8)], r"frame 0 must be .*\(4, 0, 3\)"),
        ([np.zeros((4, 4, 3), np.float32)], r"frame 0 must be .* float32"),
        (
            [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 18, 3), np.uint8)],
            r"frame 1 is \(16, 18, 3\), but frame 0 is \(16, 16, 3\)",
        ),
    ],
)
def test_wrong_frames_are_named(tmp_path: Path, frames: list[UInt8Array], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        write_video(tmp_path / "clip.avi", frames, fps=25)
    assert list(tmp_path.iterdir()) == []
