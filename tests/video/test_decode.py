from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.types import FrameBatch, Span
from vidclass.video import decode, frame_reader
from vidclass.video.container import open_video
from vidclass.video.decode import COARSE_SIDE, decode_clip, scan_video
from vidclass.video.frame_reader import MismatchError

TinyVideo = Callable[..., Path]
Number = Callable[[np.ndarray], int]
WHOLE = Span()
B_FRAMES = {"bf": "3", "g": "12", "sc_threshold": "0"}


def take(path: Path, *, span: Span = WHOLE, crop: str = "centre", **sampling: object) -> FrameBatch:
    return decode_clip(
        path,
        span=span,
        sampling=SamplingConfig(**sampling),
        geometry=GeometryConfig(size=48, crop=crop),
    )


def count_calls(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[object]:
    calls: list[object] = []
    real = getattr(module, name)

    def counting(*args: object) -> object:
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(module, name, counting)
    return calls


def replace_seek(
    monkeypatch: pytest.MonkeyPatch, seek: Callable[[InputContainer, int, VideoStream], None]
) -> None:
    """Call `seek` in place of the method of every container that frames are read from."""

    class Container:
        def __init__(self, container: InputContainer) -> None:
            self._container = container

        def __getattr__(self, name: str) -> object:
            return getattr(self._container, name)

        def seek(self, stamp: int, *, stream: VideoStream) -> None:
            seek(self._container, stamp, stream)

    @contextmanager
    def opened(path: Path) -> Iterator[tuple[Container, VideoStream]]:
        with open_video(path) as (container, stream):
            yield Container(container), stream

    monkeypatch.setattr(frame_reader, "open_video", opened)


KINDS = {
    "mpeg4 in AVI": {"name": "v.avi"},
    "mpeg4 with B-frames in AVI": {"name": "v.avi", "options": {"bf": "2"}},
    "H.264 with B-frames in MP4": {"name": "v.mp4", "options": B_FRAMES},
    "H.264 with B-frames in AVI": {"name": "v.avi", "codec": "libx264", "options": B_FRAMES},
    "H.264 with open groups": {
        "name": "v.mkv",
        "options": {"bf": "3", "x264-params": "open-gop=1:keyint=10:min-keyint=10:scenecut=0"},
    },
    "H.264 with one group": {
        "name": "v.mp4",
        "options": {"bf": "3", "g": "999", "sc_threshold": "0"},
    },
    "H.264 without a container": {"name": "v.h264", "options": {"bf": "0"}},
    "H.264 in a transport stream": {"name": "v.ts", "options": B_FRAMES},
    "H.265": {"name": "v.mp4", "codec": "libx265", "options": {"x265-params": "log-level=0"}},
    "VP9": {"name": "v.webm", "codec": "libvpx-vp9"},
    "VP8": {"name": "v.webm", "codec": "libvpx"},
    "MPEG-2 in a program stream": {"name": "v.mpg", "codec": "mpeg2video", "options": {"bf": "2"}},
    "Motion JPEG": {"name": "v.mov", "codec": "mjpeg", "pixel_format": "yuvj420p"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_frames_come_with_the_right_times(
    kind: str, tiny_video: TinyVideo, frame_number: Number
) -> None:
    path = tiny_video(**KINDS[kind], frames=100)
    for sampling, expected in (
        ({"frames": 4}, [12, 37, 62, 87]),
        ({"policy": "first", "frames": 5}, [0, 1, 2, 3, 4]),
        ({"policy": "stride", "stride_s": 1.0, "frames": 9}, [0, 25, 50, 75]),
        ({"frames": 200}, list(range(100))),
    ):
        batch = take(path, **sampling)
        assert [frame_number(frame) for frame in batch.frames] == expected
        np.testing.assert_allclose(batch.timestamps_s, np.array(expected) / 25, atol=0.0011)


@pytest.mark.parametrize("kind", KINDS)
def test_spans_begin_and_end_where_they_say(
    kind: str, tiny_video: TinyVideo, frame_number: Number
) -> None:
    path = tiny_video(**KINDS[kind], frames=100)
    batch = take(path, span=Span(2.01, 2.15))
    assert [frame_number(frame) for frame in batch.frames] == [50, 51, 52, 53]
    batch = take(path, span=Span(3.81), policy="first")
    assert [frame_number(frame) for frame in batch.frames] == [95, 96, 97, 98, 99]


def test_a_stop_beyond_the_end_is_cut(tiny_video: TinyVideo, frame_number: Number) -> None:
    batch = take(tiny_video(frames=10), span=Span(0.2, 99.0))
    assert [frame_number(frame) for frame in batch.frames] == [5, 6, 7, 8, 9]


def test_long_gaps_are_skipped_by_seeking(
    tiny_video: TinyVideo, frame_number: Number, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_video("v.mp4", frames=250, options=B_FRAMES)
    seeks: list[int] = []

    def seek(container: InputContainer, stamp: int, stream: VideoStream) -> None:
        seeks.append(stamp)
        container.seek(stamp, stream=stream)

    replace_seek(monkeypatch, seek)
    batch = take(path, frames=5)
    assert [frame_number(frame) for frame in batch.frames] == [25, 75, 125, 175, 225]
    assert len(seeks) == 5


@pytest.mark.parametrize("landing", ["too late", "refused"])
def test_a_seek_that_goes_wrong_costs_time_only(
    landing: str, tiny_video: TinyVideo, frame_number: Number, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_video("v.mp4", frames=250, options=B_FRAMES)

    def seek(container: InputContainer, _: int, stream: VideoStream) -> None:
        if landing == "refused":
            raise av.error.ArgumentError(22, "Invalid argument")
        container.seek(10**9, stream=stream)

    replace_seek(monkeypatch, seek)
    decodes_all = count_calls(monkeypatch, decode, "decode_all")
    batch = take(path, frames=5)
    assert [frame_number(frame) for frame in batch.frames] == [25, 75, 125, 175, 225]
    assert not decodes_all


def test_varying_rate_goes_by_time(tiny_video: TinyVideo, frame_number: Number) -> None:
    # Ten frames in the first second, then one a second.
    times_s = [*(k / 10 for k in range(10)), *range(1, 11)]
    path = tiny_video("v.mkv", frames=20, times_s=times_s)
    batch = take(path, span=Span(0.0, 10.0), frames=10)
    assert [frame_number(frame) for frame in batch.frames] == [
        5,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
    ]
    np.testing.assert_allclose(batch.timestamps_s, [0.5, *range(1, 10)], atol=1e-3)


def test_times_count_from_the_first_frame(tiny_video: TinyVideo, frame_number: Number) -> None:
    path = tiny_video("v.mkv", frames=5, times_s=[3.0, 3.1, 3.2, 3.3, 3.4])
    batch = take(path)
    np.testing.assert_allclose(batch.timestamps_s, [0, 0.1, 0.2, 0.3, 0.4], atol=1e-9)


# An MPEG-4 packet that repeats the frame before it and gives no frame.
NOTHING_NEW = b"\x00\x00\x01\xb6\x50\x4f"


def insert_packets(source: Path, target: Path, before: set[int], data: bytes) -> Path:
    """Copy packets, each at a tick of its own, with `data` before those of these numbers."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        tick = 0
        for number, packet in enumerate(old.demux(video=0)):
            if not packet.size:
                continue
            extra = [av.Packet(data)] if number in before else []
            for out in (*extra, packet):
                out.stream, out.time_base = stream, Fraction(1, 25)
                out.pts = out.dts = tick
                tick += 1
                new.mux(out)
    return target


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
@pytest.mark.parametrize("data", [NOTHING_NEW, b""], ids=["nothing new", "empty"])
def test_packets_without_a_frame_move_no_other_frame(
    suffix: str, data: bytes, tiny_video: TinyVideo, frame_number: Number, tmp_path: Path
) -> None:
    if not data and suffix == ".mkv":
        pytest.skip("Matroska has no empty packets")
    path = tmp_path / f"gaps{suffix}"
    insert_packets(tiny_video(frames=50), path, {10, 30}, data)
    ticks = [number + (number >= 10) + (number >= 30) for number in range(50)]
    for sampling, expected in (
        ({"frames": 100}, list(range(50))),
        ({"policy": "first", "frames": 12}, list(range(12))),
        ({"frames": 4}, [6, 18, 30, 43]),
    ):
        batch = take(path, **sampling)
        assert [frame_number(frame) for frame in batch.frames] == expected
        expected_s = np.array([ticks[number] for number in expected]) / 25
        np.testing.assert_allclose(batch.timestamps_s, expected_s, atol=0.0011)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_frames_that_the_edit_list_hides_are_not_there(
    suffix: str, tiny_video: TinyVideo, frame_number: Number, tmp_path: Path
) -> None:
    # The first 12 frames lie before zero: they are decoded, as others need them, but not shown.
    source = tiny_video(
        "whole.mp4", frames=100, options={"bf": "2", "g": "50", "sc_threshold": "0"}
    )
    path = tmp_path / f"edited{suffix}"
    with (
        av.open(str(source)) as old,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        shift = int(12 / 25 / old.streams.video[0].time_base)
        for packet in old.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = stream
                new.mux(packet)
    for frames in (4, 200):
        batch = take(path, frames=frames)
        expected = [11, 33, 55, 77] if frames == 4 else list(range(88))
        assert [frame_number(frame) - 12 for frame in batch.frames] == expected
        np.testing.assert_allclose(batch.timestamps_s, np.array(expected) / 25, atol=1e-6)


def test_a_recording_that_starts_between_key_frames(
    tiny_video: TinyVideo, frame_number: Number, tmp_path: Path
) -> None:
    source = tiny_video("whole.ts", frames=60, options={"bf": "0", "g": "25", "sc_threshold": "0"})
    path = tmp_path / "cut.ts"
    with av.open(str(source)) as file:
        start = next(packet.pos for packet in file.demux(video=0) if not packet.is_keyframe)
    path.write_bytes(source.read_bytes()[:564] + source.read_bytes()[start:])
    batch = take(path, frames=60)
    assert [frame_number(frame) for frame in batch.frames] == list(range(25, 60))
    assert batch.timestamps_s[0] == 0


def test_frames_that_never_agree_are_refused(
    tiny_video: TinyVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disagree(*_: object) -> None:
        raise MismatchError("the frames end before number 3")

    monkeypatch.setattr(decode, "read_by_order", disagree)
    monkeypatch.setattr(decode, "read_in_any_order", disagree)
    with pytest.raises(VideoError, match=r"do not agree .*end before number 3\)\. Re-encode it"):
        take(tiny_video())


def test_several_threads_at_once(tiny_video: TinyVideo) -> None:
    paths = [
        tiny_video("a.avi", frames=60),
        tiny_video("b.mp4", frames=200, options=B_FRAMES),
        tiny_video("c.mp4", frames=10, size=(1280, 720)),
    ]
    alone = [take(path).frames for path in paths]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: take(path).frames, paths * 4))
    for number, frames in enumerate(together):
        np.testing.assert_array_equal(frames, alone[number % 3])


@pytest.mark.parametrize(
    ("span", "message"),
    [
        (Span(12.0, 15.0), r"the span \[12.0 s, 15.0 s\) starts after the video's end at 1.20 s"),
        (Span(1.2), r"the span \[1.2 s, end\) starts after the video's end at 1.20 s"),
        (Span(-1.0, 1.0), r"the span \[-1.0 s, 1.0 s\) starts before the video"),
        (Span(0.5, 0.5), r"the span \[0.5 s, 0.5 s\) is empty.*Correct start_s and stop_s"),
        (Span(float("nan")), r"the span \[nan s, end\) starts before the video"),
    ],
)
def test_a_span_outside_is_refused(tiny_video: TinyVideo, span: Span, message: str) -> None:
    with pytest.raises(VideoError, match=message) as caught:
        take(tiny_video(), span=span)
    assert caught.value.stage == "decode"


Scanned = list[tuple[float, NDArray[np.uint8]]]


def scan(path: Path) -> Scanned:
    frames: Scanned = []
    scan_video(path, lambda time_s, grey: frames.append((time_s, grey)))
    return frames


@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mkv"])
def test_a_scan_gives_every_frame_once_at_its_time(
    tiny_video: Callable[..., Path],
    frame_number: Callable[[NDArray[np.uint8]], int],
    name: str,
) -> None:
    frames = scan(tiny_video(name, frames=30, fps=25))
    assert [time_s for time_s, _ in frames] == pytest.approx(np.arange(30) / 25, abs=2e-3)
    for number, (_, grey) in enumerate(frames):
        assert (grey.shape, grey.dtype) == ((COARSE_SIDE, COARSE_SIDE), np.uint8)
        assert frame_number(grey[..., None].repeat(3, -1)) == number


def test_in_a_scan_black_is_zero_and_white_is_255(tiny_video: Callable[..., Path]) -> None:
    for level in (0, 255):
        flat = np.full((48, 64, 3), level, np.uint8)
        [(_, grey)] = scan(tiny_video(f"{level}.mp4", frames=[flat]))
        assert np.abs(grey.astype(int) - level).max() <= 1


def test_a_scan_finds_damage(tiny_video: Callable[..., Path]) -> None:
    path = tiny_video("a.avi", frames=60, options={"g": "60"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"only \d+ of its \d+ frames can be decoded"):
        scan(path)


def test_a_scan_of_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"none")
    with pytest.raises(VideoError, match="is not a video that FFmpeg knows"):
        scan(tmp_path / "a.avi")
