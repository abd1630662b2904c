"""Child process that builds a network, and exports it to OpenVINO or runs it in Keras.

Run as `python -m vidclass.runtime.child TASK_FILE`, with KERAS_BACKEND set by the parent.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vidclass.errors import RuntimeRouteError, VidclassError
from vidclass.runtime.graph_rewrites import free_batch, sink_transposes
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino_network import ov

# The export writes this file once its network is built, so that its weights are on this machine.
BUILT = "built"
MIN_FREE_BYTES = 1 << 26
_SHORTAGE = ("bad_alloc", "bad allocation", "RESOURCE_EXHAUSTED", "Out of memory", "No space left")


def export_ir(spec: NetworkSpec, folder: Path) -> None:
    """Write `model.xml` and `model.bin`, optimised.

    The input of a backbone is uint8 (B,H,W,3), or (B,window,H,W,3) if it takes windows of frames.
    """
    import keras
    from openvino._offline_transformations import apply_moc_transformations

    raw = folder / "raw.xml"
    layout = "channels_first" if spec.frames else "channels_last"
    keras.config.set_image_data_format(layout)
    try:
        _export_raw(spec, raw, layout)
    except VidclassError:
        raise
    except Exception:
        if not spec.frames:
            raise
        # Some networks refuse channels_first, each with another error; some ignore it.
        layout = "channels_last"
        keras.config.set_image_data_format(layout)
        _export_raw(spec, raw, layout)
    model = ov.Core().read_model(raw)
    if spec.frames:
        free_batch(model)
        model = _with_uint8_input(model, layout)
    # Without this step batch norms stay unfolded: 2,200 nodes instead of 310 for InceptionV3.
    apply_moc_transformations(model, cf=True)
    if spec.frames:
        model = sink_transposes(model)
        apply_moc_transformations(model, cf=True)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)
    del model
    for path in (raw, raw.with_suffix(".bin")):
        path.unlink()


def _export_raw(spec: NetworkSpec, raw: Path, layout: str) -> None:
    model = spec.build()
    (raw.parent / BUILT).touch()
    shape = model.inputs[0].shape
    if spec.frames and shape[1 if layout == "channels_first" else -1] != 3:
        raise ValueError(
            f"{spec.builder} with {spec.arguments} takes inputs {shape}, which are not {layout}: "
            "build them for keras.config.image_data_format()"
        )
    model.export(str(raw), format="openvino", verbose=False)


def _with_uint8_input(model: Any, layout: str) -> Any:
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    axes = "DHW" if len(model.input().partial_shape) == 5 else "HW"
    channels_first = layout == "channels_first"
    steps.input().tensor().set_element_type(Type.u8).set_layout(Layout(f"N{axes}C"))
    steps.input().model().set_layout(Layout(f"NC{axes}" if channels_first else f"N{axes}C"))
    return steps.build()


def reference_outputs(spec: NetworkSpec, folder: Path) -> None:
    """Write `reference.npy`: Keras's outputs for the probe inputs."""
    import keras

    # The user's own keras.json may set another format.
    keras.config.set_image_data_format("channels_last")
    inputs = probe_inputs(spec)
    model = spec.build()
    arrays = inputs["frames"].astype("float32") if spec.frames else inputs
    np.save(folder / "reference.npy", np.asarray(model.predict(arrays, verbose=0)))


Tasks = Mapping[str, Callable[[NetworkSpec, Path], None]]
TASKS: Tasks = {"export": export_ir, "reference": reference_outputs}


def is_lasting(error: BaseException, folder: Path) -> bool:
    """Return whether the network causes `error`, not a passing shortage of this machine.

    OpenVINO writes to a full disk without complaint and fails later, when it reads the file.
    """
    if shutil.disk_usage(folder).free < MIN_FREE_BYTES:
        return False
    while True:
        passing = isinstance(error, OSError | MemoryError | ImportError)
        if passing or any(word in str(error) for word in _SHORTAGE):
            return False
        inner = error.__cause__ or error.__context__
        if inner is None:
            return True
        error = inner


def main(task_file: str, tasks: Tasks = TASKS) -> int:
    """Carry out a task and return the exit code; write a lasting error to `TASK.error.json`."""
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    folder = Path(task_file).parent
    spec = NetworkSpec(**task["spec"])
    try:
        tasks[task["task"]](spec, folder)
    except VidclassError as error:
        _write_error(error, task["task"], folder)
        return 1
    except Exception as error:
        if is_lasting(error, folder):
            message = (
                f"the {task['task']} of {spec.builder} with {spec.arguments} failed: "
                f"{type(error).__name__}: {error}"
            )
            _write_error(RuntimeRouteError(message), task["task"], folder)
        raise
    return 0


def _write_error(error: VidclassError, task: str, folder: Path) -> None:
    message = {"type": type(error).__name__, "message": str(error)}
    (folder / f"{task}.error.json").write_text(json.dumps(message), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
