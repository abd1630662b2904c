"""Models over time, and the contract for heads of your own.

A head is a function that builds a Keras model, registered by a decorator:

>>> from vidclass.heads import head, head_inputs
>>> @head(causal=True, ordered=False)                               # doctest: +SKIP
... def peak(frames: int, width: int, classes: int) -> keras.Model:
...     inputs, features, mask = head_inputs(frames, width)
...     ...
>>> vidclass.run_config(head="peak")                                # doctest: +SKIP

`vidclass.testing.check_head` tests what every head must do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidclass.heads.inputs import head_inputs
    from vidclass.heads.layers import masked_mean
    from vidclass.heads.registry import Head, build_head, head, heads, unregister_head

__all__ = [
    "Head",
    "build_head",
    "head",
    "head_inputs",
    "heads",
    "masked_mean",
    "unregister_head",
]

# Layers load Keras: they are imported when first used.
_MODULES = {"head_inputs": "vidclass.heads.inputs", "masked_mean": "vidclass.heads.layers"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'vidclass.heads' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "vidclass.heads.registry")), name)
