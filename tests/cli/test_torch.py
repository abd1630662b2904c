"""Backbones of transformers on the command line: whole commands, on tiny models."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tiny_set import command, write_set
from torch_models import VIDEO_KINDS, WINDOW, needs_torch, save
from vidclass.bundle.read import Bundle

pytestmark = [needs_torch, pytest.mark.slow]

NOT_HERE = "raise ModuleNotFoundError('not here', name=__name__)"
LIBRARIES = ("torch", "transformers", "huggingface_hub", "keras")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set") / "clips", groups=4)


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.mark.parametrize("kind", ["vit_with_classes", "videomae_classes", "vjepa2"])
@pytest.mark.filterwarnings("ignore")
def test_a_bundle_needs_no_library_of_its_backbone(kind: str, clips: Path, tmp_path: Path) -> None:
    name = f"hf:{save(kind, tmp_path / 'model')}"
    out = tmp_path / "run"
    arguments = ["--frames", 8, "--head", "mean", "--precision", "f32", "--backbone", name]
    done = run("train", clips, "--out", out, "--store", tmp_path / "store", *arguments)
    assert done.returncode == 0, done.stderr
    for library in LIBRARIES:
        (tmp_path / "none" / f"{library}.py").parent.mkdir(exist_ok=True)
        (tmp_path / "none" / f"{library}.py").write_text(NOT_HERE)
    (tmp_path / "model" / "model.safetensors").unlink()
    path = os.pathsep.join([str(tmp_path / "none"), os.environ.get("PYTHONPATH", "")])
    clip = clips / "dark" / "v_dark_g00_c01.avi"
    answered = run("predict", out, clip, "--json", "-", PYTHONPATH=path)
    assert answered.returncode == 0, answered.stderr
    (answer,) = json.loads(answered.stdout)["predictions"]
    assert answer["label"] == "dark"
    info = Bundle.load(out / "model.vidclass").info.first
    assert (info.features.backbone, info.route) == (name, "openvino")
    assert info.window == (WINDOW if kind in VIDEO_KINDS else 1)


@pytest.mark.filterwarnings("ignore")
def test_what_a_network_of_pytorch_is_not_made_for_is_refused(clips: Path, tmp_path: Path) -> None:
    name = f"hf:{save('vit_with_classes', tmp_path / 'model')}"
    videos = f"hf:{save('videomae', tmp_path / 'videos')}"
    arguments = ["--frames", 8, "--head", "mean", "--precision", "f32"]
    out, store = tmp_path / "run", tmp_path / "store"
    done = run("train", clips, "--out", out, "--store", store, "--backbone", name, *arguments)
    assert done.returncode == 0, done.stderr
    tuned = run("finetune", out, clips, "--out", tmp_path / "tuned")
    assert tuned.returncode == 2
    assert "is a network of PyTorch: only those of Keras can be fine-tuned." in tuned.stderr
    size = run("extract", clips, "--store", store, "--backbone", videos, "--size", 40)
    assert size.returncode != 0
    assert "another --size" in size.stderr
