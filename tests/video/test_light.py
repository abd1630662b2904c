"""Pixels that are not square, fields, high dynamic range and transparency."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.types import Span
from vidclass.video.decode import decode_clip
from vidclass.video.hdr import HLG, PQ, to_sdr
from vidclass.video.image import FrameConverter
from vidclass.video.orientation import Orientation
from vidclass.video.probe import probe

TinyVideo = Callable[..., Path]
PATH = Path("a video")


def convert(
    frame: av.VideoFrame, *, size: int = 48, crop: str = "centre", aspect: Fraction = Fraction(1)
) -> np.ndarray:
    converter = FrameConverter(PATH, GeometryConfig(size=size, crop=crop), pixel_aspect=aspect)
    return converter.rgb(frame)


def write_with_aspect(path: Path, image: np.ndarray, aspect: Fraction, turn_deg: int = 0) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("png", rate=25)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "rgb24"
        stream.sample_aspect_ratio = aspect
        stream.codec_context.sample_aspect_ratio = aspect
        if turn_deg:
            stream.set_display_rotation(-turn_deg)
        for k in range(3):
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = k, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def disc(width: int, height: int, aspect: float) -> np.ndarray:
    """Return an image that shows a white circle in its middle, half its height across."""
    y, x = np.mgrid[:height, :width] + 0.5
    shown_x, shown_y = (x - width / 2) * aspect, y - height / 2
    side = min(width * aspect, height)
    inside = np.hypot(shown_x, shown_y) < side / 4
    return np.repeat(inside[..., None] * np.uint8(255), 3, axis=2)


@pytest.mark.parametrize(
    "aspect", [Fraction(64, 51), Fraction(16, 11), Fraction(8, 9), Fraction(1, 2), Fraction(2)]
)
@pytest.mark.parametrize("turn_deg", [0, 90])
def test_circles_are_round(aspect: Fraction, turn_deg: int, tmp_path: Path) -> None:
    path = write_with_aspect(
        tmp_path / "v.mov", disc(180, 120, float(aspect)), aspect, turn_deg=turn_deg
    )
    image = decode_clip(
        path, span=Span(), sampling=SamplingConfig(frames=1), geometry=GeometryConfig(size=96)
    ).frames[0]
    white = image[..., 0] > 128
    # A circle of half the square's side, in the middle.
    for axis in (0, 1):
        across = np.flatnonzero(white.any(axis=axis))
        assert abs(len(across) - 48) <= 2
        assert abs(across.mean() - 47.5) <= 1
    assert white.sum() == pytest.approx(np.pi * 24**2, rel=0.04)
    info = probe(path)
    assert info.pixel_aspect == pytest.approx(float(1 / aspect if turn_deg else aspect))
    assert (info.width, info.height) == ((120, 180) if turn_deg else (180, 120))


def test_the_whole_frame_does_not_depend_on_the_shape_of_pixels() -> None:
    frame = av.VideoFrame.from_ndarray(disc(64, 48, 1.0))
    np.testing.assert_array_equal(
        convert(frame, crop="whole"), convert(frame, crop="whole", aspect=Fraction(4, 3))
    )


@pytest.mark.parametrize("aspect", [Fraction(1, 90), Fraction(90), Fraction(0)])
def test_an_implausible_pixel_aspect_is_ignored(aspect: Fraction, tmp_path: Path) -> None:
    path = write_with_aspect(tmp_path / "v.mov", disc(64, 48, 1.0), aspect)
    assert probe(path).pixel_aspect == 1.0


def test_extreme_sizes_keep_a_pixel() -> None:
    thin = av.VideoFrame.from_ndarray(np.full((2, 64, 3), 200, np.uint8))
    for aspect in (Fraction(1, 8), Fraction(8)):
        assert (convert(thin, aspect=aspect) > 190).all()


def interlaced(image: np.ndarray, path: Path) -> Path:
    """Write MPEG-2 whose frames are marked as two fields."""
    options = {"flags": "+ilme+ildct", "qmin": "1", "qmax": "1"}
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg2video", rate=25, options=options)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv422p"
        for k in range(3):
            frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv422p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("crop", ["centre", "whole"])
def test_interlaced_frames_show_one_moment(crop: str, tmp_path: Path) -> None:
    # A bright bar moves from the left to the right between the two fields.
    image = np.full((128, 160, 3), 30, np.uint8)
    image[::2, 30:60] = 220
    image[1::2, 100:130] = 220
    path = interlaced(image, tmp_path / "v.mpg")
    assert probe(path).interlaced
    result = decode_clip(
        path,
        span=Span(),
        sampling=SamplingConfig(frames=1),
        geometry=GeometryConfig(size=128, crop=crop),
    ).frames[0][8:-8]
    level = result[..., 0].mean(axis=0)
    # The part that is used begins at column 16 of 160, or is squeezed to 128 columns.
    at = (lambda x: x - 16) if crop == "centre" else (lambda x: x * 128 // 160)
    assert level[at(35) : at(55)].min() > 190, "the first field is there"
    assert level[at(105) : at(125)].max() < 60, "the second is not"
    assert result[:, at(45)].std() < 6, "and no comb"


def test_progressive_frames_keep_all_lines(tiny_video: TinyVideo) -> None:
    image = np.full((48, 48, 3), 30, np.uint8)
    image[::2] = 220
    path = tiny_video("v.mkv", codec="ffv1", pixel_format="bgr0", frames=[image])
    assert not probe(path).interlaced
    frames = decode_clip(
        path, span=Span(), sampling=SamplingConfig(), geometry=GeometryConfig(size=48)
    ).frames
    np.testing.assert_array_equal(frames[0], image)


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


LIMITS = {PQ: (3.0, 8.0), HLG: (3.0, 8.0)}


def test_standard_range_is_not_converted() -> None:
    frame = hdr_frame(PQ)
    as_hdr = convert(frame)
    frame.color_trc = 1
    assert np.abs(convert(frame).astype(int) - as_hdr).mean() > 20


@pytest.mark.parametrize("pixel_format", ["rgba", "yuva444p", "gbrap"])
def test_transparent_pixels_are_black(pixel_format: str, tmp_path: Path) -> None:
    image = np.zeros((48, 48, 4), np.uint8)
    image[..., 0] = 200
    image[:16, :, 3] = 255
    image[16:32, :, 3] = 128
    frame = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pixel_format)
    result = convert(frame)
    np.testing.assert_allclose(result[8, 24], [200, 0, 0], atol=3)
    np.testing.assert_allclose(result[24, 24], [100, 0, 0], atol=12)
    np.testing.assert_allclose(result[40, 24], [0, 0, 0], atol=3)


def test_a_palette_with_a_hole() -> None:
    indices = np.array([[0, 1], [1, 0]], np.uint8).repeat(24, axis=0).repeat(24, axis=1)
    palette = np.zeros((256, 4), np.uint8)
    palette[0], palette[1] = (255, 250, 250, 250), (0, 250, 250, 250)
    result = convert(av.VideoFrame.from_ndarray((indices, palette), format="pal8"))
    np.testing.assert_allclose(result[12, 12], [250, 250, 250], atol=2)
    np.testing.assert_allclose(result[12, 36], [0, 0, 0], atol=2)


@pytest.mark.parametrize("clockwise_deg", [0, 90, 180, 270, -90, 450])
def test_rotations_without_a_matrix(clockwise_deg: int) -> None:
    orientation = Orientation.from_rotation(clockwise_deg)
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(orientation.apply(image), np.rot90(image, -(clockwise_deg // 90)))
    assert orientation.rotation_deg == clockwise_deg % 360


def test_full_range_ten_bits_are_not_stretched() -> None:
    frame = av.VideoFrame(48, 48, "yuv420p10le")
    for number, plane in enumerate(frame.planes):
        levels = np.full((plane.height, plane.line_size // 2), 512 if number else 100, np.uint16)
        plane.update(levels.tobytes())
    for color_range, expected in ((2, 25), (1, 10)):
        frame.color_range = color_range
        assert convert(frame)[24, 24, 0] == pytest.approx(expected, abs=1.5)
