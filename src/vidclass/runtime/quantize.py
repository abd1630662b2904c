"""int8 forms of IRs: calibrated on frames of the user's clips, compared with float32, cached.

A child process, `python -m vidclass.runtime.quantize FOLDER`, quantizes: NNCF writes its progress
to standard output and does not free its memory.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vidclass._core.files import cache_folder, making_folder, write_text
from vidclass.errors import ConfigError, RuntimeRouteError
from vidclass.runtime.ir import IrFiles, discard, ensure_ir, read_sealed, seal
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.runtime.openvino_network import core, ov
from vidclass.types import FloatArray, UInt8Array

# Goes up when the same frames begin to give another network.
_REVISION = 1
# Least mean cosine similarity between the features of a frame in int8 and in float32.
MIN_COSINE = 0.98
_FRAMES = {"calibrate": "calibrate.npy", "check": "check.npy"}
_BATCH_FRAMES = 16


@dataclass(frozen=True)
class Int8Ir:
    """An int8 IR, and its similarity to float32 on frames that it was not calibrated on.

    Attributes:
        ir: The files.
        identity: Text that changes with the network's outputs.
        clips: Keys of the clips it was calibrated on.
        cosine_mean: Mean over frames of the cosine between its features and those in float32.
        cosine_min: The least of these cosines.
    """

    ir: IrFiles
    identity: str
    clips: frozenset[str]
    cosine_mean: float
    cosine_min: float

    def require_similar(self) -> None:
        """Require features similar enough to those in float32.

        Raises:
            RuntimeRouteError: the mean cosine is below `MIN_COSINE`.
        """
        if self.cosine_mean < MIN_COSINE:
            raise RuntimeRouteError(
                f"in int8 this network's features have a mean cosine of {self.cosine_mean:.4f} "
                f"with those in float32 (the worst frame {self.cosine_min:.4f}), at least "
                f"{MIN_COSINE} is required. Use precision='auto'"
            )


def require_nncf() -> None:
    """Require the package that quantizes.

    Raises:
        ConfigError: it is not installed.
    """
    if find_spec("nncf") is None:
        raise ConfigError("precision='int8' needs NNCF: pip install 'vidclass[quantize]'")


def int8_entries(spec: NetworkSpec) -> list[Int8Ir]:
    """Return the cached int8 forms of a network, the oldest first."""
    folders = sorted(_int8_folder(spec).glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    return [entry for folder in folders if (entry := _read_entry(folder)) is not None]


def make_int8(
    spec: NetworkSpec, *, clips: Sequence[str], calibrate: UInt8Array, check: UInt8Array
) -> Int8Ir:
    """Quantize a network after training.

    NNCF makes weights and activations int8, with ranges from `calibrate` and bias correction
    (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction").

    Args:
        spec: The network.
        clips: Keys of the clips that the frames come from.
        calibrate: (N,H,W,3) frames that set the ranges.
        check: (M,H,W,3) frames on which it is compared with float32.

    Raises:
        ConfigError: NNCF is not installed.
        RuntimeRouteError: the network has no OpenVINO form, or it cannot be quantized.
    """
    require_nncf()
    float32 = ensure_ir(spec)
    parts = [_REVISION, version("nncf"), sorted(clips)]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    folder = _int8_folder(spec) / name
    if _read_entry(folder) is None:
        discard(folder)
    with making_folder(folder) as temp:
        np.save(temp / _FRAMES["calibrate"], calibrate)
        np.save(temp / _FRAMES["check"], check)
        task = {"xml": str(float32.xml), "bin": str(float32.bin)}
        write_text(temp / "task.json", json.dumps(task))
        facts = _run_child(temp)
        seal(temp, facts | {"parity": float32.parity, "clips": sorted(clips)})
    entry = _read_entry(folder)
    if entry is None:
        raise RuntimeRouteError(f"the int8 network in {folder} changes while it is read")
    return entry


def _int8_folder(spec: NetworkSpec) -> Path:
    return cache_folder() / "int8" / spec.fingerprint()


def _read_entry(folder: Path) -> Int8Ir | None:
    entry = read_sealed(folder)
    if entry is None:
        return None
    ir, facts = entry
    identity = f"int8-{facts['model.xml']}-{facts['model.bin']}"
    return Int8Ir(
        ir, identity, frozenset(facts["clips"]), facts["cosine_mean"], facts["cosine_min"]
    )


def _run_child(folder: Path) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603  # our own module and folder
        [sys.executable, "-m", "vidclass.runtime.quantize", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise RuntimeRouteError(f"quantizing a network failed in a child process:\n{tail}")
    facts: dict[str, float] = json.loads((folder / "cosine.json").read_text(encoding="utf-8"))
    return facts


def quantize(folder: Path) -> None:
    """Write `model.xml`, `model.bin` and `cosine.json`, in the child process."""
    import nncf  # after OpenVINO, whose telemetry is hidden by then

    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    calibrate = np.load(folder / _FRAMES["calibrate"])
    float32 = core().read_model(task["xml"], task["bin"])
    int8 = nncf.quantize(
        core().read_model(task["xml"], task["bin"]),
        nncf.Dataset([frame[None] for frame in calibrate]),
        subset_size=len(calibrate),
        # Fast bias correction costs EfficientNet-Lite half of its similarity to float32.
        fast_bias_correction=False,
    )
    ov.save_model(int8, folder / "model.xml", compress_to_fp16=False)
    check = np.load(folder / _FRAMES["check"])
    cosines = cosine_similarity(_features(float32, check), _features(int8, check))
    facts = {"cosine_mean": float(cosines.mean()), "cosine_min": float(cosines.min())}
    write_text(folder / "cosine.json", json.dumps(facts))


def _features(model: object, frames: UInt8Array) -> FloatArray:
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    starts = range(0, len(frames), _BATCH_FRAMES)
    return np.concatenate([np.array(compiled(frames[i : i + _BATCH_FRAMES])[0]) for i in starts])


def cosine_similarity(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the cosines (N,) of the rows of two arrays (N,D); equal rows, zeros too, give 1."""
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    equal = (left == right).all(1)
    cosines: FloatArray = np.where(equal, 1.0, (left * right).sum(1) / np.maximum(lengths, 1e-30))
    return cosines


if __name__ == "__main__":
    quantize(Path(sys.argv[1]))
