"""Child process that builds a PyTorch network, and exports it to OpenVINO or runs it.

Run as `python -m vidclass.runtime.torch_child TASK_FILE`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from vidclass.runtime.child import BUILT, Tasks, main
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino_network import ov


def export_ir(spec: NetworkSpec, folder: Path) -> None:
    """Write `model.xml` and `model.bin`, optimised, with a uint8 (B,H,W,3) input.

    The network is traced on two images: a trace of one would fix the batch size.  PyTorch's own
    check of the trace would run a large network twice more; outputs are compared anyway.
    """
    import torch
    from openvino._offline_transformations import apply_moc_transformations

    # Hidden when OpenVINO is first imported; its telemetry stays hidden.
    from openvino.tools.ovc import convert_model

    module = spec.build().eval()
    (folder / BUILT).touch()
    frames = _probe_tensor(spec)[:2]
    with torch.no_grad():
        traced = torch.jit.trace(module, frames, strict=False, check_trace=False)
    model = convert_model(traced, example_input=frames, input=[-1, *map(int, frames.shape[1:])])
    apply_moc_transformations(model, cf=True)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


def reference_outputs(spec: NetworkSpec, folder: Path) -> None:
    """Write `reference.npy`: PyTorch's outputs for the probe inputs."""
    import torch

    module = spec.build().eval()
    with torch.no_grad():
        # One by one: windows of frames take much memory.
        rows = [module(row[None]).numpy() for row in _probe_tensor(spec)]
    np.save(folder / "reference.npy", np.concatenate(rows))


def _probe_tensor(spec: NetworkSpec) -> Any:
    import torch

    return torch.from_numpy(probe_inputs(spec)["frames"])


TASKS: Tasks = {"export": export_ir, "reference": reference_outputs}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], TASKS))
