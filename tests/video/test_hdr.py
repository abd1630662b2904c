"""Tone mapping of PQ and HLG."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from vidclass.config import GeometryConfig
from vidclass.video.hdr import HLG, PQ, to_sdr
from vidclass.video.image import FrameConverter

LIMITS = {PQ: (3.0, 8.0), HLG: (3.0, 8.0)}


def convert(frame: av.VideoFrame, *, size: int = 48) -> np.ndarray:
    return FrameConverter(Path("a video"), GeometryConfig(size=size)).rgb(frame)


def pq_code(nits: float) -> float:
    root = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375)


def grey(level: float) -> np.ndarray:
    return np.full((4, 4, 3), round(255 * level), np.uint8)


@pytest.mark.parametrize(("nits", "share"), [(0, 0.0), (20, 20 / 203), (100, 100 / 203), (203, 1)])
def test_pq_light_up_to_white_is_shown_as_it_is(nits: float, share: float) -> None:
    shown = to_sdr(grey(pq_code(nits)), PQ)
    assert (shown == shown[0, 0, 0]).all()
    assert shown[0, 0, 0] == pytest.approx(255 * share ** (1 / 2.4), abs=3)


@pytest.mark.parametrize("nits", [400, 1000, 10_000])
def test_pq_light_beyond_white_is_white(nits: float) -> None:
    assert (to_sdr(grey(pq_code(nits)), PQ) == 255).all()


def test_hlg_white_is_three_quarters_of_the_signal() -> None:
    # ITU-R BT.2408: HDR reference white is 75 % HLG.
    assert to_sdr(grey(0.75), HLG)[0, 0, 0] >= 252
    assert (to_sdr(grey(0.0), HLG) == 0).all()
    rising = to_sdr(np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3), HLG)[0, :, 1]
    assert (np.diff(rising.astype(int)) >= 0).all()


def hdr_frame(transfer: int) -> av.VideoFrame:
    """Return random smooth 10-bit colours, marked as HDR."""
    rng = np.random.default_rng(0)
    frame = av.VideoFrame(64, 64, "yuv444p10le")
    for number, plane in enumerate(frame.planes):
        low, high = (100, 560) if number == 0 else (440, 584)
        levels = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        levels[:, :64] = rng.integers(low, high, (8, 8)).repeat(8, axis=0).repeat(8, axis=1)
        plane.update(levels.tobytes())
    frame.color_range, frame.colorspace, frame.color_trc, frame.color_primaries = 1, 9, transfer, 9
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_high_dynamic_range_is_as_ffmpeg_shows_it(transfer: int) -> None:
    # FFmpeg has such a conversion too; setting it up takes three seconds a clip.
    frame = hdr_frame(transfer)
    graph = Graph()
    steps = [
        ("buffer", "video_size=64x64:pix_fmt=yuv444p10le:time_base=1/25:range=1:colorspace=9"),
        ("scale", "out_transfer=bt709:out_primaries=bt709:intent=relative_colorimetric"),
        ("format", "rgb24"),
        ("buffersink", ""),
    ]
    graph.link_nodes(*[graph.add(name, options or None) for name, options in steps])
    graph.configure()
    graph.vpush(frame)
    theirs = graph.vpull().to_ndarray()[4::8, 4::8].astype(int)
    ours = convert(frame, size=64)[4::8, 4::8].astype(int)
    inside = ((theirs > 0) & (theirs < 255)).all(axis=2)
    assert inside.sum() >= 20
    apart = np.abs(ours - theirs)[inside]
    assert apart.mean() <= LIMITS[transfer][0]
    assert np.percentile(apart, 95) <= LIMITS[transfer][1]


def test_standard_range_is_not_converted() -> None:
    frame = hdr_frame(PQ)
    as_hdr = convert(frame)
    frame.color_trc = 1
    assert np.abs(convert(frame).astype(int) - as_hdr).mean() > 20
