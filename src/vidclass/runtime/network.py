"""A network compiled by OpenVINO for this machine's processor."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import RuntimeRouteError
from vidclass.runtime.openvino import ov


@cache
def _core() -> ov.Core:
    return ov.Core()


class OpenVinoNetwork:
    """A compiled network, always in float32.

    OpenVINO would choose bfloat16 by itself on some processors, so the precision is named.
    One object serves one thread at a time.
    """

    def __init__(self, model: ov.Model) -> None:
        hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = _core().compile_model(model, "CPU", hints)

    @classmethod
    def from_files(cls, xml: Path, weights: Path) -> Self:
        """Read and compile an IR.

        Raises:
            RuntimeRouteError: the files are not an IR.
        """
        return cls.from_bytes(xml.read_bytes(), weights.read_bytes())

    @classmethod
    def from_bytes(cls, xml: bytes, weights: bytes) -> Self:
        """Compile an IR held in memory.

        Raises:
            RuntimeRouteError: the bytes are not an IR.
        """
        try:
            return cls(_core().read_model(xml, weights))
        except RuntimeError as error:
            raise RuntimeRouteError(f"OpenVINO cannot read the network: {error}") from error

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The network's one output for named inputs, the first axis being the batch."""
        named = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        return np.array(self._compiled(named)[0], dtype=np.float32)
