"""OpenVINO IRs of networks: made once in a child process, checked, cached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

import vidclass.errors
from vidclass._core.files import cache_folder, making_folder, write_text
from vidclass.errors import RuntimeRouteError, VidclassError
from vidclass.runtime.child import BUILT, lasting
from vidclass.runtime.ir_files import IrFiles, discard, is_sealed, seal, sealed
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino_network import OpenVinoNetwork

# The largest allowed difference from the original, as a part of the largest reference output.
# Float32 routes differ by rounding alone, about 1e-6; a wrong route is off by 0.1 or more.
PARITY_TOLERANCE = 1e-4
# Goes up when exporting learns to do more: networks that were refused are then tried again.
REFUSAL_REVISION = 3
_POLL_S = 0.05
_CHILDREN = {"keras": "vidclass.runtime.child", "torch": "vidclass.runtime.torch_child"}


class _RefusedError(RuntimeRouteError):
    """The network has no good OpenVINO form, and will have none the next time either."""


def ensure_ir(spec: NetworkSpec) -> IrFiles:
    """The IR of a network, from the cache or made now.

    Making one takes some seconds: one child process exports it, another computes what Keras says
    of the same inputs, and the two must agree.  A damaged cache entry is made again.  A network
    without a good IR is remembered, so that the seconds are spent once; what this machine lacked
    for a moment (weights, memory, room on the disk) is not.

    Raises:
        WeightsError: the weights are missing.
        RuntimeRouteError: the network cannot be exported, or its IR gives other numbers.
    """
    folder = _entry(spec)
    found = _checked(folder)
    if found is None:
        if reason := _refusal(folder):
            raise RuntimeRouteError(reason)
        try:
            discard(folder)
            with making_folder(folder) as temp:
                _make(spec, temp)
        except _RefusedError as error:
            write_text(_refusal_file(folder), str(error))
            raise
        except OSError as error:
            raise RuntimeRouteError(
                f"no network can be kept in {folder.parent}: {error}"
            ) from error
        found = _checked(folder)
    if found is None:
        raise RuntimeRouteError(f"the cached network in {folder} changes while it is read")
    return found


def known_route(spec: NetworkSpec) -> Literal["openvino", "keras"] | None:
    """By which route the network runs, if this machine has found out; makes nothing.

    A network of PyTorch has no route but OpenVINO.
    """
    folder = _entry(spec)
    if is_sealed(folder):
        return "openvino"
    return "keras" if spec.framework == "keras" and _refusal(folder) else None


def _entry(spec: NetworkSpec) -> Path:
    return cache_folder() / "ir" / spec.fingerprint()


def _refusal_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.refused-{REFUSAL_REVISION}.txt")


def _refusal(folder: Path) -> str:
    """Why the network was refused before; empty if it was not."""
    try:
        return _refusal_file(folder).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _checked(folder: Path) -> IrFiles | None:
    """The entry in `folder` if it is whole."""
    found = sealed(folder)
    return found and found[0]


def _make(spec: NetworkSpec, folder: Path) -> None:
    _run_children(spec, folder)
    try:
        parity = _parity(spec, folder)
    except (RuntimeError, RuntimeRouteError) as error:
        raise _route_error(spec, folder, error) from error
    if not parity <= PARITY_TOLERANCE:
        raise _RefusedError(
            f"the OpenVINO form of {spec.builder} with {spec.arguments} differs from "
            f"{spec.original} by {parity:.2g} of its largest output, allowed: "
            f"{PARITY_TOLERANCE:g}"
        )
    seal(folder, {"spec": asdict(spec), "parity": parity})


def _run_children(spec: NetworkSpec, folder: Path) -> None:
    """Export the network and compute its reference, side by side."""
    export = _start("export", spec, folder, "openvino")
    children = {"export": export}
    try:
        # Were both to begin at once, both would fetch missing weights into the same file.
        while export.poll() is None and not (folder / BUILT).exists():
            time.sleep(_POLL_S)
        if not export.poll():
            children["reference"] = _start("reference", spec, folder, spec.reference)
        for task, child in children.items():
            if child.wait() != 0:
                raise _child_error(task, child.returncode, folder)
    finally:
        for child in children.values():
            child.kill()
            child.wait()


def _parity(spec: NetworkSpec, folder: Path) -> float:
    network = OpenVinoNetwork.from_files(folder / "model.xml", folder / "model.bin")
    outputs = network.run(**probe_inputs(spec))
    reference = np.load(folder / "reference.npy")
    if outputs.shape != reference.shape or not np.isfinite(reference).all():
        return float("inf")
    return float(np.abs(outputs - reference).max() / max(np.abs(reference).max(), 1e-6))


def _route_error(spec: NetworkSpec, folder: Path, error: Exception) -> RuntimeRouteError:
    """What it means that OpenVINO cannot read or run what was exported."""
    kind = _RefusedError if lasting(error, folder) else RuntimeRouteError
    return kind(f"the OpenVINO form of {spec.builder} with {spec.arguments} does not run: {error}")


def _start(
    task: Literal["export", "reference"], spec: NetworkSpec, folder: Path, backend: str
) -> subprocess.Popen[bytes]:
    task_file = folder / f"{task}.json"
    write_text(task_file, json.dumps({"task": task, "spec": asdict(spec)}))
    environment: dict[str, Any] = os.environ | {
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "PYTHONWARNINGS": "ignore",
        # Heads and backbones of the user's own are imported from where this process has them.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    with (folder / f"{task}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603  # our own module, with a file we wrote
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
