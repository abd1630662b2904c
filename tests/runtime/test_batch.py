"""A network that was written down for one picture, freed for any number of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vidclass.runtime.batch import _freed, free_batch
from vidclass.runtime.openvino import ov

ops = ov.opset13


def data(*shape: int) -> Any:
    return ov.op.Parameter(ov.Type.f32, ov.PartialShape(list(shape)))


def reshape(source: Any, *target: int) -> Any:
    return ops.reshape(source, np.array(target, "int64"), special_zero=False)


def run(output: Any, source: Any, *rows: Any) -> Any:
    model = ov.Model([output], [source])
    free_batch(model)
    compiled = ov.Core().compile_model(model, "CPU")
    return compiled(np.stack(rows).astype("float32"))[0]


@pytest.mark.parametrize(
    ("shape", "target", "freed"),
    [
        ([-1, 8], [1, 8, 1, 1], [-1, 8, 1, 1]),
        ([-1, 2, 4], [1, 8], [-1, 8]),
        ([-1, 4, 4, 8], [1, -1, 8], [-1, 16, 8]),
        ([-1, 16, 24], [6, 16, 3, 2, -1], [-1, 16, 3, 2, 4]),
        ([-1, 4, 4, 8], [1, 2, 2, 4, 4, 8], [-1, 2, 2, 4, 4, 8]),  # four windows, one picture
        ([-1], [1], [-1]),
        ([-1, 8], [-1, 8, 1, 1], None),
        ([3, 8], [1, 24], None),
        ([-1, 8], [1, 12], None),
        ([-1, 8], [2, 16], None),
        ([-1, 8], [1, -1, 3], None),
        ([-1, 8], [1, 0], None),
        ([-1, -1], [1, 8], None),
        ([-1], [1, 8], [-1, 8]),
        ([], [1], None),
    ],
)
def test_a_reshape_to_one_picture_takes_any_number(
    shape: list[int], target: list[int], freed: list[int] | None
) -> None:
    assert _freed(reshape(data(*shape), *target)) == freed


def test_a_reshape_to_a_computed_target_is_left_alone() -> None:
    target = ov.op.Parameter(ov.Type.i64, ov.PartialShape([2]))
    assert _freed(ops.reshape(data(-1, 8), target, special_zero=False)) is None


def test_every_picture_gets_the_token() -> None:
    source, token = data(-1, 2, 3), np.full((1, 1, 3), 7, "float32")
    joined = ops.concat([ops.constant(token), reshape(source, 1, -1, 3)], 1)
    rows = np.arange(18.0).reshape(3, 2, 3)
    made = run(reshape(joined, 1, 9), source, *rows)
    expected = np.concatenate([np.repeat(token, 3, 0), rows], 1).reshape(3, 9)
    np.testing.assert_array_equal(made, expected)


def test_windows_go_and_come_back() -> None:
    """As a Swin transformer cuts pictures: 2x2 windows of 2x2 places."""
    source = data(-1, 4, 4, 1)
    cut = ops.transpose(reshape(source, 1, 2, 2, 2, 2, 1), np.array([0, 1, 3, 2, 4, 5]))
    scores = reshape(reshape(cut, -1, 4, 1), 4, 4, 1)
    mean = ops.reduce_mean(scores, np.array([1]), keep_dims=True)
    back = reshape(ops.subtract(scores, mean), 1, 2, 2, 2, 2, 1)
    joined = reshape(ops.transpose(back, np.array([0, 1, 3, 2, 4, 5])), 1, 4, 4, 1)
    rows = np.random.default_rng(0).normal(size=(3, 4, 4, 1))
    windows = rows.reshape(3, 2, 2, 2, 2)
    expected = windows - windows.mean((2, 4), keepdims=True)
    np.testing.assert_allclose(run(joined, source, *rows), expected.reshape(3, 4, 4, 1), atol=1e-6)


def test_pictures_joined_with_one_another_are_left_alone() -> None:
    source = data(-1, 3)
    model = ov.Model([ops.concat([ops.constant(np.zeros((1, 3), "float32")), source], 0)], [source])
    free_batch(model)
    assert ov.Core().compile_model(model, "CPU")(np.ones((2, 3), "float32"))[0].shape == (3, 3)
