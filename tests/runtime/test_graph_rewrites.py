"""Graph rewrites free the batch size and remove transposes without changing outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidclass.runtime.graph_rewrites import free_batch, free_reshape_target, sink_transposes
from vidclass.runtime.openvino_network import OpenVinoNetwork, core, ov

ops = ov.opset13


def data(*shape: int) -> Any:
    return ov.op.Parameter(ov.Type.f32, ov.PartialShape(list(shape)))


def reshape(source: Any, *target: int) -> Any:
    return ops.reshape(source, np.array(target, "int64"), special_zero=False)


def run_batch(output: Any, source: Any, *rows: Any) -> Any:
    model = ov.Model([output], [source])
    free_batch(model)
    compiled = ov.Core().compile_model(model, "CPU")
    return compiled(np.stack(rows).astype("float32"))[0]


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ([-1, 8], [1, 8, 1, 1], [-1, 8, 1, 1]),
        ([-1, 2, 4], [1, 8], [-1, 8]),
        ([-1, 4, 4, 8], [1, -1, 8], [-1, 16, 8]),
        ([-1, 16, 24], [6, 16, 3, 2, -1], [-1, 16, 3, 2, 4]),
        ([-1, 4, 4, 8], [1, 2, 2, 4, 4, 8], [-1, 2, 2, 4, 4, 8]),  # four windows, one image
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
def test_a_reshape_keeps_the_batch(
    shape: list[int], target: list[int], expected: list[int] | None
) -> None:
    assert free_reshape_target(reshape(data(*shape), *target)) == expected


def test_a_reshape_to_a_computed_target_is_left_alone() -> None:
    target = ov.op.Parameter(ov.Type.i64, ov.PartialShape([2]))
    assert free_reshape_target(ops.reshape(data(-1, 8), target, special_zero=False)) is None


def test_every_image_gets_the_token() -> None:
    source, token = data(-1, 2, 3), np.full((1, 1, 3), 7, "float32")
    joined = ops.concat([ops.constant(token), reshape(source, 1, -1, 3)], 1)
    rows = np.arange(18.0).reshape(3, 2, 3)
    outputs = run_batch(reshape(joined, 1, 9), source, *rows)
    expected = np.concatenate([np.repeat(token, 3, 0), rows], 1).reshape(3, 9)
    np.testing.assert_array_equal(outputs, expected)


def test_windows_are_cut_and_joined() -> None:
    """As a Swin transformer cuts images: 2x2 windows of 2x2 pixels."""
    source = data(-1, 4, 4, 1)
    cut = ops.transpose(reshape(source, 1, 2, 2, 2, 2, 1), np.array([0, 1, 3, 2, 4, 5]))
    scores = reshape(reshape(cut, -1, 4, 1), 4, 4, 1)
    mean = ops.reduce_mean(scores, np.array([1]), keep_dims=True)
    back = reshape(ops.subtract(scores, mean), 1, 2, 2, 2, 2, 1)
    joined = reshape(ops.transpose(back, np.array([0, 1, 3, 2, 4, 5])), 1, 4, 4, 1)
    rows = np.random.default_rng(0).normal(size=(3, 4, 4, 1))
    windows = rows.reshape(3, 2, 2, 2, 2)
    expected = windows - windows.mean((2, 4), keepdims=True)
    np.testing.assert_allclose(
        run_batch(joined, source, *rows), expected.reshape(3, 4, 4, 1), atol=1e-6
    )


def test_a_concatenation_along_the_batch_is_left_alone() -> None:
    source = data(-1, 3)
    model = ov.Model([ops.concat([ops.constant(np.zeros((1, 3), "float32")), source], 0)], [source])
    free_batch(model)
    assert ov.Core().compile_model(model, "CPU")(np.ones((2, 3), "float32"))[0].shape == (3, 3)


TO_FIRST, TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def frames() -> Any:
    """Frames of three channels, the channels last, none of the sizes equal."""
    return ops.parameter([-1, 6, 5, 3], np.float32, name="frames")


def model(output: Any, frames: Any) -> Any:
    return ov.Model([output], [frames])


def transposes(network: Any) -> int:
    return sum(op.get_type_name() == "Transpose" for op in network.get_ops())


def answer(network: Any) -> NDArray[Any]:
    values = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return OpenVinoNetwork(core().compile_model(network, "CPU", exact)).run(frames=values)


def check(network: Any, *, left: int) -> None:
    """Require the same outputs, and this number of remaining transposes."""
    expected = answer(network)
    sunk = sink_transposes(network)
    np.testing.assert_allclose(answer(sunk), expected, atol=1e-5)
    assert transposes(sunk) == left


def convolved(x: Any, seed: int = 0) -> Any:
    """Convolve an image with its channels last, as Keras exports it."""
    kernel = np.random.default_rng(seed).normal(size=(3, 3, 1, 1)).astype("float32")
    same = {"strides": [1, 1], "pads_begin": [0, 0], "pads_end": [0, 0], "dilations": [1, 1]}
    return ops.transpose(ops.convolution(ops.transpose(x, TO_FIRST), kernel, **same), TO_LAST)


def test_opposite_transposes_cancel() -> None:
    x = frames()
    check(model(ops.relu(convolved(ops.relu(convolved(x)))), x), left=2)


def test_transposes_in_a_row_become_one() -> None:
    x = frames()
    check(model(ops.transpose(ops.transpose(x, [0, 1, 3, 2]), [0, 3, 2, 1]), x), left=1)


def test_a_network_without_idle_transposes_is_left_as_it_is() -> None:
    x = frames()
    network = model(ops.relu(convolved(x)), x)
    assert sink_transposes(network) is network


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (5, 1), (1, 6, 5, 3)])
def test_constants_of_any_shape_follow(shape: tuple[int, ...]) -> None:
    x = frames()
    factor = np.random.default_rng(1).normal(size=shape).astype("float32")
    check(model(convolved(ops.multiply(convolved(x), factor)), x), left=2)


def test_a_swish_keeps_its_factor_a_single_number() -> None:
    x = frames()
    check(model(convolved(ops.swish(convolved(x), np.float32(1.5))), x), left=2)


@pytest.mark.parametrize("axis", [3, -1, 1])
def test_branches_meet(axis: int) -> None:
    x = frames()
    joined = ops.concat([ops.relu(convolved(x, 1)), convolved(x, 2)], axis)
    pooled = ops.reduce_mean(ops.add(joined, joined), np.array([1, -2]), keep_dims=False)
    check(model(pooled, x), left=2)


def test_padding_follows() -> None:
    x = frames()
    pads = np.array([0, 1, 2, 0]), np.array([0, 3, 1, 0])
    padded = ops.pad(convolved(x), *pads, "constant", np.float32(7))
    check(model(convolved(padded), x), left=2)


def test_a_mean_that_would_come_out_in_another_order_stays() -> None:
    x = frames()
    mean = ops.reduce_mean(ops.transpose(x, TO_FIRST), np.array([2]), keep_dims=False)
    network = model(mean, x)
    assert sink_transposes(network) is network


@pytest.mark.parametrize("order", [TO_FIRST, [0, 2, 1, 3]])
def test_branches_in_different_orders_stay(order: list[int]) -> None:
    x = frames()
    other = ops.reshape(ops.transpose(x, order), np.array([-1, 3, 6, 5]), special_zero=False)
    network = model(ops.add(ops.transpose(x, TO_FIRST), other), x)
    assert sink_transposes(network) is network


def test_a_transpose_in_a_computed_order_stays() -> None:
    x = frames()
    order = ops.convert(ops.reduce_max(ops.multiply(x, np.float32(0)), np.array([0, 1, 2])), "i64")
    computed = ops.add(
        ops.concat([order, ops.reduce_max(order, 0, keep_dims=True)], 0), np.arange(4)
    )
    network = model(ops.transpose(ops.transpose(x, TO_FIRST), computed), x)
    assert sink_transposes(network) is network


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["relu", "scale", "twice", "concat", "pad"]),
        st.permutations([1, 2, 3]),
    ),
    max_size=9,
)


def step(x: Any, kind: Any) -> Any:
    channels = x.get_output_partial_shape(0)[3].get_length()
    if kind == "relu":
        return ops.relu(x)
    if kind == "scale":
        return ops.multiply(x, np.linspace(-1, 2, channels, dtype="float32"))
    if kind == "twice":
        return ops.add(ops.relu(x), x)
    if kind == "concat":
        return ops.concat([x, ops.sigmoid(x)], 2)
    if kind == "pad":
        return ops.pad(x, np.array([0, 1, 0, 2]), np.array([0, 0, 1, 0]), "constant", np.float32(1))
    return ops.transpose(x, [0, *kind])


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_any_network_gives_the_same_numbers(steps: list[Any]) -> None:
    x = y = frames()
    for kind in steps:
        y = step(y, kind)
    network = model(ops.relu(y), x)
    sunk = sink_transposes(network)
    np.testing.assert_allclose(answer(sunk), answer(network), atol=1e-5)
    assert transposes(sunk) <= transposes(network)
