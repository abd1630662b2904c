"""The numbers in which a backbone computes."""

from __future__ import annotations

from typing import Literal

from vidclass.runtime.gpu import gpu_at_hand

Precision = Literal["f32", "bf16", "int8"]


def resolve_precision(asked: Literal["auto"] | Precision) -> Precision:
    """What `auto` means on this machine: bf16 where the hardware computes in it, else f32.

    Where it does not, bf16 is emulated: the same numbers, two to three times slower than f32.
    """
    if asked != "auto":
        return asked
    return "bf16" if gpu_at_hand() or has_bf16() else "f32"


def has_bf16() -> bool:
    """Whether this machine's processor computes in bfloat16 itself."""
    from vidclass.runtime.openvino import core

    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
