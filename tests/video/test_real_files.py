"""Odd files of other projects' test suites: read, or refused with the right cause."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.types import FrameBatch, Span
from vidclass.video.decode import decode_clip
from vidclass.video.probe import probe


def take(path: Path, *, span: Span | None = None, frames: int = 6) -> FrameBatch:
    return decode_clip(
        path,
        span=span or Span(),
        sampling=SamplingConfig(frames=frames),
        geometry=GeometryConfig(),
    )


def test_every_file_but_the_corrupted_one_is_read(shared: Path) -> None:
    paths = sorted((shared / "media").iterdir())
    assert len(paths) >= 17
    for path in paths:
        if "corrupted" in path.name:
            continue
        batch = take(path)
        assert len(batch.frames) == min(6, probe(path).frame_count), path
        assert (np.diff(batch.timestamps_s) > 0).all(), path


def test_the_error_says_how_much_of_a_corrupted_file_decodes(shared: Path) -> None:
    path = shared / "media" / "dmlc+decord__corrupted.mp4"
    with pytest.raises(
        VideoError,
        match=r"only 48 of its 50 frames can be decoded \(the first loss is at 3\.00 s\)\. "
        r"Get the file again; lost frames are not replaced",
    ):
        take(path)
    # Frames before the damage can still be read.
    assert len(take(path, span=Span(0.0, 2.5), frames=25).frames) == 25


def test_frames_stored_out_of_order_come_in_order(shared: Path) -> None:
    batch = take(shared / "media" / "dmlc+decord__unordered.mov")
    np.testing.assert_allclose(batch.timestamps_s, np.arange(4) / 32)


def test_the_default_stream_comes_before_larger_ones(shared: Path) -> None:
    info = probe(shared / "media" / "pytorch+torchcodec__nasa_13013.mp4")
    assert (info.width, info.height, info.frame_count) == (320, 180, 325)


@pytest.mark.slow
def test_every_real_clip_is_read(shared: Path) -> None:
    paths = sorted((shared / "data").glob("*/*/*.*"))
    assert len(paths) >= 289
    for path in paths:
        assert len(take(path, frames=3).frames) == 3, path
