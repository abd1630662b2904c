"""Specifications of networks, which child processes can build.

A Keras process keeps one back end.  Exporting to OpenVINO needs Keras's OpenVINO back end, checking
the export needs another one, and the parent may have no Keras at all; so child processes build
networks, from a spec that names a function and its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidclass._core.files import fingerprint_of

IR_FORMAT = 1


@dataclass(frozen=True)
class NetworkSpec:
    """A function that builds a model, and its arguments.

    Attributes:
        builder: `package.module:function`.
        arguments: Keyword arguments, plain JSON values.
        identity: Whatever else changes the outputs: checksums of the weights.
        files: Further arguments that are paths.  `identity` covers their content; their location
            does not matter.
        frames: True for a backbone, whose input is frames (B,H,W,3) uint8, or windows of them
            (B,window,H,W,3), and whose layout may be chosen; False for a head, whose inputs are
            `features` and `mask`.
        framework: Framework of the model: `keras`, or `torch` for a PyTorch module on frames.
        reference: Back end of Keras whose outputs the OpenVINO form must reproduce.
    """

    builder: str
    arguments: dict[str, Any]
    identity: str
    frames: bool
    files: dict[str, str] = field(default_factory=dict)
    framework: Literal["keras", "torch"] = "keras"
    # Keras on NumPy computes its convolutions by JAX, but does not compile an initialiser for each
    # shape of weights, which takes JAX 20 s for a small network.
    reference: Literal["numpy", "jax"] = "numpy"

    def build(self) -> Any:
        """Build the model; a Keras model uses this process's back end."""
        module, _, function = self.builder.partition(":")
        return getattr(import_module(module), function)(**self.arguments, **self.files)

    @property
    def original(self) -> str:
        """Name of the library whose outputs the OpenVINO form must reproduce, for messages."""
        return {"keras": "Keras", "torch": "PyTorch"}[self.framework]

    def fingerprint(self) -> str:
        """Return a hash that changes with anything that changes the network."""
        versions = [version(name) for name in ("keras", "openvino")]
        parts = [IR_FORMAT, self.builder, self.arguments, self.identity, self.frames, versions]
        # Keras models keep the fingerprint they had before there was another framework.
        parts += [] if self.framework == "keras" else [self.framework]
        return fingerprint_of(parts)


def probe_inputs(spec: NetworkSpec) -> dict[str, NDArray[Any]]:
    """Return the inputs on which two runtimes must agree, from a fixed seed.

    A backbone gets `frames` (3,H,W,3): a gradient, blocks and noise; or, if it takes windows,
    (3,window,H,W,3) of these images in turn.  A head gets `features` (4,T,D) and `mask` (4,T) of
    clips of several lengths, one of them empty.
    """
    rng = np.random.default_rng(7)
    if spec.frames:
        images = _probe_images(int(spec.arguments["size"]), rng)
        window = spec.arguments.get("window")
        if window is None:
            return {"frames": images}
        order = (np.arange(int(window)) + np.arange(len(images))[:, None]) % len(images)
        return {"frames": images[order]}
    frames, width = int(spec.arguments["frames"]), int(spec.arguments["width"])
    lengths = np.array([0, 1, max(1, frames // 2), frames])
    mask = np.arange(frames)[None] < lengths[:, None]
    features = np.abs(rng.normal(0, 0.5, (len(lengths), frames, width))).astype("float32")
    return {"features": features * mask[..., None], "mask": mask}


def _probe_images(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    ramp = np.linspace(0, 255, size)
    gradient = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 255 - ramp[:, None]), -1)
    blocks = rng.integers(0, 256, (8, 8, 3)).repeat(size // 8 + 1, 0).repeat(size // 8 + 1, 1)
    noise = np.clip(blocks[:size, :size] * 0.7 + rng.normal(40, 25, (size, size, 3)), 0, 255)
    return np.stack([gradient, blocks[:size, :size], noise]).astype(np.uint8)
