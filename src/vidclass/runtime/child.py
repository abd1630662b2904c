"""What a child process does: build a network, then export it to OpenVINO or run it in Keras.

Run as `python -m vidclass.runtime.child TASK_FILE`, with KERAS_BACKEND set by the parent.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vidclass.errors import VidclassError
from vidclass.runtime.openvino import ov
from vidclass.runtime.recipe import NetworkRecipe, probe_inputs


def export_ir(recipe: NetworkRecipe, folder: Path) -> None:
    """Write `model.xml` and `model.bin`, optimised, with a uint8 (B,H,W,3) input for backbones."""
    import keras
    from openvino._offline_transformations import apply_moc_transformations

    raw = folder / "raw.xml"
    layout = "channels_first" if recipe.frames else "channels_last"
    keras.config.set_image_data_format(layout)
    try:
        recipe.build().export(str(raw), format="openvino", verbose=False)
    except VidclassError:
        raise
    except Exception:
        if not recipe.frames:
            raise
        # Some networks refuse channels_first, in words of their own.
        layout = "channels_last"
        keras.config.set_image_data_format(layout)
        recipe.build().export(str(raw), format="openvino", verbose=False)
    model = ov.Core().read_model(raw)
    if recipe.frames:
        model = _with_uint8_input(model, layout)
    # Without this step batch norms stay unfolded: 2,200 nodes in place of 310 for InceptionV3.
    apply_moc_transformations(model, cf=True)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)
    del model
    for path in (raw, raw.with_suffix(".bin")):
        path.unlink()


def _with_uint8_input(model: Any, layout: str) -> Any:
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    steps.input().model().set_layout(Layout("NCHW" if layout == "channels_first" else "NHWC"))
    return steps.build()


def reference_outputs(recipe: NetworkRecipe, folder: Path) -> None:
    """Write `reference.npy`: what Keras makes of the probe inputs."""
    import keras

    # The user's own keras.json may say otherwise.
    keras.config.set_image_data_format("channels_last")
    inputs = probe_inputs(recipe)
    model = recipe.build()
    given = inputs["frames"].astype("float32") if recipe.frames else inputs
    np.save(folder / "reference.npy", np.asarray(model.predict(given, verbose=0)))


TASKS = {"export": export_ir, "reference": reference_outputs}


def main(task_file: str) -> int:
    """Carry out the task; an expected error goes into `error.json` beside it."""
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    folder = Path(task_file).parent
    try:
        TASKS[task["task"]](NetworkRecipe(**task["recipe"]), folder)
    except VidclassError as error:
        message = {"type": type(error).__name__, "message": str(error)}
        (folder / f"{task['task']}.error.json").write_text(json.dumps(message), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
