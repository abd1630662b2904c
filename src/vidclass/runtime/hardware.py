"""Hardware of this machine, and the numeric precision that suits it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Literal

Precision = Literal["f32", "bf16", "int8"]


def resolve_precision(precision: Literal["auto"] | Precision) -> Precision:
    """Return the precision, with `auto` as bf16 where the hardware computes in it, else f32.

    Elsewhere bf16 is emulated: the same outputs, two to three times slower than f32.
    """
    if precision != "auto":
        return precision
    return "bf16" if has_gpu() or has_bf16() else "f32"


def has_bf16() -> bool:
    """Return whether this machine's processor computes in bfloat16."""
    from vidclass.runtime.openvino_network import core

    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def has_gpu() -> bool:
    """Return whether Keras on JAX would compute on a GPU.

    JAX reaches a GPU through a plugin package; without one it is not even imported.
    `JAX_PLATFORMS=cpu` disables GPUs.
    """
    if not entry_points(group="jax_plugins"):
        return False
    import jax

    return bool(jax.default_backend() == "gpu")
