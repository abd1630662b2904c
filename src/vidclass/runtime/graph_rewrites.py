"""Rewrites of exported OpenVINO graphs: a free batch size, and fewer transposes.

Keras exports a network with a batch of one, and operations that ask for the batch size are exported
with that constant: `free_batch` undoes this.

OpenVINO convolves with channels first, so each convolution of a network exported with channels last
stands between two transposes: batch norms cannot be folded into it, and half of the time goes into
moving data.  `sink_transposes` moves a transpose behind operations that treat all positions alike.
There it cancels out with its inverse, or two become one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.runtime.openvino_network import ov

# Operations that act on each element, or on two elements at the same position.
_ELEMENTWISE = (
    *("Clamp", "Convert", "Elu", "Gelu", "HSigmoid", "HSwish", "Relu", "Sigmoid", "Swish"),
    *("Add", "Divide", "Maximum", "Minimum", "Multiply", "Subtract"),
)


def free_batch(model: Any) -> None:
    """Make every reshape and concatenation of `model` keep the batch size, in place."""
    while True:
        targets = [
            (op, target)
            for op in model.get_ops()
            if (target := free_reshape_target(op)) is not None
        ]
        for op, target in targets:
            constant = ov.op.Constant(np.array(target, "int64"))
            op.input(1).replace_source_output(constant.output(0))
        inputs = [pair for op in model.get_ops() for pair in _unbatched_inputs(op)]
        for unbatched, batched in inputs:
            unbatched.replace_source_output(_repeated(unbatched.get_source_output(), batched))
        if not targets and not inputs:
            return
        # Only now do the shapes of later operations show that they are fixed, too.
        model.validate_nodes_and_infer_types()


def free_reshape_target(op: Any) -> list[int] | None:
    """Return the target shape that a reshape needs to keep a free batch, or None.

    None stands for another operation, a reshape that keeps the batch already, and one whose data
    have no free batch or other dynamic sizes.  Squeeze-and-excite blocks have the target [1,C,1,1]
    for data (B,C), transformers [1,-1,D] for data (B,H,W,D); shifted windows have the number of all
    windows for [-1,...].
    """
    if (
        op.get_type_name() != "Reshape"
        or op.input_value(1).get_node().get_type_name() != "Constant"
    ):
        return None
    batch, *sizes = list(op.input(0).get_partial_shape()) or [None]
    target = op.input_value(1).get_node().get_data().ravel().tolist()
    if batch is None or batch.is_static or any(size.is_dynamic for size in sizes):
        return None
    row_size = math.prod(size.get_length() for size in sizes)
    first, rest = target[:1], [int(size) for size in target[1:]]
    if first == [-1] or not first or min([row_size, *first]) < 1 or 0 in rest:
        return None
    if -1 in rest:
        inferred, remainder = divmod(row_size, -math.prod(rest))
        if remainder:
            return None
        rest[rest.index(-1)] = inferred
    target_size = math.prod(rest)
    # One image may span several rows of the data, such as its windows.
    fits = target_size % row_size == 0 if first == [1] else target_size == row_size
    return [-1, *rest] if fits else None


def _unbatched_inputs(op: Any) -> list[tuple[Any, Any]]:
    """Return the inputs of a concatenation with batch size 1, each with a value of free batch."""
    if op.get_type_name() != "Concat" or op.get_attributes()["axis"] == 0:
        return []
    batches = [value.get_partial_shape()[0] for value in op.input_values()]
    batched = next(
        (value for value, size in zip(op.input_values(), batches, strict=True) if size.is_dynamic),
        None,
    )
    if batched is None:
        return []
    return [
        (port, batched)
        for port, size in zip(op.inputs(), batches, strict=True)
        if size.is_static and size.get_length() == 1
    ]


def _repeated(value: Any, batched: Any) -> Any:
    """Broadcast `value` (1,...), the same for all images, to the batch size of `batched`."""
    opset = ov.opset13
    sizes = [size.get_length() for size in list(value.get_partial_shape())[1:]]
    batch = opset.gather(opset.shape_of(batched), np.array([0]), np.array(0))
    shape = opset.concat([batch, opset.constant(np.array(sizes, "int64"))], 0)
    return opset.broadcast(value, shape).output(0)


def sink_transposes(model: Any) -> Any:
    """Return a copy of `model` with fewer transposes, or `model` itself if none can go."""
    copy = model.clone()
    for op in copy.get_ordered_ops():
        orders = [_order(value) for value in op.input_values()]
        order = next((order for order in orders if order is not None), None)
        if order is not None:
            _sink(op, order)
    copy.validate_nodes_and_infer_types()
    return copy if _count_transposes(copy) < _count_transposes(model) else model


def _count_transposes(model: Any) -> int:
    return sum(op.get_type_name() == "Transpose" for op in model.get_ops())


def _sink(op: Any, order: list[int]) -> None:
    """Move a transpose into `order` from the inputs of `op` behind it, if outputs stay the same."""
    targets = op.output(0).get_target_inputs()
    kind = op.get_type_name()
    if kind == "Transpose":
        if second := _order(op.output(0)):
            both = [order[axis] for axis in second]
            value = op.input_value(0).get_node().input_value(0)
            _redirect(targets, value if both == sorted(both) else _transposed(value, both))
        return
    inputs = _untransposed_inputs(op, kind, order)
    if inputs is None:
        return
    for port, value in zip(op.inputs(), inputs, strict=True):
        port.replace_source_output(value)
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


def _untransposed_inputs(op: Any, kind: str, order: list[int]) -> list[Any] | None:
    """Return the inputs that `op` needs if the transpose follows it; None if it cannot follow."""
    values = op.input_values()
    if kind in (*_ELEMENTWISE, "Concat"):
        inputs = [_untransposed(value, order, constants=kind != "Concat") for value in values]
        return None if None in inputs else inputs
    if _order(values[0]) != order:
        return None
    data, rest = values[0].get_node().input_value(0), [_array(value) for value in values[1:]]
    if kind == "Pad" and rest[0] is not None and rest[1] is not None:
        pads = [_constant(pad[np.argsort(order)]) for pad in rest[:2] if pad is not None]
        return [data, *pads, *values[3:]]
    if kind == "ReduceMean" and rest[0] is not None and not op.get_attributes()["keep_dims"]:
        axes = [order[axis % len(order)] for axis in rest[0].ravel()]
        kept = [axis for axis in order if axis not in axes]
        return [data, _constant(np.array(axes, "int64"))] if kept == sorted(kept) else None
    return None


def _untransposed(value: Any, order: list[int], *, constants: bool) -> Any:
    """Return `value` before its transpose into `order`; None if it is neither that nor constant."""
    if _order(value) == order:
        return value.get_node().input_value(0)
    array = _array(value) if constants else None
    if array is not None and array.ndim == 0:
        return value
    if array is None or array.ndim > len(order):
        return None
    expanded = array.reshape((1,) * (len(order) - array.ndim) + array.shape)
    return _constant(np.ascontiguousarray(expanded.transpose(np.argsort(order))))


def _order(value: Any) -> list[int] | None:
    """Return the axes of the transpose that outputs `value`; None for another operation."""
    node = value.get_node()
    axes = _array(node.input_value(1)) if node.get_type_name() == "Transpose" else None
    return None if axes is None else [int(axis) for axis in axes]


def _array(value: Any) -> NDArray[Any] | None:
    """Return a constant as an array; None for another operation."""
    node = value.get_node()
    return np.array(node.get_data()) if node.get_type_name() == "Constant" else None


def _constant(array: NDArray[Any]) -> Any:
    return ov.op.Constant(array).output(0)
