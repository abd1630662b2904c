"""A network of KerasHub from the command line: trained on, put into a bundle, and fine-tuned."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hub_presets import needs_keras_hub, save
from tiny_set import command

pytestmark = [needs_keras_hub, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def run(*arguments: object, **variables: str) -> str:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env=os.environ | variables
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_train_predict_and_finetune(tiny_set: Path, tmp_path: Path) -> None:
    preset = save("ViTBackbone", tmp_path / "preset")
    trained, tuned = tmp_path / "trained", tmp_path / "tuned"
    options = ("--frames", 3, "--precision", "f32", "--epochs", 2, "--out", trained)
    run("train", tiny_set, "--backbone", f"hub:{preset}", *options)
    clip = tiny_set / "dark" / "v_dark_g00_c01.avi"
    run("finetune", trained, tiny_set, "--epochs", 1, "--unfreeze", "all", "--out", tuned)
    # The bundles hold the network: neither the preset nor the library is needed any more.
    preset.rename(tmp_path / "away")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "keras_hub.py").write_text("raise ModuleNotFoundError(name='keras_hub')")
    path = os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")])
    elsewhere = str(tmp_path / "cache")
    for folder in (trained, tuned):
        bundle = folder / "model.vidclass"
        output = run("predict", bundle, clip, PYTHONPATH=path, VIDCLASS_CACHE=elsewhere)
        assert "dark" in output
