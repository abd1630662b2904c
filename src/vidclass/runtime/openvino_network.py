"""A network compiled by OpenVINO for this machine's processor."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import RuntimeRouteError
from vidclass.runtime.compiled import compile_cached
from vidclass.runtime.hardware import Precision
from vidclass.runtime.openvino import core, ov


class OpenVinoNetwork:
    """A compiled network; `run` may be called from several threads.

    OpenVINO would choose bfloat16 by itself on some processors, so the precision is named: int8
    is a matter of the network itself, and what it leaves in floating point is then float32.  What
    comes out for one frame or clip depends neither on the rest of its batch nor on threads.

    Attributes:
        parallel: How many calls of `run` make progress at a time.
        batch_frames: How many frames a call is best given.
    """

    # Speed is flat from five frames on; ten make two equal batches of the usual twenty.
    batch_frames = 10

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self.parallel = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(self.parallel):
            self._requests.put(compiled.create_infer_request())

    @classmethod
    def from_files(cls, xml: Path, weights: Path, precision: Precision = "f32") -> Self:
        """Read and compile an IR.

        Raises:
            RuntimeRouteError: the files are not an IR.
        """
        return cls.from_bytes(xml.read_bytes(), weights.read_bytes(), precision)

    @classmethod
    def from_bytes(
        cls, xml: bytes, weights: bytes, precision: Precision = "f32", *, cached: bool = False
    ) -> Self:
        """Compile an IR held in memory, for as many answers a second as can be.

        `cached` keeps the compiled form on disk, for a network that will be opened again.

        Raises:
            RuntimeRouteError: the bytes are not an IR.
        """
        hints = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            # Decoding takes turns with the network: neither may hold a core for itself.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            if cached:
                return cls(compile_cached(xml, weights, hints))
            return cls(core().compile_model(core().read_model(xml, weights), "CPU", hints))
        except RuntimeError as error:
            raise RuntimeRouteError(f"OpenVINO cannot read the network: {error}") from error

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The network's one output for named inputs, the first axis being the batch."""
        named = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        request = self._requests.get()
        try:
            # Requests use their output again: copy it before another call may.
            return np.array(request.infer(named)[0], dtype=np.float32)
        finally:
            self._requests.put(request)
