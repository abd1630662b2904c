"""Keras networks in this process, for a GPU or where a network has no OpenVINO form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidclass.runtime.hardware import has_gpu
from vidclass.runtime.network_spec import NetworkSpec

# Enough to fill a large GPU; a processor gains nothing beyond a few dozen frames.
_GPU_BATCH_FRAMES = 128
_CPU_BATCH_FRAMES = 32


class KerasNetwork:
    """A backbone compiled by Keras's back end for batches of one size.

    Frames are copied to the device as uint8; in bf16 the weights stay float32 and the computation
    is bfloat16 (Keras's `mixed_bfloat16`).

    Attributes:
        parallel: Number of threads that may call `run` at a time.
        batch_frames: Largest number of frames for a call.
    """

    parallel = 1

    def __init__(self, spec: NetworkSpec, precision: Literal["f32", "bf16"] = "f32") -> None:
        import keras

        self._precision = precision
        window = int(spec.arguments.get("window", 1))
        max_frames = _GPU_BATCH_FRAMES if has_gpu() else _CPU_BATCH_FRAMES
        self._rows = max(1, max_frames // window)
        self.batch_frames = self._rows * window
        with _dtype_policy("mixed_bfloat16" if precision == "bf16" else "float32"):
            network = spec.build()
        pixels = keras.Input(network.inputs[0].shape[1:], dtype="uint8")
        outputs = keras.ops.cast(network(keras.ops.cast(pixels, "float32")), "float32")
        self._model = keras.Model(pixels, outputs)

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the features (B,D) of `frames` (B,H,W,3) or (B,window,H,W,3) uint8.

        A call takes at most `batch_frames` frames.
        """
        frames = inputs["frames"]
        missing = self._rows - len(frames)
        # Another batch size would compile anew.
        pads = [(0, max(missing, 0))] + [(0, 0)] * (frames.ndim - 1)
        batch = np.pad(frames, pads) if missing > 0 else frames
        with _full_float32() if self._precision == "f32" else nullcontext():
            outputs = self._model.predict_on_batch(batch)
        return np.asarray(outputs, dtype=np.float32)[: len(frames)]


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _full_float32() -> Iterator[None]:
    """Multiply in float32; GPUs would otherwise use TF32, which is about as coarse as bfloat16."""
    import keras

    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.default_matmul_precision("highest"):
        yield
