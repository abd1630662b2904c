"""Crop, rotation, scale and colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.features.decoding import decode_for
from vidclass.training.views import mirror_image
from vidclass.types import Span
from vidclass.video import container
from vidclass.video.decode import decode_clip
from vidclass.video.orientation import Orientation

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


@pytest.mark.parametrize("swap_axes", [False, True])
@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("flip_y", [False, True])
def test_flips_of_the_stored_image(swap_axes: bool, flip_x: bool, flip_y: bool) -> None:
    orientation = Orientation(swap_axes=swap_axes, flip_x=flip_x, flip_y=flip_y)
    stored = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    flip_stored_x, flip_stored_y = orientation.flips_of_stored()
    flipped = stored[:, ::-1] if flip_stored_x else stored
    flipped = flipped[::-1] if flip_stored_y else flipped
    expected = flipped.swapaxes(0, 1) if swap_axes else flipped
    np.testing.assert_array_equal(orientation.apply(stored), expected)


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
    av = pytest.importorskip("av")
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
