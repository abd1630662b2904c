"""Rotations and flips of stored frames."""

from __future__ import annotations

import numpy as np
import pytest

from vidclass.video.orientation import Orientation


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


@pytest.mark.parametrize("clockwise_deg", [0, 90, 180, 270, -90, 450])
def test_rotations_without_a_matrix(clockwise_deg: int) -> None:
    orientation = Orientation.from_rotation(clockwise_deg)
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(orientation.apply(image), np.rot90(image, -(clockwise_deg // 90)))
    assert orientation.rotation_deg == clockwise_deg % 360
