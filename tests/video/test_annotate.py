from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vidclass.errors import ConfigError, ShapeError
from vidclass.types import UInt8Array
from vidclass.video.annotate import BAR, MIN_WIDTH, PROGRESS, annotate_frames, write_gif


def random_frames(count: int = 4, height: int = 60, width: int = 240) -> UInt8Array:
    return np.random.default_rng(0).integers(0, 255, (count, height, width, 3), np.uint8)


def share_of(colour: tuple[int, int, int], image: UInt8Array) -> float:
    return float((image == colour).all(-1).mean())


def test_the_frames_stay_as_they_are_above_the_panel() -> None:
    frames = random_frames()
    drawn = annotate_frames(frames, ["Spin"], fractions=[0.5])
    assert drawn.dtype == np.uint8 and drawn.shape[2] == 240
    np.testing.assert_array_equal(drawn[:, :60], frames)
    assert (drawn[:, 63:] == drawn[:1, 63:]).all()  # the panel is the same under each frame


def test_the_line_of_time_grows_to_the_full_width() -> None:
    rows = annotate_frames(random_frames(4), ["Spin"])[:, 60]
    done = [(row == PROGRESS).all(-1).sum() for row in rows]
    assert done == [60, 120, 180, 240]


def test_a_larger_fraction_is_a_longer_bar() -> None:
    shares = [
        share_of(BAR, annotate_frames(random_frames(1), ["Spin"], fractions=[fraction])[0, 63:])
        for fraction in (0.0, 0.25, 0.5, 1.0)
    ]
    assert shares[0] == 0
    assert shares == sorted(shares) and len(set(shares)) == 4


def test_another_label_is_another_image() -> None:
    one, two = (annotate_frames(random_frames(1), [label]) for label in ("Spin", "Blink"))
    assert one.shape == two.shape and (one != two).any()


def test_more_lines_make_a_higher_panel_and_none_make_no_panel() -> None:
    heights = [annotate_frames(random_frames(1), ["x"] * count).shape[1] for count in range(4)]
    assert heights == sorted(set(heights))
    assert heights[0] == 60 + 3


def test_narrow_frames_are_enlarged_until_text_can_be_read() -> None:
    drawn = annotate_frames(random_frames(1, 30, 64), ["Spin"])
    assert drawn.shape[2] == 4 * 64 >= MIN_WIDTH
    np.testing.assert_array_equal(drawn[0, :120:4, ::4], random_frames(1, 30, 64)[0])


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(), max_size=60), st.floats(0, 1))
def test_any_label_can_be_drawn(label: str, fraction: float) -> None:
    with_bar = annotate_frames(random_frames(1), [label, label], fractions=[fraction])
    assert with_bar.shape == annotate_frames(random_frames(1), ["a", "b"]).shape


@pytest.mark.parametrize(
    "label", ["", "日本語", "Ünï", "two\nlines", "\udcff", "\x00", "🏏", "x" * 999]
)
def test_awkward_labels_can_be_drawn(label: str) -> None:
    assert annotate_frames(random_frames(1), [label], fractions=[1.0]).shape[0] == 1


def test_an_accent_is_dropped_and_a_long_label_is_cut() -> None:
    plain, accented = (annotate_frames(random_frames(1), [label]) for label in ("Uber", "Über"))
    np.testing.assert_array_equal(plain, accented)
    long, longer = (annotate_frames(random_frames(1), ["x" * count]) for count in (200, 300))
    np.testing.assert_array_equal(long, longer)


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 4, 4, 4), (0, 4, 4, 3), (2, 4, 0, 3)])
def test_wrong_frames_are_named(tmp_path: Path, shape: tuple[int, ...]) -> None:
    message = r"frames must be \(T,H,W,3\) uint8 with nothing empty, received: \(.*\) uint8"
    with pytest.raises(ShapeError, match=message):
        annotate_frames(np.zeros(shape, np.uint8), ["x"])
    with pytest.raises(ShapeError, match=message):
        write_gif(tmp_path / "x.gif", np.zeros(shape, np.uint8), fps=5)


def test_wrong_fractions_are_named() -> None:
    with pytest.raises(ConfigError, match=r"2 fractions for 1 lines: give one a line"):
        annotate_frames(random_frames(), ["x"], fractions=[0.1, 0.2])
    for fraction in (1.5, -0.1, float("nan")):
        with pytest.raises(ConfigError, match=rf"fraction={fraction} is not between 0 and 1"):
            annotate_frames(random_frames(), ["x"], fractions=[fraction])


def flat(count: int) -> UInt8Array:
    """Return frames of one colour each, another for each frame."""
    return np.stack(
        [np.full((40, 50, 3), (12 * i, 80, 250 - 12 * i), np.uint8) for i in range(count)]
    )


def test_a_gif_holds_every_frame_and_repeats_for_ever(tmp_path: Path) -> None:
    write_gif(tmp_path / "deep" / "x.gif", flat(8), fps=4)
    with Image.open(tmp_path / "deep" / "x.gif") as gif:
        assert (gif.n_frames, gif.info["loop"], gif.info["duration"]) == (8, 0, 250)
        for index, frame in enumerate(flat(8)):
            gif.seek(index)
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - frame).max() < 12


@pytest.mark.parametrize(("fps", "milliseconds"), [(25, 40), (29.97, 30), (1000, 20), (0.5, 2000)])
def test_a_gif_counts_in_hundredths(tmp_path: Path, fps: float, milliseconds: int) -> None:
    write_gif(tmp_path / "x.gif", flat(2), fps=fps)
    with Image.open(tmp_path / "x.gif") as gif:
        assert gif.info["duration"] == milliseconds


def test_a_gif_of_real_frames_is_small(tmp_path: Path, shared: Path) -> None:
    import av

    clip = sorted((shared / "data" / "ucf101_tiny").rglob("*.avi"))[0]
    with av.open(str(clip)) as container:
        frames = [
            f.to_ndarray(format="rgb24", width=224, height=224) for f in container.decode(video=0)
        ]
    chosen = np.stack(frames[:: len(frames) // 20][:20])
    write_gif(tmp_path / "x.gif", annotate_frames(chosen, ["A", "B"], fractions=[0.9, 0.1]), fps=5)
    assert (tmp_path / "x.gif").stat().st_size < 1_000_000


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_wrong_rate_is_named(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ConfigError, match=rf"fps={fps} must be above 0"):
        write_gif(tmp_path / "x.gif", flat(1), fps=fps)


def test_a_gif_that_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.gif"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="disk full"):
        write_gif(path, flat(2), fps=5)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
