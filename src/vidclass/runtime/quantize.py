"""int8 forms of IRs: calibrated on frames of the user's own clips, compared with float32, cached.

The work is done in a child process, `python -m vidclass.runtime.quantize FOLDER`: NNCF writes its
progress to standard output and keeps the memory it took.
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
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.ir_files import IrFiles, discard, seal, sealed
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.types import FloatArray, UInt8Array

# Goes up when the same frames begin to give another network.
_REVISION = 1
# The least mean cosine between the features of a frame in int8 and in float32.
MIN_COSINE = 0.98
_FRAMES = {"calibrate": "calibrate.npy", "check": "check.npy"}
_BATCH_FRAMES = 16


@dataclass(frozen=True)
class Int8Ir:
    """An int8 IR, and how near it comes to float32 on frames that it was not calibrated on.

    Attributes:
        ir: The files.
        identity: A text that changes with the network's numbers.
        clips: Keys of the clips it was calibrated on.
        cosine_mean: Mean over frames of the cosine between its features and those in float32.
        cosine_min: The least of them.
    """

    ir: IrFiles
    identity: str
    clips: frozenset[str]
    cosine_mean: float
    cosine_min: float

    def require_near(self) -> Int8Ir:
        """Itself, if its features are near enough to those in float32.

        Raises:
            RuntimeRouteError: they are not.
        """
        if self.cosine_mean >= MIN_COSINE:
            return self
        raise RuntimeRouteError(
            f"in int8 this network's features have a mean cosine of {self.cosine_mean:.4f} with "
            f"those in float32 (the worst frame {self.cosine_min:.4f}), at least {MIN_COSINE} is "
            "asked for. Use --precision auto"
        )


def require_nncf() -> None:
    """Refuse early.

    Raises:
        ConfigError: the package that quantises is not installed.
    """
    if find_spec("nncf") is None:
        raise ConfigError("precision='int8' needs NNCF: pip install 'vidclass[quantize]'")


def int8_entries(spec: NetworkSpec) -> list[Int8Ir]:
    """The int8 forms of a network that this machine has, the oldest first."""
    folders = sorted(_home(spec).glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    return [entry for folder in folders if (entry := _entry(folder)) is not None]


def make_int8(
    spec: NetworkSpec, *, clips: Sequence[str], calibrate: UInt8Array, check: UInt8Array
) -> Int8Ir:
    """Quantise a network after training.

    Weights and activations become int8 by NNCF, with ranges from `calibrate` and a correction of
    biases (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
    Correction").

    Args:
        spec: The network.
        clips: Keys of the clips that the frames come from.
        calibrate: (N,H,W,3) frames that set the ranges.
        check: (M,H,W,3) frames on which it is compared with float32.

    Raises:
        ConfigError: NNCF is not installed.
        RuntimeRouteError: the network has no OpenVINO form, or it cannot be quantised.
    """
    require_nncf()
    float32 = ensure_ir(spec)
    parts = [_REVISION, version("nncf"), sorted(clips)]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    folder = _home(spec) / name
    if _entry(folder) is None:
        discard(folder)
    with making_folder(folder) as temp:
        np.save(temp / _FRAMES["calibrate"], calibrate)
        np.save(temp / _FRAMES["check"], check)
        task = {"xml": str(float32.xml), "bin": str(float32.bin)}
        write_text(temp / "task.json", json.dumps(task))
        facts = _run_child(temp)
        seal(temp, facts | {"parity": float32.parity, "clips": sorted(clips)})
    entry = _entry(folder)
    if entry is None:
        raise RuntimeRouteError(f"the int8 network in {folder} changes while it is read")
    return entry


def _home(spec: NetworkSpec) -> Path:
    return cache_folder() / "int8" / spec.fingerprint()


def _entry(folder: Path) -> Int8Ir | None:
    found = sealed(folder)
    if found is None:
        return None
    ir, facts = found
    identity = f"int8-{facts['model.xml']}-{facts['model.bin']}"
    return Int8Ir(
        ir, identity, frozenset(facts["clips"]), facts["cosine_mean"], facts["cosine_min"]
    )


def _run_child(folder: Path) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603  # our own module, with a folder we made
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
        raise RuntimeRouteError(f"quantising a network failed in a child process:\n{tail}")
    facts: dict[str, float] = json.loads((folder / "cosine.json").read_text(encoding="utf-8"))
    return facts


def quantise(folder: Path) -> None:
    """What the child does: write `model.xml`, `model.bin` and `cosine.json`."""
    import nncf  # after the door above has closed the way to telemetry

    from vidclass.runtime.openvino import core, ov

    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    calibrate = np.load(folder / _FRAMES["calibrate"])
    float32 = core().read_model(task["xml"], task["bin"])
    int8 = nncf.quantize(
        core().read_model(task["xml"], task["bin"]),
        nncf.Dataset([frame[None] for frame in calibrate]),
        subset_size=len(calibrate),
        # The quick correction of biases costs EfficientNet-Lite half of its likeness to float32.
        fast_bias_correction=False,
    )
    ov.save_model(int8, folder / "model.xml", compress_to_fp16=False)
    check = np.load(folder / _FRAMES["check"])
    cosines = _cosines(_features(float32, check), _features(int8, check))
    facts = {"cosine_mean": float(cosines.mean()), "cosine_min": float(cosines.min())}
    write_text(folder / "cosine.json", json.dumps(facts))


def _features(model: object, frames: UInt8Array) -> FloatArray:
    from vidclass.runtime.openvino import core

    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    starts = range(0, len(frames), _BATCH_FRAMES)
    return np.concatenate([np.array(compiled(frames[i : i + _BATCH_FRAMES])[0]) for i in starts])


def _cosines(ours: FloatArray, theirs: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    # Two vectors of zeros are alike; one beside another is not.
    alike = (ours == theirs).all(1)
    cosines: FloatArray = np.where(alike, 1.0, (ours * theirs).sum(1) / np.maximum(lengths, 1e-30))
    return cosines


if __name__ == "__main__":
    quantise(Path(sys.argv[1]))
