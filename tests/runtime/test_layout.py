"""Moving transposes changes no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidclass.runtime.layout import sink_transposes
from vidclass.runtime.openvino import core, ov
from vidclass.runtime.openvino_network import OpenVinoNetwork

o = ov.opset13
TO_FIRST, TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def frames() -> Any:
    """Frames of three channels, the channels last, none of the sizes equal."""
    return o.parameter([-1, 6, 5, 3], np.float32, name="frames")


def model(output: Any, frames: Any) -> Any:
    return ov.Model([output], [frames])


def transposes(network: Any) -> int:
    return sum(op.get_type_name() == "Transpose" for op in network.get_ops())


def answer(network: Any) -> NDArray[Any]:
    values = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return OpenVinoNetwork(core().compile_model(network, "CPU", exact)).run(frames=values)


def check(network: Any, *, left: int) -> None:
    """The numbers stay; so many transposes remain."""
    expected = answer(network)
    sunk = sink_transposes(network)
    np.testing.assert_allclose(answer(sunk), expected, atol=1e-5)
    assert transposes(sunk) == left


def convolved(x: Any, seed: int = 0) -> Any:
    """A convolution of a picture with its channels last, as Keras exports it."""
    kernel = np.random.default_rng(seed).normal(size=(3, 3, 1, 1)).astype("float32")
    same = {"strides": [1, 1], "pads_begin": [0, 0], "pads_end": [0, 0], "dilations": [1, 1]}
    return o.transpose(o.convolution(o.transpose(x, TO_FIRST), kernel, **same), TO_LAST)


def test_opposite_transposes_cancel() -> None:
    x = frames()
    check(model(o.relu(convolved(o.relu(convolved(x)))), x), left=2)


def test_transposes_in_a_row_become_one() -> None:
    x = frames()
    check(model(o.transpose(o.transpose(x, [0, 1, 3, 2]), [0, 3, 2, 1]), x), left=1)


def test_a_network_without_idle_transposes_is_left_as_it_is() -> None:
    x = frames()
    network = model(o.relu(convolved(x)), x)
    assert sink_transposes(network) is network


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (5, 1), (1, 6, 5, 3)])
def test_constants_of_any_shape_follow(shape: tuple[int, ...]) -> None:
    x = frames()
    factor = np.random.default_rng(1).normal(size=shape).astype("float32")
    check(model(convolved(o.multiply(convolved(x), factor)), x), left=2)


def test_a_swish_keeps_its_factor_a_single_number() -> None:
    x = frames()
    check(model(convolved(o.swish(convolved(x), np.float32(1.5))), x), left=2)


@pytest.mark.parametrize("axis", [3, -1, 1])
def test_branches_meet(axis: int) -> None:
    x = frames()
    joined = o.concat([o.relu(convolved(x, 1)), convolved(x, 2)], axis)
    pooled = o.reduce_mean(o.add(joined, joined), np.array([1, -2]), keep_dims=False)
    check(model(pooled, x), left=2)


def test_padding_follows() -> None:
    x = frames()
    pads = np.array([0, 1, 2, 0]), np.array([0, 3, 1, 0])
    padded = o.pad(convolved(x), *pads, "constant", np.float32(7))
    check(model(convolved(padded), x), left=2)


def test_a_mean_that_would_come_out_in_another_order_stays() -> None:
    x = frames()
    mean = o.reduce_mean(o.transpose(x, TO_FIRST), np.array([2]), keep_dims=False)
    network = model(mean, x)
    assert sink_transposes(network) is network


@pytest.mark.parametrize("order", [TO_FIRST, [0, 2, 1, 3]])
def test_branches_in_different_orders_stay(order: list[int]) -> None:
    x = frames()
    other = o.reshape(o.transpose(x, order), np.array([-1, 3, 6, 5]), special_zero=False)
    network = model(o.add(o.transpose(x, TO_FIRST), other), x)
    assert sink_transposes(network) is network


def test_a_transpose_in_a_computed_order_stays() -> None:
    x = frames()
    order = o.convert(o.reduce_max(o.multiply(x, np.float32(0)), np.array([0, 1, 2])), "i64")
    computed = o.add(o.concat([order, o.reduce_max(order, 0, keep_dims=True)], 0), np.arange(4))
    network = model(o.transpose(o.transpose(x, TO_FIRST), computed), x)
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
        return o.relu(x)
    if kind == "scale":
        return o.multiply(x, np.linspace(-1, 2, channels, dtype="float32"))
    if kind == "twice":
        return o.add(o.relu(x), x)
    if kind == "concat":
        return o.concat([x, o.sigmoid(x)], 2)
    if kind == "pad":
        return o.pad(x, np.array([0, 1, 0, 2]), np.array([0, 0, 1, 0]), "constant", np.float32(1))
    return o.transpose(x, [0, *kind])


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_any_network_gives_the_same_numbers(steps: list[Any]) -> None:
    x = y = frames()
    for kind in steps:
        y = step(y, kind)
    network = model(o.relu(y), x)
    sunk = sink_transposes(network)
    np.testing.assert_allclose(answer(sunk), answer(network), atol=1e-5)
    assert transposes(sunk) <= transposes(network)
