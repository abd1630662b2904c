"""Size of thumbnails, and the clips of a contact sheet."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vidclass.audit import thumbnails
from vidclass.audit.thumbnails import contact_sheet_rows, thumbnail_strip


@pytest.mark.parametrize(
    ("aspect", "width"), [(4 / 3, 96), (9 / 16, 40), (0.003, 24), (300.0, 128)]
)
def test_a_thumbnail_has_the_shape_of_the_video(aspect: float, width: int) -> None:
    frames = np.stack([np.full((96, 96, 3), level, np.uint8) for level in (0, 128, 255)])
    image = Image.open(io.BytesIO(thumbnail_strip(frames, aspect=aspect)))
    assert (image.format, image.size) == ("JPEG", (3 * width, 72))
    shades = [np.asarray(image)[36, width // 2 + k * width].mean() for k in range(3)]
    assert shades == pytest.approx([0, 128, 255], abs=3)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=120))
def test_the_sheet_is_bounded_and_spread(sizes: list[int]) -> None:
    labels = [f"c{k:03}" for k, size in enumerate(sizes) for _ in range(size)]
    sheet = contact_sheet_rows(labels)
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
    assert contact_sheet_rows(["a", "a|b"]) == {"a": [0, 1], "b": [1]}
