"""Frames are identified by their times, whatever the frame rate and the order of the stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import InputContainer

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.types import FrameBatch, Span
from vidclass.video import decode, frame_reader
from vidclass.video.container import open_video
from vidclass.video.decode import decode_clip
from vidclass.video.probe import probe

TinyVideo = Callable[..., Path]
Number = Callable[[np.ndarray], int]
TICKS_PER_S = 1000


def take(path: Path, *, span: Span | None = None, **sampling: object) -> FrameBatch:
    return decode_clip(
        path,
        span=span or Span(),
        sampling=SamplingConfig(**sampling),
        geometry=GeometryConfig(size=48),
    )


def restamp(
    source: Path, target: Path, pts: Sequence[int | None], dts: Sequence[int | None] | None = None
) -> Path:
    """Copy packets with these stamps, one for each, in milliseconds."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for packet, stamp, order in zip(packets, pts, dts or pts, strict=True):
            packet.stream, packet.time_base = stream, Fraction(1, TICKS_PER_S)
            packet.pts, packet.dts, packet.duration = stamp, order, 40
            new.mux(packet)
    return target


@pytest.mark.parametrize("name", ["v.mp4", "v.avi", "v.mkv", "v.ts"])
@pytest.mark.parametrize("fps", [15, 24, 30, 50, 60, 120, 240])
def test_every_rate(fps: int, name: str, tiny_video: TinyVideo, frame_number: Number) -> None:
    path = tiny_video(name, frames=200, fps=fps)
    expected = [12, 37, 62, 87, 112, 137, 162, 187]
    batch = take(path, frames=8)
    assert [frame_number(frame) for frame in batch.frames] == expected
    np.testing.assert_allclose(batch.timestamps_s, np.array(expected) / fps, atol=0.0011)
    # A part of the clip, given in seconds, is the same frames at any rate.
    batch = take(path, span=Span(100.2 / fps, 104.2 / fps), frames=50)
    assert [frame_number(frame) for frame in batch.frames] == [100, 101, 102, 103, 104]


def test_a_rate_that_changes_on_the_way(tiny_video: TinyVideo, frame_number: Number) -> None:
    # One second each at 10, 30 and 60 Hz: equal times, not equal numbers of frames.
    times_s = [*np.arange(10) / 10, *(1 + np.arange(30) / 30), *(2 + np.arange(60) / 60)]
    path = tiny_video("v.mkv", frames=100, times_s=times_s)
    batch = take(path, span=Span(0.0, 3.0), frames=6)
    assert [frame_number(frame) for frame in batch.frames] == [2, 7, 17, 32, 55, 85]
    assert probe(path).variable_frame_rate


@pytest.fixture
def mjpeg(tiny_video: TinyVideo) -> Path:
    """Write ten frames that are coded one by one, so that each may have any stamp."""
    return tiny_video("plain.mkv", codec="mjpeg", pixel_format="yuvj420p", frames=10)


@pytest.mark.parametrize("suffix", [".nut", ".mkv", ".mov"])
def test_shuffled_stamps_decide_the_order(
    suffix: str, mjpeg: Path, frame_number: Number, tmp_path: Path
) -> None:
    order = [0, 3, 1, 2, 6, 5, 4, 9, 7, 8]
    pts = [1000 + 40 * rank for rank in order]
    path = restamp(mjpeg, tmp_path / f"v{suffix}", pts, [40 * k for k in range(10)])
    batch = take(path)
    np.testing.assert_allclose(batch.timestamps_s, np.arange(10) * 0.04, atol=1e-6)
    assert [frame_number(frame) for frame in batch.frames] == np.argsort(order).tolist()
    batch = take(path, frames=3)
    assert [frame_number(frame) for frame in batch.frames] == [2, 5, 9]


@pytest.mark.parametrize("suffix", [".mkv", ".asf"])
def test_negative_stamps(
    suffix: str, tiny_video: TinyVideo, frame_number: Number, tmp_path: Path
) -> None:
    source = tiny_video("plain.mkv", codec="mpeg4", frames=10)
    path = restamp(source, tmp_path / f"v{suffix}", [-200 + 40 * k for k in range(10)])
    batch = take(path)
    assert [frame_number(frame) for frame in batch.frames] == list(range(10))
    np.testing.assert_allclose(batch.timestamps_s, np.arange(10) * 0.04, atol=1e-6)


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_repeated_stamps_lose_no_frame(
    suffix: str, tiny_video: TinyVideo, frame_number: Number, tmp_path: Path
) -> None:
    source = tiny_video("plain.mkv", codec="mpeg4", frames=10)
    pts = [0, 40, 80, 80, 160, 200, 240, 240, 320, 360]
    if suffix == ".avi":
        # It stores an order of frames, no stamps: equal ones are moved apart by the muxer.
        pts = [40 * k for k in range(10)]
    path = restamp(source, tmp_path / f"v{suffix}", pts)
    batch = take(path)
    assert [frame_number(frame) for frame in batch.frames] == list(range(10))
    assert (np.diff(batch.timestamps_s) >= 0).all()
    assert batch.timestamps_s[-1] == pytest.approx(0.36, abs=0.002)


def test_an_edit_list_that_waits_first(
    tiny_video: TinyVideo, frame_number: Number, tmp_path: Path
) -> None:
    # The muxer writes an empty edit of two seconds; times count from the first shown frame.
    source = tiny_video("plain.mkv", codec="mpeg4", frames=10)
    path = restamp(source, tmp_path / "v.mp4", [2000 + 40 * k for k in range(10)])
    batch = take(path)
    assert [frame_number(frame) for frame in batch.frames] == list(range(10))
    np.testing.assert_allclose(batch.timestamps_s, np.arange(10) * 0.04, atol=0.002)


def mux_two(path: Path, videos: Sequence[Path], default: int | None = None) -> Path:
    """Write several video streams into one file."""
    sources = [av.open(str(video)) for video in videos]
    with av.open(str(path), "w") as new:
        streams = [new.add_stream_from_template(old.streams.video[0]) for old in sources]
        for number, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition(int(number == default))
        for old, stream in zip(sources, streams, strict=True):
            for packet in old.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    new.mux(packet)
            old.close()
    return path


@pytest.mark.parametrize(("default", "count"), [(None, 5), (0, 5), (1, 9)])
def test_of_several_streams_the_default_or_else_the_first(
    default: int | None, count: int, tiny_video: TinyVideo, tmp_path: Path
) -> None:
    videos = [tiny_video("a.mkv", frames=5), tiny_video("b.mkv", frames=9)]
    path = mux_two(tmp_path / "two.mkv", videos, default)
    assert len(take(path).frames) == count
    assert probe(path).frame_count == count


@pytest.mark.parametrize("name", ["v.mkv", "v.mov", "v.avi"])
@pytest.mark.parametrize("frames", [5, 60])
def test_sound_may_be_longer_or_shorter_than_the_frames(
    name: str, frames: int, tiny_video: TinyVideo
) -> None:
    path = tiny_video(name, frames=frames, audio=True)
    assert len(take(path, frames=100).frames) == frames
    assert probe(path).duration_s == pytest.approx(frames / 25, abs=0.01)


def test_a_stream_that_begins_in_the_middle(
    tiny_video: TinyVideo, frame_number: Number, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PyAV does not list it, and fails on it when all packets have been read.
    path = tiny_video("v.ts", frames=20)

    def failing(path: Path) -> Iterator[tuple[object, object]]:
        with open_video(path) as (container, stream):
            yield FailingAtTheEnd(container), stream

    monkeypatch.setattr(decode, "open_video", contextmanager(failing))
    monkeypatch.setattr(frame_reader, "open_video", contextmanager(failing))
    assert [frame_number(frame) for frame in take(path).frames] == list(range(20))


class FailingAtTheEnd:
    def __init__(self, container: InputContainer) -> None:
        self._container = container

    def __getattr__(self, name: str) -> object:
        return getattr(self._container, name)

    def demux(self, *streams: object) -> Iterator[object]:
        yield from self._container.demux(*streams)
        raise IndexError("list index out of range")
