"""Crop, rotation, scale and colour; pixel aspect, fields and transparency."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.features.decoding import decode_for
from vidclass.training.views import mirror_image
from vidclass.types import Span
from vidclass.video import container
from vidclass.video.decode import decode_clip
from vidclass.video.image import FrameConverter
from vidclass.video.probe import probe

TinyVideo = Callable[..., Path]
Number = Callable[[np.ndarray], int]
LOSSLESS = {"codec": "ffv1", "pixel_format": "bgr0"}


def decode_images(
    path: Path, *, size: int = 48, crop: str = "centre", frames: int = 4
) -> np.ndarray:
    return decode_clip(
        path,
        span=Span(),
        sampling=SamplingConfig(frames=frames),
        geometry=GeometryConfig(size=size, crop=crop),
    ).frames


def quarters(width: int, height: int) -> np.ndarray:
    """Return an image of four colours: red, green above blue, white."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2, 0] = 255
    image[: height // 2, width // 2 :, 1] = 255
    image[height // 2 :, : width // 2, 2] = 255
    image[height // 2 :, width // 2 :] = 255
    return image


def corners(image: np.ndarray) -> list[list[int]]:
    """Return the colours near the corners, clockwise from the top left, as 0 and 1."""
    near, far = len(image) // 4, len(image) * 3 // 4
    return (image[[near, near, far, far], [near, far, far, near]] > 128).astype(int).tolist()


RED, GREEN, BLUE, WHITE = [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]


@pytest.mark.parametrize("crop", ["centre", "whole"])
@pytest.mark.parametrize("size", [(64, 48), (48, 64), (63, 47), (1280, 720)])
@pytest.mark.parametrize(
    ("rotation_deg", "expected"),
    [
        (0, [RED, GREEN, WHITE, BLUE]),
        (90, [BLUE, RED, GREEN, WHITE]),
        (180, [WHITE, BLUE, RED, GREEN]),
        (270, [GREEN, WHITE, BLUE, RED]),
    ],
)
def test_rotated_videos_stand_upright(
    crop: str,
    size: tuple[int, int],
    rotation_deg: int,
    expected: list[list[int]],
    tiny_video: TinyVideo,
) -> None:
    path = tiny_video(
        "v.mov",
        codec="mjpeg",
        pixel_format="yuvj444p",
        frames=[quarters(*size)] * 2,
        rotation_deg=rotation_deg,
    )
    for image in decode_images(path, crop=crop):
        assert corners(image) == expected


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_the_centre_is_that_of_the_image_as_shown(rotation_deg: int, tiny_video: TinyVideo) -> None:
    # With an odd margin the centred square is one pixel off, always to the same side as shown.
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (40, 53, 3), np.uint8)
    shown = np.rot90(stored, -rotation_deg // 90)
    height, width = shown.shape[:2]
    left, top = width // 2 - 20, height // 2 - 20
    path = tiny_video(
        "v.mov", codec="png", pixel_format="rgb24", frames=[stored], rotation_deg=rotation_deg
    )
    np.testing.assert_array_equal(
        decode_images(path, size=40)[0], shown[top : top + 40, left : left + 40]
    )


def test_rgb_survives_unharmed(tiny_video: TinyVideo) -> None:
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    path = tiny_video("v.mkv", frames=[image], **LOSSLESS)
    np.testing.assert_array_equal(decode_images(path, size=32, crop="whole")[0], image)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("tall.avi", (16, 5000)),
        ("wide.avi", (5000, 16)),
        ("odd.avi", (61, 47)),
        ("odd.mkv", (47, 61)),
        ("two words ü 視頻 %03d #1.avi", (64, 48)),
        ("no:protocol.mp4", (64, 48)),
    ],
)
def test_unusual_sizes_and_names(
    name: str, size: tuple[int, int], tiny_video: TinyVideo, frame_number: Number
) -> None:
    options = {"codec": "mpeg4"}
    path = tiny_video(name, size=size, frames=3, **options)
    whole = decode_images(path, crop="whole")
    assert [frame_number(image) for image in whole] == [0, 1, 2]
    assert decode_images(path).shape == (3, 48, 48, 3)


def test_one_pixel(tiny_video: TinyVideo) -> None:
    image = np.array([[[10, 200, 30]]], np.uint8)
    path = tiny_video("v.mkv", frames=[image], **LOSSLESS)
    for crop in ("centre", "whole"):
        result = decode_images(path, crop=crop)
        assert result.shape == (1, 48, 48, 3)
        assert (result == image).all()


def test_frames_that_grow_too_large(tiny_video: TinyVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    # The header passes, then the frames are larger than it says.
    path = tiny_video()
    real = container.require_frame_size

    def strict(path: Path, width: int, height: int) -> None:
        monkeypatch.setattr(container, "MAX_PIXELS", 3000)
        real(path, width, height)

    monkeypatch.setattr("vidclass.video.image.require_frame_size", strict)
    with pytest.raises(VideoError, match="its frames are 64x48, more than 3000 pixels"):
        decode_images(path)


def test_full_range_bt709_is_converted_as_such(shared: Path) -> None:
    path = shared / "media" / "pytorch+torchcodec__bt709_full_range.mp4"
    with av.open(str(path)) as file:
        planes = next(file.decode(video=0)).to_ndarray()
    y = planes[300, [120, 500, 680, 1200]].astype(float)
    u = planes[720:900].reshape(360, 640)[150, [60, 250, 340, 600]] - 128.0
    v = planes[900:1080].reshape(360, 640)[150, [60, 250, 340, 600]] - 128.0
    expected = np.stack([y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u], axis=-1)
    image = decode_images(path, size=720, crop="whole", frames=30)[0]
    # The image is 1280 wide squeezed to 720.
    result = image[300, np.array([120, 500, 680, 1200]) * 720 // 1280].astype(float)
    np.testing.assert_allclose(result, expected.clip(0, 255), atol=3)


def test_ten_bits_are_the_same_colours_as_eight(tiny_video: TinyVideo) -> None:
    frames = [quarters(64, 64)]
    eight = decode_images(tiny_video("a.mkv", codec="ffv1", pixel_format="yuv444p", frames=frames))
    ten = decode_images(
        tiny_video("b.mkv", codec="ffv1", pixel_format="yuv444p10le", frames=frames)
    )
    assert np.abs(eight.astype(int) - ten).max() <= 3
    assert corners(ten[0]) == [RED, GREEN, WHITE, BLUE]


@pytest.mark.parametrize("size", [(96, 64), (64, 96)])
def test_only_the_centre_of_a_given_short_side_is_used(
    tiny_video: TinyVideo, size: tuple[int, int]
) -> None:
    """A white square of half the short side fills the image; without, it is framed in black."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    top, left = size[1] // 2 - 16, size[0] // 2 - 16
    image[top : top + 32, left : left + 32] = 255
    path = tiny_video(frames=[image] * 2, **LOSSLESS)
    sampling = SamplingConfig(frames=1)

    def shown(**geometry: int) -> np.ndarray:
        config = GeometryConfig(size=48, **geometry)
        return decode_clip(path, span=Span(), sampling=sampling, geometry=config).frames[0]

    assert shown(short_side=96).min() > 250
    wide = shown()
    assert wide[:10].max() < 5
    assert wide[24, 24].min() > 250
    np.testing.assert_array_equal(shown(short_side=48), wide)


def test_a_mirror_image_has_left_and_right_exchanged(tiny_video: TinyVideo) -> None:
    path = tiny_video(frames=[quarters(64, 48)] * 2, **LOSSLESS)
    config = FeatureConfig(sampling=SamplingConfig(frames=2), geometry=GeometryConfig(size=48))
    mirror = mirror_image(config)
    assert mirror_image(mirror) == config
    plain, mirrored = (decode_for(each, path, Span()) for each in (config, mirror))
    np.testing.assert_array_equal(mirrored.frames, plain.frames[:, :, ::-1])
    np.testing.assert_array_equal(mirrored.timestamps_s, plain.timestamps_s)


def convert(
    frame: av.VideoFrame, *, size: int = 48, crop: str = "centre", aspect: Fraction = Fraction(1)
) -> np.ndarray:
    converter = FrameConverter(
        Path("a video"), GeometryConfig(size=size, crop=crop), pixel_aspect=aspect
    )
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


def test_full_range_ten_bits_are_not_stretched() -> None:
    frame = av.VideoFrame(48, 48, "yuv420p10le")
    for number, plane in enumerate(frame.planes):
        levels = np.full((plane.height, plane.line_size // 2), 512 if number else 100, np.uint16)
        plane.update(levels.tobytes())
    for color_range, expected in ((2, 25), (1, 10)):
        frame.color_range = color_range
        assert convert(frame)[24, 24, 0] == pytest.approx(expected, abs=1.5)
