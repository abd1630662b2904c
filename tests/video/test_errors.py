"""Every bad file raises an error that says what is wrong with it."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import ConfigError, VideoError
from vidclass.types import FrameBatch, Span
from vidclass.video import container as container_module
from vidclass.video import frame_reader
from vidclass.video.decode import decode_clip
from vidclass.video.probe import probe

TinyVideo = Callable[..., Path]
FASTSTART = {"movflags": "faststart"}


def take(path: Path, *, frames: int = 20, stop_s: float | None = None) -> FrameBatch:
    return decode_clip(
        path,
        span=Span(0.0, stop_s),
        sampling=SamplingConfig(frames=frames),
        geometry=GeometryConfig(size=48),
    )


def refused(path: Path, message: str) -> VideoError:
    """Assert that decoding and probing refuse the file with the same message."""
    with pytest.raises(VideoError, match=message) as caught:
        take(path)
    with pytest.raises(VideoError, match=message):
        probe(path)
    assert caught.value.stage == "probe"
    assert caught.value.hint
    assert str(path) in str(caught.value)
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "no.mp4", r"no such file\. Check the path")


def test_folder(tmp_path: Path) -> None:
    refused(tmp_path, r"is a folder, not a video\. Give the files in it")


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    refused(path, r"the file is empty \(0 bytes\)\. Copy or download it again")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="this user may read all files")
def test_unreadable_file(tiny_video: TinyVideo) -> None:
    path = tiny_video()
    path.chmod(0)
    refused(path, r"may not be read \(permission denied\)\. Change its permissions")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "denied"), r"may not be read \(permission denied\)"),
        (OSError(5, "Input/output error"), r"cannot be read \(Input/output error\)"),
    ],
)
@pytest.mark.parametrize("method", ["open", "stat"])
def test_errors_of_the_system(
    error: OSError, message: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    path = tmp_path / "v.avi"
    path.write_bytes(b"video")
    with monkeypatch.context() as patch:
        patch.setattr(Path, method, fail)
        refused(path, message)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.avi")
    refused(tmp_path / "pipe.avi", r"is a pipe, a socket or a device, not a file\. Save the video")


@pytest.mark.skipif(os.name != "posix", reason="there are no devices in folders")
def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zero.avi").symlink_to("/dev/zero")
    refused(tmp_path / "zero.avi", r"is a pipe, a socket or a device, not a file")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("notes.txt", b"These are notes about videos, and no video.\n" * 50),
        ("notes.mp4", b"These are notes about videos, and no video.\n" * 50),
        ("noise.avi", np.random.default_rng(0).bytes(20_000)),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"),
    ],
)
def test_not_a_video(name: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    refused(path, r"is not a video that FFmpeg knows, or its beginning is damaged\. Open it in")


def test_sound_alone(tiny_video: TinyVideo) -> None:
    path = tiny_video("sound.wav", frames=0, audio=True)
    refused(path, r"has no video stream \(only audio\)\. Remove it")


def test_a_cover_image_is_no_video(tiny_video: TinyVideo, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as file:
        sound = file.add_stream("aac", rate=8000)
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
        file.mux([*sound.encode(frame), *sound.encode(None)])
        file.mux([*cover.encode(image), *cover.encode(None)])
    refused(path, r"has no video stream \(only audio\)")


def test_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "none.avi"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        file.start_encoding()
    refused(path, r"its video stream has no frames\. Copy or record it again")


@pytest.mark.parametrize("name", ["v.mp4", "v.avi", "v.mkv"])
def test_truncated(name: str, tiny_video: TinyVideo) -> None:
    path = tiny_video(name, frames=150, container_options=FASTSTART if name == "v.mp4" else {})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    error = refused(
        path, r"truncated: its header announces 6\.0 s, the data ends at [1-4]\.\d s\. Copy or"
    )
    assert "re-encode" in error.hint


def test_truncated_before_the_index(tiny_video: TinyVideo) -> None:
    path = tiny_video("v.mp4", frames=150)
    path.write_bytes(path.read_bytes()[:2000])
    refused(path, r"its index \(the moov box\) is missing, so the file was cut off or never")


def test_a_file_that_cannot_be_read_to_its_end(tiny_video: TinyVideo) -> None:
    path = tiny_video("v.y4m", codec="rawvideo", frames=10)
    parts = path.read_bytes().split(b"FRAME")
    path.write_bytes(b"FRAME".join(parts[:6]) + b"NOISE" + b"FRAME".join(parts[6:]))
    refused(path, r"is damaged or cut off: it cannot be read to its end \(Invalid data.*\)\. Copy")


def test_frames_that_cannot_be_converted(
    tiny_video: TinyVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr("vidclass.video.image.Graph", fail)
    with pytest.raises(VideoError, match=r"\(64x48, yuv420p\) cannot be converted to RGB"):
        take(tiny_video())


def test_frames_too_large(tiny_video: TinyVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_module, "MAX_PIXELS", 3000)
    refused(tiny_video(), r"its frames are 64x48, more than 3000 pixels\. The header may be")


def test_the_limit_can_be_set(tiny_video: TinyVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCLASS_MAX_PIXELS", "3071")
    refused(tiny_video(), r"64x48, more than 3071 pixels\. .* set VIDCLASS_MAX_PIXELS to a higher")
    monkeypatch.setenv("VIDCLASS_MAX_PIXELS", "3072")
    assert len(take(tiny_video()).frames) == 20
    monkeypatch.setenv("VIDCLASS_MAX_PIXELS", "")
    assert container_module.max_pixels() == container_module.MAX_PIXELS


@pytest.mark.parametrize("value", ["many", "0", "-5", "1e6", "268435457", "٣x"])
def test_a_wrong_limit_is_a_wrong_setting(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCLASS_MAX_PIXELS", value)
    message = rf"VIDCLASS_MAX_PIXELS='{value}' must be a whole number of pixels from 1 to 268435456"
    with pytest.raises(ConfigError, match=message):
        container_module.max_pixels()
    with pytest.raises(ConfigError, match=message):
        container_module.require_max_pixels()


def make_bomb(path: Path, side: int) -> Path:
    """Change the headers of a video of PNG images so that they claim side x side pixels."""
    data = bytearray(path.read_bytes())
    start = data.find(b"IHDR")
    while start >= 0:
        data[start + 4 : start + 12] = struct.pack(">II", side, side)
        check = zlib.crc32(bytes(data[start : start + 17]))
        data[start + 17 : start + 21] = struct.pack(">I", check)
        start = data.find(b"IHDR", start + 1)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("side", [9_000, 16_000, 40_000])
def test_a_bomb_is_refused_before_it_takes_memory(side: int, tiny_video: TinyVideo) -> None:
    resource = pytest.importorskip("resource")
    path = make_bomb(
        tiny_video("bomb.mov", codec="png", pixel_format="rgb24", frames=3, size=(64, 48)), side
    )
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # FFmpeg's own limit lies between the second and the third: there it blames the frames.
    message = r"more than 67108864 pixels, or a size that cannot be read|only 0 of its 3 frames"
    with pytest.raises(VideoError, match=message):
        take(path)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    # One image of 9,000 x 9,000 would be 243 MB.  (macOS counts bytes: never fewer.)
    assert grown_kb < 100_000 * (1024 if sys.platform == "darwin" else 1)


def damage(path: Path, numbers: set[int]) -> None:
    """Overwrite these packets with 0xFF."""
    with av.open(str(path)) as file:
        extents = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        start, size = extents[number]
        data[start : start + size] = b"\xff" * size
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["v.avi", "v.mp4"])
def test_damaged_frames_are_counted_and_never_replaced(name: str, tiny_video: TinyVideo) -> None:
    path = tiny_video(name, frames=50, options={"bf": "0", "g": "10"})
    damage(path, {33})
    with pytest.raises(
        VideoError,
        match=r"only 49 of its 50 frames can be decoded \(the first loss is at 1\.32 s\)\. "
        r"Get the file again; lost frames are not replaced",
    ) as caught:
        take(path, frames=50)
    assert caught.value.stage == "decode"
    assert len(take(path, frames=50, stop_s=1.2).frames) == 30
    assert probe(path).frame_count == 50


@pytest.mark.parametrize("name", ["v.avi", "v.mp4"])
def test_no_frame_is_intact(name: str, tiny_video: TinyVideo) -> None:
    path = tiny_video(name, frames=10, options={"bf": "0"})
    damage(path, set(range(10)))
    with pytest.raises(
        VideoError, match=r"only 0 of its 10 frames can be decoded \(none is intact"
    ):
        take(path)
    with pytest.raises(VideoError, match=r"none of its 10 frames can be decoded") as caught:
        probe(path)
    assert caught.value.stage == "probe"


def test_ffmpeg_prints_nothing(tiny_video: TinyVideo, capfd: pytest.CaptureFixture[str]) -> None:
    path = tiny_video("v.mp4", frames=50, options={"bf": "0", "g": "10"})
    damage(path, {33})
    capfd.readouterr()
    with pytest.raises(VideoError):
        take(path, frames=50)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_lack_of_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(_: object) -> None:
        raise av.error.MemoryError(12, "Cannot allocate memory")

    container: Any = SimpleNamespace(name="file:a.avi", demux=lambda _: [])
    stream: Any = SimpleNamespace(codec_context=SimpleNamespace(is_open=True), decode=decode)
    index: Any = SimpleNamespace(starts_at_key=True, by_pts=True)
    match = r"a\.avi: there is not enough memory to decode it\. Close other programs, and run"
    monkeypatch.setattr(frame_reader, "open_video", lambda _: nullcontext((container, stream)))
    with pytest.raises(VideoError, match=match) as error:
        frame_reader.decode_all(Path("a.avi"), index)
    assert not error.value.lasting
