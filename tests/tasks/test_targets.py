from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.errors import ShapeError
from vidclass.tasks.targets import class_members, require_targets


def test_a_clip_of_several_classes_is_a_member_of_each() -> None:
    rows, classes = class_members(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32))
    assert (rows.tolist(), classes.tolist()) == ([0, 0, 2], [0, 2, 1])
    rows, classes = class_members(np.array([2, 0]))
    assert (rows.tolist(), classes.tolist()) == ([0, 1], [2, 0])


@pytest.mark.parametrize("targets", [np.zeros((2, 3, 1), np.float32), np.zeros(2, np.float32)])
def test_targets_of_another_shape_are_refused(targets: NDArray[Any]) -> None:
    with pytest.raises(ShapeError, match=r"targets must be \(N,\) integers.*received: \(2,"):
        require_targets(targets)
    require_targets(np.zeros((2, 3)))
    require_targets(np.zeros(2, int))
