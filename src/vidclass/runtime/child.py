"""What a child process does: build a network, then export it to OpenVINO or run it in Keras.

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
from vidclass.runtime.batch import free_batch
from vidclass.runtime.layout import sink_transposes
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino import ov

# The export writes this file once its network is built, and so its weights are on this machine.
BUILT = "built"
LEAST_FREE_BYTES = 1 << 26
_SHORTAGE = ("bad_alloc", "bad allocation", "RESOURCE_EXHAUSTED", "Out of memory", "No space left")


def export_ir(spec: NetworkSpec, folder: Path) -> None:
    """Write `model.xml` and `model.bin`, optimised, with a uint8 (B,H,W,3) input for backbones.

    That of a network for windows of frames is (B,window,H,W,3).
    """
    import keras
    from openvino._offline_transformations import apply_moc_transformations

    raw = folder / "raw.xml"
    layout = "channels_first" if spec.frames else "channels_last"
    keras.config.set_image_data_format(layout)
    try:
        _export_raw(spec, raw)
    except VidclassError:
        raise
    except Exception:
        if not spec.frames:
            raise
        # Some networks refuse channels_first, in words of their own.
        layout = "channels_last"
        keras.config.set_image_data_format(layout)
        _export_raw(spec, raw)
    model = ov.Core().read_model(raw)
    if spec.frames:
        free_batch(model)
        model = _with_uint8_input(model, layout)
    # Without this step batch norms stay unfolded: 2,200 nodes in place of 310 for InceptionV3.
    apply_moc_transformations(model, cf=True)
    if spec.frames:
        model = sink_transposes(model)
        apply_moc_transformations(model, cf=True)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)
    del model
    for path in (raw, raw.with_suffix(".bin")):
        path.unlink()


def _export_raw(spec: NetworkSpec, raw: Path) -> None:
    model = spec.build()
    (raw.parent / BUILT).touch()
    model.export(str(raw), format="openvino", verbose=False)


def _with_uint8_input(model: Any, layout: str) -> Any:
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    places = "DHW" if len(model.input().partial_shape) == 5 else "HW"
    first = layout == "channels_first"
    steps.input().tensor().set_element_type(Type.u8).set_layout(Layout(f"N{places}C"))
    steps.input().model().set_layout(Layout(f"NC{places}" if first else f"N{places}C"))
    return steps.build()


def reference_outputs(spec: NetworkSpec, folder: Path) -> None:
    """Write `reference.npy`: what Keras makes of the probe inputs."""
    import keras

    # The user's own keras.json may say otherwise.
    keras.config.set_image_data_format("channels_last")
    inputs = probe_inputs(spec)
    model = spec.build()
    given = inputs["frames"].astype("float32") if spec.frames else inputs
    np.save(folder / "reference.npy", np.asarray(model.predict(given, verbose=0)))


Tasks = Mapping[str, Callable[[NetworkSpec, Path], None]]
TASKS: Tasks = {"export": export_ir, "reference": reference_outputs}


def lasting(error: BaseException, folder: Path) -> bool:
    """Whether `error` says something of the network, and not of what this machine lacked just now.

    OpenVINO writes into a full disk without complaint and fails later, when it reads the file.
    """
    if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
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
    """Carry out the task; an error that would come again goes into `TASK.error.json` beside it."""
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    folder = Path(task_file).parent
    spec = NetworkSpec(**task["spec"])
    try:
        tasks[task["task"]](spec, folder)
    except VidclassError as error:
        _write_down(error, task["task"], folder)
        return 1
    except Exception as error:
        if lasting(error, folder):
            reason = (
                f"the {task['task']} of {spec.builder} with {spec.arguments} failed: "
                f"{type(error).__name__}: {error}"
            )
            _write_down(RuntimeRouteError(reason), task["task"], folder)
        raise
    return 0


def _write_down(error: VidclassError, task: str, folder: Path) -> None:
    message = {"type": type(error).__name__, "message": str(error)}
    (folder / f"{task}.error.json").write_text(json.dumps(message), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
