"""A network that Keras exported for one picture, made one for any number of them.

Keras's export runs the network on a batch of one.  What asks for the batch then gets a number: a
reshape is written down with it, and a class token is put before the tokens of one picture.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vidclass.runtime.openvino import ov


def free_batch(model: Any) -> None:
    """Let every reshape and every concatenation keep the batch, whatever it is."""
    while True:
        targets = [(op, target) for op in model.get_ops() if (target := _freed(op)) is not None]
        for op, target in targets:
            constant = ov.op.Constant(np.array(target, "int64"))
            op.input(1).replace_source_output(constant.output(0))
        lone = [pair for op in model.get_ops() for pair in _lone_inputs(op)]
        for place, batched in lone:
            place.replace_source_output(_repeated(place.get_source_output(), batched))
        if not targets and not lone:
            return
        # An operation on what comes out of these has shown its own fault only now.
        model.validate_nodes_and_infer_types()


def _freed(op: Any) -> list[int] | None:
    """The target of a reshape without the batch that was written down; None where that is right.

    The data are of a free batch and of sizes known.  Squeeze-and-excite blocks have [1,C,1,1] for
    data (B,C), transformers [1,-1,D] for data (B,H,W,D); shifted windows have the number of all
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
    whole = math.prod(size.get_length() for size in sizes)
    first, rest = target[:1], [int(size) for size in target[1:]]
    if first == [-1] or not first or min([whole, *first]) < 1 or 0 in rest:
        return None
    if -1 in rest:
        left, over = divmod(whole, -math.prod(rest))
        if over:
            return None
        rest[rest.index(-1)] = left
    made = math.prod(rest)
    # One picture may be of several rows of the data, such as its windows.
    fits = made % whole == 0 if first == [1] else made == whole
    return [-1, *rest] if fits else None


def _lone_inputs(op: Any) -> list[tuple[Any, Any]]:
    """The inputs of a concatenation that are of one picture, each with one of a free batch."""
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
        (place, batched)
        for place, size in zip(op.inputs(), batches, strict=True)
        if size.is_static and size.get_length() == 1
    ]


def _repeated(value: Any, batched: Any) -> Any:
    """`value` (1,...), which is the same for all pictures, as often as `batched` has rows."""
    opset = ov.opset13
    sizes = [size.get_length() for size in list(value.get_partial_shape())[1:]]
    batch = opset.gather(opset.shape_of(batched), np.array([0]), np.array(0))
    shape = opset.concat([batch, opset.constant(np.array(sizes, "int64"))], 0)
    return opset.broadcast(value, shape).output(0)
