"""Networks compiled by OpenVINO for this machine's processor, and the one import of OpenVINO.

OpenVINO's Python package reports usage to a server over the network from the moment it is imported,
in a forked process.  A classifier must not do that unasked; without its telemetry package, which is
hidden from it here, OpenVINO uses a stub of its own.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vidclass._core.files import cache_folder, fingerprint_of, replacing
from vidclass.errors import RuntimeRouteError
from vidclass.runtime.hardware import Precision

_CONVERTER = "openvino.tools.ovc"

if "openvino" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    # The converter of other libraries' models takes half of the import time.
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]

import openvino as ov  # noqa: E402  # after its unwanted parts are hidden

if sys.modules.get(_CONVERTER, ov) is None:
    del sys.modules[_CONVERTER]

# The bindings learn NumPy's types when they first convert an array, holding two locks in no fixed
# order: two threads that do so at once can deadlock.  So it is done here, in the importing thread.
_ = ov.Tensor(np.zeros(1, np.float32)).data

_DIGEST_BYTES = hashlib.sha256().digest_size

__all__ = ["OpenVinoNetwork", "compile_cached", "core", "ov"]


@cache
def core() -> ov.Core:
    """Return the OpenVINO runtime of this process."""
    return ov.Core()


class OpenVinoNetwork:
    """A compiled network; `run` may be called from several threads.

    OpenVINO would choose bfloat16 by itself on some processors, so the precision is explicit.  An
    int8 network is quantized already, and what it leaves in floating point runs in float32.  The
    output for a frame or clip depends neither on the rest of its batch nor on threads.

    Attributes:
        parallel: Number of calls of `run` that make progress at a time.
        batch_frames: Recommended number of frames for a call.
    """

    # Speed is flat from five frames on; ten make two equal batches of the usual twenty.
    batch_frames = 10

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self.parallel = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(self.parallel):
            self._requests.put(compiled.create_infer_request())

    @classmethod
    def from_files(
        cls, xml: Path, weights: Path, precision: Precision = "f32", *, cached: bool = False
    ) -> Self:
        """Read and compile an IR; see `from_bytes`.

        Raises:
            RuntimeRouteError: the files are not an IR.
        """
        return cls.from_bytes(xml.read_bytes(), weights.read_bytes(), precision, cached=cached)

    @classmethod
    def from_bytes(
        cls, xml: bytes, weights: bytes, precision: Precision = "f32", *, cached: bool = False
    ) -> Self:
        """Compile an IR from memory, for the highest throughput.

        Args:
            xml: The network.
            weights: Its weights.
            precision: Precision of inference.
            cached: Keep the compiled network on disk, for a network that is opened often.

        Raises:
            RuntimeRouteError: the bytes are not an IR.
        """
        hints = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            # Decoding shares the cores with the network: neither may pin one.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            if cached:
                return cls(compile_cached(xml, weights, hints))
            return cls(core().compile_model(core().read_model(xml, weights), "CPU", hints))
        except RuntimeError as error:
            raise RuntimeRouteError(f"OpenVINO cannot read the network: {error}") from error

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the network's output for named inputs, whose first axis is the batch."""
        named = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        request = self._requests.get()
        try:
            # Requests reuse their output: copy it before another call may.
            return np.array(request.infer(named)[0], dtype=np.float32)
        finally:
            self._requests.put(request)


def compile_cached(xml: bytes, weights: bytes, hints: dict[str, Any]) -> ov.CompiledModel:
    """Compile an IR, or load its compiled form from the cache in a third of the time.

    OpenVINO has such a cache of its own, but trusts damaged files: with flipped bits it silently
    computes other outputs.  So exported networks are stored here, with a checksum.  A damaged entry
    is replaced; a cache that cannot be written is not used.

    Raises:
        RuntimeError: the bytes are not an IR.
    """
    path = cache_folder() / "compiled" / f"{_compiled_fingerprint(xml, weights, hints)}.blob"
    blob = _checked_blob(path)
    if blob is not None:
        # OpenVINO may still refuse a blob of the same version and processor.
        with suppress(RuntimeError):
            return core().import_model(blob, "CPU", hints)
    compiled = core().compile_model(core().read_model(xml, weights), "CPU", hints)
    blob = compiled.export_model().getvalue()
    with suppress(OSError), replacing(path) as temp:
        temp.write_bytes(hashlib.sha256(blob).digest() + blob)
    return compiled


def _compiled_fingerprint(xml: bytes, weights: bytes, hints: dict[str, Any]) -> str:
    processor = [
        core().get_property("CPU", name)
        for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
    ]
    parts = [
        hashlib.sha256(xml).hexdigest(),
        hashlib.sha256(weights).hexdigest(),
        hints,
        processor,
        version("openvino"),
    ]
    return fingerprint_of(parts)


def _checked_blob(path: Path) -> bytes | None:
    """Return the compiled network in `path`, or None if it is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, blob = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return blob if hashlib.sha256(blob).digest() == digest else None
