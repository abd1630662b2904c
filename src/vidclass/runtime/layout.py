"""Fewer transposes in a network that is exported with its channels last.

OpenVINO convolves with channels first, so each convolution of such a network stands between two
transposes: batch norms cannot be folded into it, and half of the time goes into moving numbers
about.  A transpose can be moved behind whatever treats all places alike.  There it meets its
opposite, and both go; two others become one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.runtime.openvino import ov

_ALIKE = (
    *("Clamp", "Convert", "Elu", "Gelu", "HSigmoid", "HSwish", "Relu", "Sigmoid", "Swish"),
    *("Add", "Divide", "Maximum", "Minimum", "Multiply", "Subtract"),
)


def sink_transposes(model: Any) -> Any:
    """A copy of `model` with fewer transposes, or `model` itself where none can go."""
    copy = model.clone()
    for op in copy.get_ordered_ops():
        orders = [_order(value) for value in op.input_values()]
        order = next((order for order in orders if order is not None), None)
        if order is not None:
            _sink(op, order)
    copy.validate_nodes_and_infer_types()
    return copy if _transposes(copy) < _transposes(model) else model


def _transposes(model: Any) -> int:
    return sum(op.get_type_name() == "Transpose" for op in model.get_ops())


def _sink(op: Any, order: list[int]) -> None:
    """Move a transpose into `order` from the inputs of `op` behind it, if that changes nothing."""
    targets = op.output(0).get_target_inputs()
    kind = op.get_type_name()
    if kind == "Transpose":
        if second := _order(op.output(0)):
            both = [order[axis] for axis in second]
            value = op.input_value(0).get_node().input_value(0)
            _redirect(targets, value if both == sorted(both) else _transposed(value, both))
        return
    inputs = _inputs_before(op, kind, order)
    if inputs is None:
        return
    for place, value in zip(op.inputs(), inputs, strict=True):
        place.replace_source_output(value)
    if kind == "Concat":
        op.set_attribute("axis", order[op.get_attributes()["axis"] % len(order)])
    op.validate_and_infer_types()
    if kind != "ReduceMean":
        _redirect(targets, _transposed(op.output(0), order))


def _transposed(value: Any, order: list[int]) -> Any:
    return ov.opset13.transpose(value, order).output(0)


def _redirect(targets: Any, value: Any) -> None:
    for target in targets:
        target.replace_source_output(value)


def _inputs_before(op: Any, kind: str, order: list[int]) -> list[Any] | None:
    """What `op` must be given so that a transpose may follow it; None where that cannot be."""
    values = op.input_values()
    if kind in (*_ALIKE, "Concat"):
        found = [_before(value, order, constants=kind != "Concat") for value in values]
        return None if None in found else found
    if _order(values[0]) != order:
        return None
    data, rest = values[0].get_node().input_value(0), [_numbers(value) for value in values[1:]]
    if kind == "Pad" and rest[0] is not None and rest[1] is not None:
        pads = [_constant(pad[np.argsort(order)]) for pad in rest[:2] if pad is not None]
        return [data, *pads, *values[3:]]
    if kind == "ReduceMean" and rest[0] is not None and not op.get_attributes()["keep_dims"]:
        axes = [order[axis % len(order)] for axis in rest[0].ravel()]
        kept = [axis for axis in order if axis not in axes]
        return [data, _constant(np.array(axes, "int64"))] if kept == sorted(kept) else None
    return None


def _before(value: Any, order: list[int], *, constants: bool) -> Any:
    """`value` as it is before a transpose into `order`, if it is that or constant."""
    if _order(value) == order:
        return value.get_node().input_value(0)
    numbers = _numbers(value) if constants else None
    if numbers is not None and numbers.ndim == 0:
        return value
    if numbers is None or numbers.ndim > len(order):
        return None
    wide = numbers.reshape((1,) * (len(order) - numbers.ndim) + numbers.shape)
    return _constant(np.ascontiguousarray(wide.transpose(np.argsort(order))))


def _order(value: Any) -> list[int] | None:
    """The order of axes that the transpose gives from which `value` comes, if it comes from one."""
    node = value.get_node()
    numbers = _numbers(node.input_value(1)) if node.get_type_name() == "Transpose" else None
    return None if numbers is None else [int(axis) for axis in numbers]


def _numbers(value: Any) -> NDArray[Any] | None:
    node = value.get_node()
    return np.array(node.get_data()) if node.get_type_name() == "Constant" else None


def _constant(numbers: NDArray[Any]) -> Any:
    return ov.op.Constant(numbers).output(0)
