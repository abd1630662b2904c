"""What is called black and frozen, and which clips are shown, how large."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inspected_clips import manifest_of
from vidclass.audit import thumbnails
from vidclass.audit.inspection import Judge, coarse_grey
from vidclass.audit.thumbnails import sheet_rows, strip_of


def judged(*levels: int, spot: tuple[int, int] = (0, 0)) -> Judge:
    """Judge flat pictures; in the last one `spot[0]` pixels are changed by `spot[1]` levels."""
    judge = Judge()
    for number, level in enumerate(levels):
        picture = np.full(1024, level, np.uint8)
        if number == len(levels) - 1:
            picture[: spot[0]] += np.uint8(spot[1])
        judge.see(picture.reshape(32, 32))
    return judge


@pytest.mark.parametrize(
    ("levels", "spot", "black"),
    [((0, 25), (0, 0), True), ((0, 26), (0, 0), False), ((0, 0), (20, 255), True),
     ((0, 0), (21, 255), False), ((0,), (0, 0), True)],
)  # fmt: skip
def test_black(levels: tuple[int, ...], spot: tuple[int, int], black: bool) -> None:
    assert judged(*levels, spot=spot).black is black


@pytest.mark.parametrize(
    ("levels", "spot", "frozen"),
    [((90, 90), (0, 0), True), ((90, 90), (1, 4), True), ((90, 90), (1, 5), False),
     ((90,), (0, 0), False), ((90, 93, 96), (0, 0), False), ((0, 255), (0, 0), False)],
)  # fmt: skip
def test_frozen(levels: tuple[int, ...], spot: tuple[int, int], frozen: bool) -> None:
    assert judged(*levels, spot=spot).frozen is frozen


def test_nothing_seen_is_neither() -> None:
    assert (Judge().black, Judge().frozen, Judge().looked_at) == (False, False, 0)


def test_coarse_grey_is_the_mean_of_blocks() -> None:
    frame = np.zeros((2, 8, 8, 3), np.uint8)
    frame[1, :4, :4] = 200
    frame[1, 0, 0] = 40
    grey = coarse_grey(frame, 2)
    assert grey.shape == (2, 2, 2)
    assert grey[0].max() == 0
    assert grey[1].tolist() == [[190, 0], [0, 0]]


@pytest.mark.parametrize(
    ("aspect", "width"), [(4 / 3, 96), (9 / 16, 40), (0.003, 24), (300.0, 128)]
)
def test_a_strip_has_the_shape_of_the_video(aspect: float, width: int) -> None:
    frames = np.stack([np.full((96, 96, 3), level, np.uint8) for level in (0, 128, 255)])
    picture = Image.open(io.BytesIO(strip_of(frames, aspect=aspect)))
    assert (picture.format, picture.size) == ("JPEG", (3 * width, 72))
    shades = [np.asarray(picture)[36, width // 2 + k * width].mean() for k in range(3)]
    assert shades == pytest.approx([0, 128, 255], abs=3)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=120))
def test_the_sheet_is_bounded_and_spread(sizes: list[int]) -> None:
    labels = [f"c{k:03}" for k, size in enumerate(sizes) for _ in range(size)]
    sheet = sheet_rows(manifest_of(label=labels))
    most = max(1, min(thumbnails.MOST_PER_CLASS, thumbnails.MOST_ON_PAGE // len(sizes)))
    for (label, rows), size in zip(sheet.items(), sizes, strict=True):
        assert len(rows) == min(size, most)
        assert rows == sorted(set(rows))
        assert {labels[row] for row in rows} == {label}
        first = labels.index(label)
        assert rows[0] == first
        if len(rows) > 1:
            assert rows[-1] == first + size - 1


def test_a_clip_of_two_classes_is_on_both_sheets() -> None:
    assert sheet_rows(manifest_of(label=["a", "a|b"])) == {"a": [0, 1], "b": [1]}
