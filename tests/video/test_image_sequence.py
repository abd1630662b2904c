"""An image sequence is a video; a folder that is not quite one is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny_images import number_image, write_images
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.types import FrameBatch, Span
from vidclass.video.decode import decode_clip
from vidclass.video.image_sequence import CODECS, image_names, numbered_images
from vidclass.video.probe import VideoInfo, probe

TinyVideo = Callable[..., Path]
Number = Callable[[np.ndarray], int]


def take(
    path: Path, *, fps: float | None = 10.0, span: Span | None = None, **sampling: object
) -> FrameBatch:
    return decode_clip(
        path,
        span=span or Span(),
        sampling=SamplingConfig(**sampling),
        geometry=GeometryConfig(size=48),
        fps=fps,
    )


def refused(path: Path, message: str, *, fps: float | None = 10.0) -> VideoError:
    """Assert that decoding all of it and probing refuse it with the same message."""
    with pytest.raises(VideoError, match=message):
        probe(path, fps=fps)
    with pytest.raises(VideoError, match=message) as caught:
        take(path, fps=fps, frames=100)
    assert str(path) in str(caught.value) and caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        "img_{:05}.jpg",
        "{}.png",
        "frame{:03}.PNG",
        "%d 100% ü 視頻 [{:04}].bmp",
        "a.b-{:06}-rgb.webp",
        "{:05}.tiff",
        "x{}.ppm",
        "x{:02}.jpeg",
    ],
)
@pytest.mark.parametrize("start", [0, 1, 7, 95])
def test_images_come_in_the_order_of_their_numbers(
    name: str, start: int, tmp_path: Path, frame_number: Number
) -> None:
    folder = write_images(tmp_path / "clip %03d", name=name, numbers=range(start, start + 30))
    batch = take(folder, frames=3)
    assert [frame_number(frame) - start for frame in batch.frames] == [5, 15, 25]
    np.testing.assert_allclose(batch.timestamps_s, [0.5, 1.5, 2.5])


def test_times_follow_from_the_frame_rate(tmp_path: Path, frame_number: Number) -> None:
    folder = write_images(tmp_path)
    for fps, expected in ((10.0, [11, 12, 13, 14]), (20.0, [21, 22, 23, 24, 25, 26, 27, 28])):
        batch = take(folder, fps=fps, span=Span(1.0, 1.4))
        assert [frame_number(frame) for frame in batch.frames] == expected
        assert probe(folder, fps=fps).duration_s == pytest.approx(30 / fps)
    with pytest.raises(VideoError, match=r"starts after the video's end at 1\.00 s"):
        take(folder, fps=30.0, span=Span(1.0))


def test_probe_of_a_sequence(tmp_path: Path) -> None:
    folder = write_images(tmp_path, name="{}.png")
    (folder / "notes.txt").write_text("other files do not count")
    (folder / ".1.png").write_bytes(b"hidden ones neither")
    (folder / "more.png").mkdir()
    assert probe(folder, fps=12.5) == VideoInfo(
        path=folder,
        duration_s=2.4,
        width=64,
        height=48,
        rotation_deg=0,
        fps=12.5,
        frame_count=30,
        codec="png",
        pixel_format="rgb24",
        has_audio=False,
        variable_frame_rate=False,
    )


def test_one_image(tmp_path: Path) -> None:
    batch = take(write_images(tmp_path, numbers=range(1, 2)))
    assert batch.frames.shape == (1, 48, 48, 3)
    assert probe(tmp_path, fps=10.0).duration_s == pytest.approx(0.1)


def test_a_sequence_of_the_frames_of_a_video_equals_the_video(
    tiny_video: TinyVideo, tmp_path: Path
) -> None:
    path = tiny_video("v.mkv", codec="ffv1", pixel_format="bgr0", frames=20, fps=10)
    folder = write_images(tmp_path / "frames", name="{}.png", numbers=range(20))
    file, sequence = take(path, fps=None, frames=6), take(folder, frames=6)
    np.testing.assert_array_equal(file.frames, sequence.frames)
    np.testing.assert_allclose(file.timestamps_s, sequence.timestamps_s, atol=1e-3)


def test_only_sampled_images_are_opened(tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    (folder / "img_00002.jpg").write_bytes(b"no image")
    assert len(take(folder, frames=3).frames) == 3


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6  # turn it clockwise to see it
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :32] = (250, 0, 0)
    for number in (1, 2):
        Image.fromarray(image).save(tmp_path / f"{number}.jpg", exif=exif, quality=95)
    shown = take(tmp_path).frames[0]
    assert shown[4, 24, 0] > 200 and shown[43, 24, 0] < 50
    info = probe(tmp_path, fps=10.0)
    assert (info.width, info.height, info.rotation_deg) == (32, 64, 90)


def test_a_gap_names_the_missing_number(tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    (folder / "img_00017.jpg").unlink()
    refused(folder, r"go from number 1 to 30, but number 17 is missing\. Write them again")
    (folder / "img_00021.jpg").unlink()
    refused(folder, r"but number 17 is missing, and 1 more are missing")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("img_00031.png", r"its images have several formats \(30 \.jpg, 1 \.png\)\. Keep one"),
        ("flow_00001.jpg", r"more than one pattern of names: 'flow_00001.jpg', 'img_00001.jpg'"),
        ("cover.jpg", r"'cover.jpg' among its images has no number"),
        ("img_001.jpg", r"'img_00001.jpg' and 'img_001.jpg' have the same number"),
    ],
)
def test_names_that_do_not_fit(extra: str, message: str, tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    Image.fromarray(number_image(1, (64, 48))).save(folder / extra)
    refused(folder, message)


def test_both_suffixes_of_jpeg_are_one_format(tmp_path: Path) -> None:
    folder = write_images(tmp_path, numbers=range(1, 4))
    write_images(tmp_path, name="img_{:05}.JPEG", numbers=range(4, 6))
    assert len(take(folder).frames) == 5


def test_sizes_that_differ(tmp_path: Path) -> None:
    folder = write_images(tmp_path, numbers=range(1, 6))
    write_images(tmp_path, numbers=range(6, 7), size=(32, 48))
    refused(folder, r"differ in size: img_00001.jpg is 64x48, img_00006.jpg is 32x48\. Write")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6])
def test_an_image_that_cannot_be_decoded_is_named(suffix: str, kept: float, tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for number in range(1, 4):
        Image.fromarray(noise).save(folder / f"{number}{suffix}")
    data = (folder / f"2{suffix}").read_bytes()
    (folder / f"2{suffix}").write_bytes(data[: int(len(data) * kept)])
    error = refused(folder, rf"its image 2\{suffix} cannot be decoded\. Write it again; lost")
    assert error.stage == "decode"


def test_an_image_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_images(tmp_path, numbers=range(1, 2), size=(640, 480))
    monkeypatch.setenv("VIDCLASS_MAX_PIXELS", "3000")
    with pytest.raises(VideoError, match=r"more than 3000 pixels|img_00001.jpg cannot be decoded"):
        take(folder)


def test_the_rate_is_not_guessed(tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    refused(folder, r"is a sequence of 30 images without a frame rate\. Give their rate", fps=None)
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        refused(
            folder, rf"fps={fps!r} is not a frame rate\. Give a number above 0, at most", fps=fps
        )


def test_a_rate_for_a_file_is_refused(tiny_video: TinyVideo) -> None:
    refused(tiny_video(), r"is a file, which has its own times, but fps=10 is given\. Give a")


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "video.avi").touch()
    refused(tmp_path, r"is a folder, not a video\. Give the files in it")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"no such file\. Check the path"):
        image_names(tmp_path / "none")


def test_every_suffix_has_a_decoder(tmp_path: Path) -> None:
    for number, suffix in enumerate(CODECS):
        folder = write_images(tmp_path / str(number), name="{}" + suffix, numbers=range(1, 3))
        assert len(take(folder).frames) == 2
        assert len(numbered_images(folder)) == 2
