"""OpenVINO IRs of networks: exported once in a child process, checked, cached.

An entry of the cache is a folder of `model.xml`, `model.bin` and `ir.json`, which holds their
checksums and facts about them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import vidclass.errors
from vidclass._core.files import cache_folder, making_folder, sha256_of, write_text
from vidclass.errors import RuntimeRouteError, VidclassError
from vidclass.runtime.child import BUILT, is_lasting
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino_network import OpenVinoNetwork

# Largest allowed difference from the original, relative to the largest reference output.  Rounding
# alone gives float32 runtimes about 1e-6; a wrong export is off by 0.1 or more.
PARITY_TOLERANCE = 1e-4
# Goes up when the export learns more, so that refused networks are tried again.
REFUSAL_REVISION = 3
_POLL_S = 0.05
_CHILDREN = {"keras": "vidclass.runtime.child", "torch": "vidclass.runtime.torch_child"}
_XML, _BIN, _FACTS = "model.xml", "model.bin", "ir.json"

Task = Literal["export", "reference"]
StartChild = Callable[[Task, NetworkSpec, Path], subprocess.Popen[bytes]]


@dataclass(frozen=True)
class IrFiles:
    """A checked IR on disk.

    Attributes:
        xml: The network.
        bin: Its weights.
        parity: Largest difference of its float32 form from Keras, relative to the largest output.
    """

    xml: Path
    bin: Path
    parity: float


class _RefusedError(RuntimeRouteError):
    """The network has no valid OpenVINO form, and another export would give none either."""


def ensure_ir(
    spec: NetworkSpec, *, build: Callable[[NetworkSpec, Path], None] | None = None
) -> IrFiles:
    """Return the IR of a network, from the cache or built now.

    Building takes some seconds; see `build_ir`.  A damaged cache entry is built again.  A network
    without a valid IR is remembered, so that the seconds are spent once; a passing shortage of this
    machine (weights, memory, disk space) is not.

    Args:
        spec: The network.
        build: Function that writes the IR into a folder; None for `build_ir`.

    Raises:
        WeightsError: the weights are missing.
        RuntimeRouteError: the network cannot be exported, or its IR gives other outputs.
    """
    folder = ir_folder(spec)
    files = _intact_files(folder)
    if files is None:
        _require_not_refused(folder)
        try:
            discard(folder)
            with making_folder(folder) as temp:
                (build or build_ir)(spec, temp)
        except _RefusedError as error:
            write_text(refusal_file(folder), str(error))
            raise
        except OSError as error:
            raise RuntimeRouteError(
                f"no network can be kept in {folder.parent}: {error}"
            ) from error
        files = _intact_files(folder)
    if files is None:
        raise RuntimeRouteError(f"the cached network in {folder} changes while it is read")
    return files


def cached_route(spec: NetworkSpec) -> Literal["openvino", "keras"] | None:
    """Return the route that the network takes, if the cache tells it; build nothing.

    A PyTorch network has no route but OpenVINO.
    """
    folder = ir_folder(spec)
    if (folder / _FACTS).is_file():
        return "openvino"
    return "keras" if spec.framework == "keras" and refusal_file(folder).is_file() else None


def ir_folder(spec: NetworkSpec) -> Path:
    """Return the folder of the cache for the IR of a network."""
    return cache_folder() / "ir" / spec.fingerprint()


def refusal_file(folder: Path) -> Path:
    """Return the file beside an IR folder that says why the network was refused."""
    return folder.with_name(f"{folder.name}.refused-{REFUSAL_REVISION}.txt")


def _require_not_refused(folder: Path) -> None:
    try:
        reason = refusal_file(folder).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if reason:
        raise RuntimeRouteError(reason)


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Complete a folder with an IR: write facts and checksums, remove all other files."""
    checksums = {name: sha256_of(folder / name) for name in (_XML, _BIN)}
    write_text(folder / _FACTS, json.dumps(checksums | facts, indent=1))
    for path in folder.iterdir():
        if path.name not in (_XML, _BIN, _FACTS):
            path.unlink()


def read_sealed(folder: Path) -> tuple[IrFiles, dict[str, Any]] | None:
    """Return the IR in `folder` and its facts, or None if it is missing or damaged."""
    try:
        facts: dict[str, Any] = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        intact = all(facts[name] == sha256_of(folder / name) for name in (_XML, _BIN))
        files = IrFiles(folder / _XML, folder / _BIN, float(facts["parity"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (files, facts) if intact else None


def _intact_files(folder: Path) -> IrFiles | None:
    entry = read_sealed(folder)
    return entry and entry[0]


def discard(folder: Path) -> None:
    """Remove a damaged entry, though other processes may do so too."""
    damaged = folder.with_name(f".{folder.name}.damaged.{os.getpid()}")
    with suppress(FileNotFoundError):  # it never existed, or another process was quicker
        folder.rename(damaged)
        shutil.rmtree(damaged)


def build_ir(spec: NetworkSpec, folder: Path, *, start: StartChild | None = None) -> None:
    """Write the IR of a network into `folder`.

    One child process exports the network, another computes the original's outputs for the probe
    inputs, and the two must agree.

    Args:
        spec: The network.
        folder: An empty folder.
        start: Function that starts a child process; None for `start_child`.
    """
    _run_children(spec, folder, start or start_child)
    try:
        network = OpenVinoNetwork.from_files(folder / _XML, folder / _BIN)
        outputs = network.run(**probe_inputs(spec))
    except (RuntimeError, RuntimeRouteError) as error:
        kind = _RefusedError if is_lasting(error, folder) else RuntimeRouteError
        raise kind(
            f"the OpenVINO form of {spec.builder} with {spec.arguments} does not run: {error}"
        ) from error
    difference = parity(outputs, np.load(folder / "reference.npy"))
    if not difference <= PARITY_TOLERANCE:
        raise _RefusedError(
            f"the OpenVINO form of {spec.builder} with {spec.arguments} differs from "
            f"{spec.original} by {difference:.2g} of its largest output, allowed: "
            f"{PARITY_TOLERANCE:g}"
        )
    seal(folder, {"spec": asdict(spec), "parity": difference})


def parity(outputs: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Return the largest difference from the reference, relative to its largest output.

    It is infinite for another shape or a reference with NaN, and NaN for outputs with NaN.
    """
    if outputs.shape != reference.shape or not np.isfinite(reference).all():
        return float("inf")
    return float(np.abs(outputs - reference).max() / max(np.abs(reference).max(), 1e-6))


def _run_children(spec: NetworkSpec, folder: Path, start: StartChild) -> None:
    """Export the network and compute its reference outputs, side by side."""
    export = start("export", spec, folder)
    children = {"export": export}
    try:
        # If both began at once, both would download missing weights into the same file.
        while export.poll() is None and not (folder / BUILT).exists():
            time.sleep(_POLL_S)
        if not export.poll():
            children["reference"] = start("reference", spec, folder)
        for task, child in children.items():
            if child.wait() != 0:
                raise _child_error(task, child.returncode, folder)
    finally:
        for child in children.values():
            child.kill()
            child.wait()


def start_child(task: Task, spec: NetworkSpec, folder: Path) -> subprocess.Popen[bytes]:
    """Start a child process that builds the network and writes its result into `folder`."""
    task_file = folder / f"{task}.json"
    write_text(task_file, json.dumps({"task": task, "spec": asdict(spec)}))
    environment: dict[str, Any] = os.environ | {
        "KERAS_BACKEND": "openvino" if task == "export" else spec.reference,
        "JAX_PLATFORMS": "cpu",
        "PYTHONWARNINGS": "ignore",
        # Heads and backbones of the user's own are imported from where this process has them.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    with (folder / f"{task}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603  # our own module and task file
            [sys.executable, "-m", _CHILDREN[spec.framework], str(task_file)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _child_error(task: str, returncode: int, folder: Path) -> VidclassError:
    error_file = folder / f"{task}.error.json"
    if error_file.exists():
        error = json.loads(error_file.read_text(encoding="utf-8"))
        kind: type[VidclassError] = getattr(vidclass.errors, error["type"])
        return (
            _RefusedError(error["message"]) if kind is RuntimeRouteError else kind(error["message"])
        )
    log = (folder / f"{task}.log").read_text(encoding="utf-8", errors="replace")
    tail = "\n".join(log.strip().splitlines()[-8:])
    return RuntimeRouteError(
        f"the {task} of a network failed in a child process (exit code {returncode}):\n{tail}"
    )
