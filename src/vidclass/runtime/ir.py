"""OpenVINO IRs of Keras networks: made once in a child process, checked, cached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import vidclass.errors
from vidclass.errors import RuntimeRouteError, VidclassError
from vidclass.files import cache_folder, making_folder, sha256_of, write_text
from vidclass.runtime.network import OpenVinoNetwork
from vidclass.runtime.recipe import NetworkRecipe, probe_inputs

# The largest allowed difference from Keras, as a part of the largest reference output.  Float32
# routes differ by rounding alone, about 1e-6; a wrong route is off by 0.1 or more.
PARITY_TOLERANCE = 1e-4
# Keras on NumPy computes its convolutions by JAX, but does not compile an initialiser for each
# shape of weights, which takes JAX 20 s for a small network.
REFERENCE_BACKEND = "numpy"


@dataclass(frozen=True)
class IrFiles:
    """A checked IR on disk."""

    xml: Path
    bin: Path
    parity: float


def ensure_ir(recipe: NetworkRecipe) -> IrFiles:
    """The IR of a network, from the cache or made now.

    Making one takes some seconds: one child process exports it, another computes what Keras says
    of the same inputs, and the two must agree.  A damaged cache entry is made again.

    Raises:
        WeightsError: the weights are missing.
        RuntimeRouteError: the network cannot be exported, or its IR gives other numbers.
    """
    folder = cache_folder() / "ir" / recipe.fingerprint()
    found = _checked(folder)
    if found is None:
        refused = folder.with_name(f"{folder.name}.refused.txt")
        if refused.exists():
            raise RuntimeRouteError(refused.read_text(encoding="utf-8"))
        discard(folder)
        with making_folder(folder) as temp:
            _make(recipe, temp, refused)
        found = _checked(folder)
    if found is None:
        raise RuntimeRouteError(f"the cached network in {folder} changes while it is read")
    return found


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Finish a folder with an IR: note the facts and checksums, remove whatever else is in it."""
    checksums = {name: sha256_of(folder / name) for name in ("model.xml", "model.bin")}
    write_text(folder / "ir.json", json.dumps(checksums | facts, indent=1))
    for path in folder.iterdir():
        if path.name not in ("model.xml", "model.bin", "ir.json"):
            path.unlink()


def sealed(folder: Path) -> tuple[IrFiles, dict[str, Any]] | None:
    """The IR in `folder`, with its facts, if it is whole."""
    xml, weights = folder / "model.xml", folder / "model.bin"
    try:
        facts: dict[str, Any] = json.loads((folder / "ir.json").read_text(encoding="utf-8"))
        whole = all(facts[path.name] == sha256_of(path) for path in (xml, weights))
        return (IrFiles(xml, weights, facts["parity"]), facts) if whole else None
    except (OSError, ValueError, KeyError):
        return None


def _checked(folder: Path) -> IrFiles | None:
    found = sealed(folder)
    return found and found[0]


def discard(folder: Path) -> None:
    """Take away a damaged entry, though other processes may do so too."""
    damaged = folder.with_name(f".{folder.name}.damaged.{os.getpid()}")
    with suppress(FileNotFoundError):  # it was never there, or another process was quicker
        folder.rename(damaged)
        shutil.rmtree(damaged)


def _make(recipe: NetworkRecipe, folder: Path, refused: Path) -> None:
    children = {
        "export": _start("export", recipe, folder, "openvino"),
        "reference": _start("reference", recipe, folder, REFERENCE_BACKEND),
    }
    try:
        outputs = {task: child.communicate()[0] for task, child in children.items()}
    finally:
        for child in children.values():
            child.kill()
            child.wait()
    for task, child in children.items():
        if child.returncode != 0:
            raise _child_error(task, outputs[task], folder)
    parity = _parity(recipe, folder)
    if not parity <= PARITY_TOLERANCE:
        message = (
            f"the OpenVINO form of {recipe.builder} with {recipe.arguments} differs from Keras by "
            f"{parity:.2g} of its largest output, allowed: {PARITY_TOLERANCE:g}"
        )
        write_text(refused, message)
        raise RuntimeRouteError(message)
    seal(folder, {"recipe": asdict(recipe), "parity": parity})


def _parity(recipe: NetworkRecipe, folder: Path) -> float:
    network = OpenVinoNetwork.from_files(folder / "model.xml", folder / "model.bin")
    try:
        outputs = network.run(**probe_inputs(recipe))
    except RuntimeError:  # some networks are exported with a batch of one baked in
        return float("inf")
    reference = np.load(folder / "reference.npy")
    if outputs.shape != reference.shape or not np.isfinite(reference).all():
        return float("inf")
    return float(np.abs(outputs - reference).max() / max(np.abs(reference).max(), 1e-6))


def _start(
    task: Literal["export", "reference"], recipe: NetworkRecipe, folder: Path, backend: str
) -> subprocess.Popen[str]:
    task_file = folder / f"{task}.json"
    write_text(task_file, json.dumps({"task": task, "recipe": asdict(recipe)}))
    environment: dict[str, Any] = os.environ | {
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.Popen(  # noqa: S603  # our own module, with a file we wrote
        [sys.executable, "-m", "vidclass.runtime.child", str(task_file)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _child_error(task: str, output: str, folder: Path) -> VidclassError:
    error_file = folder / f"{task}.error.json"
    if error_file.exists():
        error = json.loads(error_file.read_text(encoding="utf-8"))
        kind: type[VidclassError] = getattr(vidclass.errors, error["type"])
        return kind(error["message"])
    tail = "\n".join(output.strip().splitlines()[-8:])
    return RuntimeRouteError(f"the {task} of a network failed in a child process:\n{tail}")
